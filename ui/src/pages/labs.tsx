export function LabsPage() {
  return null;
}
