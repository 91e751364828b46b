export function ActivityPage() {
  return null;
}
export function LabActivityPage() {
  return null;
}
