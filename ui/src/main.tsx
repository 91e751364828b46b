import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./app.css";
import { App } from "./app";
import { startI18n } from "./i18n";
import { apply, getPrefs } from "./lib/prefs";
import { newClient } from "./lib/queries";
import { newRouter } from "./router";

apply();
startI18n();
// The window opens where it was.
if (window.location.hash === "") window.location.hash = getPrefs().page;

const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <StrictMode>
      <App client={newClient()} router={newRouter()} />
    </StrictMode>,
  );
