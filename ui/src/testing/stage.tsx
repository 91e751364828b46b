// The page as it is shipped, over the fixed data: for screenshots. Not part of the application.
// Its address says how it looks: stage.html?theme=dark&lang=fr&world=empty#/labs

import { createRoot } from "react-dom/client";
import "../app.css";
import { App } from "../app";
import { startI18n } from "../i18n";
import { setPrefs } from "../lib/prefs";
import { newClient } from "../lib/queries";
import { newRouter } from "../router";
import { fake } from "./fake";
import { NOW, world } from "./world";

// Times in words are those of the data.
const RealDate = Date;
const shift = RealDate.parse(NOW) - RealDate.now();
globalThis.Date = class extends RealDate {
  constructor(...args: any[]) {
    super(...((args.length === 0 ? [RealDate.now() + shift] : args) as [number]));
  }
  static now = () => RealDate.now() + shift;
} as DateConstructor;

const params = new URLSearchParams(window.location.search);
// The router takes the document's own search for part of the page's.
window.history.replaceState(null, "", window.location.pathname + window.location.hash);
const worlds: Record<string, () => Promise<typeof world>> = {
  full: async () => world,
  empty: async () => ({ ...world, ...(await import("./world/empty")).empty }),
  much: async () => ({ ...world, ...(await import("./world/much")).much }),
  failed: async () => Object.fromEntries(Object.keys(world).map((name) => [name, /lockState|appInfo/.test(name) ? world[name as "appInfo"] : fails])),
  loading: async () => Object.fromEntries(Object.keys(world).map((name) => [name, /lockState|appInfo/.test(name) ? world[name as "appInfo"] : () => new Promise(() => {})])),
};
const fails = () => {
  throw { code: "failed", message: "could not reach libvirt at qemu:///system: Failed to connect socket to '/run/libvirt/libvirt-sock': No such file or directory", hint: "is libvirtd running, and are you in the group libvirt? `virsh -c qemu:///system list` must work", details: [] };
};

setPrefs({ theme: params.get("theme") === "dark" ? "dark" : "light", language: params.get("lang") === "fr" ? "fr" : "en" });
fake(await (worlds[params.get("world") ?? "full"] ?? worlds.full!)());
startI18n();
const root = document.getElementById("root");
if (root) createRoot(root).render(<App client={newClient()} router={newRouter()} />);
