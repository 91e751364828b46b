import { useQuery } from "@tanstack/react-query";
import { Empty, Loading, Page } from "../components/frame";
import { Failed } from "../components/notice";
import { AddImage } from "../features/images/add-image";
import { ImageTable } from "../features/images/image-table";
import { imagesQuery, recipesQuery } from "../lib/queries";
import { BuildImages } from "./build-images";

export function ImagesRoute() {
  const images = useQuery(imagesQuery);
  const recipes = useQuery(recipesQuery);
  const toBuild = recipes.data?.filter((recipe) => !images.data?.some((image) => image.name === recipe.name)) ?? [];
  return (
    <Page title="Images">
      {images.isPending && <Loading what="images" rows={3} />}
      {images.isError && <Failed title="Could not list the images" error={images.error} onRetry={() => void images.refetch()} />}
      {images.data?.length === 0 && (
        <Empty title="No images yet">
          <p className="text-dim">Machines start from images: build one from packages, or add a disk image of your own.</p>
        </Empty>
      )}
      {images.data && images.data.length > 0 && <ImageTable images={images.data} />}
      {images.data && toBuild.map((recipe) => <BuildImages key={recipe.name} images={[recipe.name]} onDone={() => void images.refetch()} />)}
      {images.data && (
        <section className="flex flex-col gap-2 pt-2" aria-label="Add an image">
          <h2 className="font-strong">An image of your own</h2>
          <AddImage />
        </section>
      )}
    </Page>
  );
}
