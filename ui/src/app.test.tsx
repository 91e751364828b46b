import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { App } from "./app";
import type { CommandError } from "./bindings";
import { newClient } from "./lib/queries";
import { fake, lab, machine, plan, said, send } from "./testing/fake";

const summary = (name: string, state: "designed" | "deployed" = "designed") => ({ name, state, machines: 2, hosts: "local", revision: 1, updated: "2026-11-24T10:20:30Z" });
const ready = { listLabs: () => [summary("hello")], labStatus: () => lab("hello"), checkLab: () => [], listRuns: () => [] };

function open(hash: string) {
  window.location.hash = hash;
  render(<App client={newClient()} />);
}

test("with no lab, the page says what a lab is and takes a file", async () => {
  const calls = fake({ ...ready, listLabs: () => [], saveLabFile: ({ path }) => ({ name: path === "/srv/lab.yaml" ? "hello" : "?", revision: 1, problems: [] }) });
  open("#/labs");
  fireEvent.change(await screen.findByLabelText("Lab file on this computer"), { target: { value: "/srv/lab.yaml" } });
  fireEvent.click(screen.getByRole("button", { name: "Save as a lab" }));
  await waitFor(() => expect(window.location.hash).toBe("#/labs/hello"));
  expect(calls).toContain("saveLabFile");
});

test("labs stand in the sidebar with their state in words", async () => {
  fake({ ...ready, listLabs: () => [summary("hello"), summary("web-and-db", "deployed")] });
  open("#/labs");
  const sidebar = within(await screen.findByRole("list", { name: "Labs" }));
  expect((await sidebar.findAllByRole("link")).map((link) => link.textContent)).toEqual(["hellodesigned", "web-and-dbdeployed"]);
});

test("a lab that cannot be shown says why, and can be tried again", async () => {
  const error: CommandError = { code: "failed", message: "the database could not be used: disk I/O error", hint: null, details: [] };
  fake({ ...ready, labStatus: () => Promise.reject(error) });
  open("#/labs/hello");
  expect((await screen.findByRole("alert")).textContent).toContain("disk I/O error");
  expect(screen.getByRole("button", { name: "Try again" })).toBeTruthy();
});

test("machines show state, configuration and address", async () => {
  const machines = [machine("web", { state: "running", configured: true, address: "10.77.1.10", memory_mib: 2048 }), machine("db", { state: "shut_off" })];
  fake({ ...ready, labStatus: () => lab("hello", { state: "deployed", machines }) });
  open("#/labs/hello");
  const rows = within(await screen.findByRole("table", { name: "Machines of hello" })).getAllByRole("row");
  expect(rows.slice(1).map((row) => within(row).getAllByRole("cell").map((cell) => cell.textContent))).toEqual([
    ["web", "running", "configured", "10.77.1.10", "1", "2 GiB", "debian-12", "local"],
    ["db", "shut off", "not configured", "by DHCP", "1", "512 MiB", "debian-12", "local"],
  ]);
  expect(screen.getByRole("button", { name: "Start 1 machine" })).toBeTruthy();
  expect(screen.getByRole("button", { name: "Shut down…" })).toBeTruthy();
});

