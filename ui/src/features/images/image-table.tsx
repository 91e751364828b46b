import type { Image } from "../../bindings";
import { table } from "../../components/frame";
import { copy } from "../../lib/copy";
import { moment } from "../../lib/words";

export function ImageTable({ images }: { images: Image[] }) {
  return (
    <div className={table.frame}>
      <table className={table.table} aria-label="Images">
        <thead>
          <tr>
            <th className={table.head}>Image</th>
            <th className={`${table.head} text-right`}>Disk</th>
            <th className={`${table.head} text-right`}>File</th>
            {["SHA-256", "Came from", "Added"].map((title) => (
              <th key={title} className={table.head}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {images.map((image) => (
            <tr key={image.name} className={table.row}>
              <td className={`${table.cell} font-strong`}>{image.name}</td>
              <td className={`${table.cell} text-right`}>{image.virtual_size}</td>
              <td className={`${table.cell} text-right`}>{image.file_mib} MiB</td>
              <td className={table.cell}>
                <button type="button" className="-mx-1 rounded-ui px-1 font-mono hover:bg-selected" title={image.digest} aria-label={`Copy digest of ${image.name}`} onClick={() => void copy(image.digest)}>
                  {image.digest.slice(0, 12)}
                </button>
              </td>
              <td className={`${table.cell} max-w-[360px] truncate text-dim`} title={image.source}>
                {image.source}
              </td>
              <td className={`${table.cell} text-dim`}>{moment(image.added)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
