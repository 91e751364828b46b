export function NewLabPage() {
  return null;
}
export function DesignPage() {
  return null;
}