test("a plan shows what it does, what it needs, and is deployed as it was shown", async () => {
  const started: unknown[] = [];
  fake({ ...ready, startPlan: () => plan({ warnings: ["a warning"] }), startDeploy: (args) => (started.push(args), 3), followRun: () => new Promise(() => {}), unfollowRun: () => null });
  open("#/labs/hello/plan");
  const tree = await screen.findByRole("tree", { name: "Plan of hello" });
  expect(within(tree).getAllByRole("treeitem").map((item) => item.getAttribute("aria-label"))).toEqual(["lan is created", "web is created", "db is created"]);
  expect(screen.getByText("1 network and 2 machines created")).toBeTruthy();
  expect(screen.getByText("2 machines need 1 GiB of 8.0 GiB free")).toBeTruthy();
  expect(screen.getByText("TCG (emulation, slow)")).toBeTruthy();
  expect(screen.getByText("a warning")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Deploy 2 machines" }));
  await waitFor(() => expect(window.location.hash).toBe("#/labs/hello/runs/3"));
  expect(started).toEqual([{ lab: "hello", plan: 7 }]);
});

test("a plan that loses data asks first, by name", async () => {
  const things = [{ planned: { noun: "machine", name: "db", kind: "replace" as const, disruption: "data_loss" as const, sentence: "is recreated; the data of data is lost" }, changes: [] }];
  const calls = fake({ ...ready, startPlan: () => plan({ things, starts: [], disruption: "data_loss" }), discardPlan: () => null });
  open("#/labs/hello/plan");
  fireEvent.click(await screen.findByRole("button", { name: "Deploy 1 machine" }));
  expect(screen.getByRole("dialog", { name: "Deploy hello, and lose data?" }).textContent).toContain("the data of data is lost");
  expect(calls).not.toContain("startDeploy");
});

test("a plan that is left gives the lab free", async () => {
  const discarded: unknown[] = [];
  fake({ ...ready, startPlan: () => plan(), discardPlan: (args) => (discarded.push(args), null) });
  open("#/labs/hello/plan");
  await screen.findByRole("tree");
  window.location.hash = "#/labs/hello";
  await waitFor(() => expect(discarded).toEqual([{ lab: "hello", plan: 7 }]));
});

test("problems of a lab are listed with their places", async () => {
  const error: CommandError = { code: "problems", message: "lab `hello` has 1 problems", hint: "mend them", details: ["4:20: image `tiny` is unknown"] };
  fake({ ...ready, startPlan: () => Promise.reject(error) });
  open("#/labs/hello/plan");
  expect(await screen.findByText("4:20: image `tiny` is unknown")).toBeTruthy();
});

test("images that are missing are built from where they are missed", async () => {
  const error: CommandError = { code: "images_to_build", message: "images that must be built first: debian-12", hint: null, details: ["debian-12"] };
  let built = false;
  fake({ ...ready, startPlan: () => (built ? plan() : Promise.reject(error)), buildImage: () => ((built = true), { name: "debian-12", digest: "ab", source: "recipe", virtual_size: "4 GiB", file_mib: 300, added: "" }), discardPlan: () => null });
  open("#/labs/hello/plan");
  fireEvent.click(await screen.findByRole("button", { name: "Build debian-12" }));
  expect(await screen.findByRole("tree")).toBeTruthy();
});

test("a run is followed phase by phase, and its failure shows message, hint and evidence", async () => {
  const events = said(
    ["web", { kind: "phase", phase: "defined", address: null }],
    ["web", { kind: "phase", phase: "booting", address: null }],
    ["db", { kind: "phase", phase: "configured", address: "10.77.1.11" }],
    ["web", { kind: "waiting", reason: "nothing came over its serial console", remedy: "open its console" }],
    ["web", { kind: "failed", message: "web is not ready", hint: "read its serial log", evidence: "Kernel panic - not syncing" }],
    [null, { kind: "ended", status: "failed", sentence: "1 of 2 machines not ready: web" }],
  );
  let over = () => {};
  let follower: Parameters<typeof send>[0] | undefined;
  fake({ ...ready, followRun: (args) => ((follower = args), new Promise((resolve) => (over = () => resolve(null)))), unfollowRun: () => null, cancelRun: () => true });
  open("#/labs/hello/runs/3");
  await waitFor(() => expect(follower).toBeTruthy());
  send(follower!, events.slice(0, 4));
  expect(await screen.findByText("nothing came over its serial console")).toBeTruthy();
  expect(screen.getByText("Bringing machines up: 1 of 2 ready")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Cancel run" }));
  expect(await screen.findByRole("button", { name: "Cancelling" })).toBeTruthy();
  send(follower!, events.slice(3));
  over();
  const card = (await screen.findByText("web failed")).closest("section");
  expect(card?.textContent).toMatch(/web is not ready.*Read its serial log.*Kernel panic/s);
  expect(screen.getByRole("button", { name: "Show machines" })).toBeTruthy();
});

test("a run whose process is gone is cut off", async () => {
  fake({ ...ready, followRun: () => null, unfollowRun: () => null });
  open("#/labs/hello/runs/3");
  expect((await screen.findAllByText(/cut off/i)).length).toBeGreaterThan(0);
});

test("a destroy names the lab and what is lost", async () => {
  const things = plan().things.map(({ planned, changes }) => ({ planned: { ...planned, kind: "delete" as const, disruption: "data_loss" as const, sentence: "is destroyed with its disks" }, changes }));
  const destroyed: unknown[] = [];
  fake({ ...ready, labStatus: () => lab("hello", { state: "deployed" }), planDestroy: () => plan({ kind: "destroy", things, disks_lost: "8 GiB" }), startDestroy: (args) => (destroyed.push(args), 4), followRun: () => new Promise(() => {}), unfollowRun: () => null });
  open("#/labs/hello");
  fireEvent.click(await screen.findByRole("button", { name: "Destroy…" }));
  const dialog = within(screen.getByRole("dialog", { name: "Destroy hello?" }));
  expect(await dialog.findByText(/2 machines and 8 GiB of disks go, with everything on them. The design stays./)).toBeTruthy();
  fireEvent.click(dialog.getByRole("button", { name: "Destroy 2 machines" }));
  await waitFor(() => expect(destroyed).toEqual([{ lab: "hello", plan: 7 }]));
});
