import { useQuery } from "@tanstack/react-query";
import { Button } from "../components/button";
import { Empty, Loading, Page } from "../components/frame";
import { Failed } from "../components/notice";
import { AddLab } from "../features/labs/add-lab";
import { LabTable } from "../features/labs/lab-table";
import { LabPicture } from "../features/labs/picture";
import { labsQuery } from "../lib/queries";
import { go } from "../lib/route";

export function LabsRoute() {
  const labs = useQuery(labsQuery);
  const some = labs.data && labs.data.length > 0;
  return (
    <Page
      title="Labs"
      actions={
        some && (
          <Button kind="primary" onClick={() => go({ page: "add" })}>
            Add a lab
          </Button>
        )
      }
    >
      {labs.isPending && <Loading what="labs" rows={6} />}
      {labs.isError && <Failed title="Could not list the labs" error={labs.error} onRetry={() => void labs.refetch()} />}
      {labs.data?.length === 0 && (
        <Empty picture={<LabPicture />} title="No labs yet">
          <p className="mb-3 text-dim">A lab is a file: networks, machines, and what runs on them. Save one, see its plan, deploy it.</p>
          <AddLab />
        </Empty>
      )}
      {some && <LabTable labs={labs.data} />}
    </Page>
  );
}

export function AddRoute() {
  return (
    <Page title="Add a lab">
      <AddLab />
    </Page>
  );
}
