import { createRoot } from "react-dom/client";
import "./app.css";
import { App } from "./app";
import { newClient } from "./lib/queries";
import { applyTheme } from "./lib/theme";

applyTheme();
// The web view's own menu offers "Reload" and "Back"; in text it offers to copy.
document.addEventListener("contextmenu", (event) => {
  const target = event.target as HTMLElement;
  if (!target.closest("input, textarea, .selectable, pre, td")) event.preventDefault();
});
const root = document.getElementById("root");
if (root) createRoot(root).render(<App client={newClient()} />);
