import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { Button } from "../components/button";
import { useDeeds } from "../features/labs/deeds";
import { FileTree } from "../features/labs/file-tree";
import { LabFrame } from "../features/labs/frame";

export function FilesPage() {
  const { lab } = useParams({ from: "/labs/$lab/files" });
  const { file } = useSearch({ from: "/labs/$lab/files" });
  const { t } = useTranslation("labs");
  const navigate = useNavigate();
  const deeds = useDeeds();
  return (
    <LabFrame lab={lab} tab="files" bare actions={<Button onClick={() => deeds.open(lab, "files")}>{t(($) => $.openFiles)}</Button>}>
      <FileTree lab={lab} chosen={file} onChoose={(path) => void navigate({ to: "/labs/$lab/files", params: { lab }, search: { file: path }, replace: true })} />
    </LabFrame>
  );
}
