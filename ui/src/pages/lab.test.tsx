import { emit } from "@tauri-apps/api/event";
import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { lab, machine } from "../testing/fake";
import { accessible, open } from "../testing/render";

const grid = () => screen.findByRole("grid", { name: "Machines of shop" });
const chosen = async () => within(await grid()).queryAllByRole("row", { selected: true }).map((row) => row.querySelector("a")?.textContent);

describe("a lab", () => {
  test("its machines are chosen by keys, and switched together", async () => {
    const asked: { machines: string[]; action: string }[] = [];
    await open("/labs/shop", {
      powerMachines: (args) => {
        asked.push(args);
        return args.machines.map((name: string) => ({ machine: name, error: null }));
      },
    });
    const user = userEvent.setup();
    (await grid()).focus();
    await user.keyboard("{ArrowDown} {Shift>}{ArrowDown}{ArrowDown}{/Shift}");
    expect(await chosen()).toEqual(["cache", "web-1", "web-2"]);
    expect(screen.getByText("3 chosen")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Reboot" }));
    expect(asked).toMatchObject([{ machines: ["cache", "web-1", "web-2"], action: "reboot" }]);
    await user.click(screen.getByRole("button", { name: "Force off…" }));
    const dialog = await screen.findByRole("dialog", { name: "Force 3 machines off?" });
    expect(document.activeElement?.textContent).toBe("Leave it on");
    await user.click(within(dialog).getByRole("button", { name: "Force off 3 machines" }));
    expect(asked.at(-1)).toMatchObject({ action: "force_off", machines: ["cache", "web-1", "web-2"] });
    await accessible();
  });

  test("what is chosen in the topology is chosen in the table, and the other way round", async () => {
    await open("/labs/shop");
    await grid();
    const drawn = async (id: string) => (await screen.findByRole("region", { name: "Topology" })).querySelector(`[data-id="${id}"]`)!;
    await waitFor(async () => expect(await drawn("m web")).toBeTruthy());
    const selected = () => [...document.querySelectorAll(".react-flow__node.selected")].map((node) => node.getAttribute("data-id"));
    fireEvent.click(await drawn("m db"));
    await waitFor(async () => expect(await chosen()).toEqual(["db"]));
    expect(selected()).toEqual(["m db"]);
    // One with replicas stands for them all.
    fireEvent.click(await drawn("m web"));
    await waitFor(async () => expect(await chosen()).toEqual(["web-1", "web-2"]));
    fireEvent.click(await drawn("n lan"));
    await waitFor(async () => expect(await chosen()).toEqual([]));
    expect(selected()).toEqual(["n lan"]);
    const user = userEvent.setup();
    await user.click(within(await grid()).getByRole("checkbox", { name: "Choose web-2" }));
    await user.click(within(await grid()).getByRole("checkbox", { name: "Choose cache" }));
    expect(selected().sort()).toEqual(["m cache", "m web", "n lan"]);
    await accessible();
  });

  test("says of each machine that did not do it why", async () => {
    await open("/labs/shop", { powerMachines: ({ machines }) => machines.map((name: string) => ({ machine: name, error: name === "db" ? "its guest does not answer" : null })) });
    const user = userEvent.setup();
    (await grid()).focus();
    await user.keyboard("{Control>}a{/Control}");
    await user.click(screen.getByRole("button", { name: "Shut down" }));
    expect((await screen.findByRole("alert")).textContent).toContain("1 machine did not do itdb: its guest does not answer");
  });

  test("filters and sorts by addresses as numbers", async () => {
    await open("/labs/shop", { labStatus: () => lab("shop", { state: "deployed", machines: ["10.0.0.10", "10.0.0.9", "10.0.1.1"].map((address, n) => machine(`m${n}`, { address, state: "running" })) }) });
    const user = userEvent.setup();
    const names = async () => within(await grid()).getAllByRole("row").slice(1).map((row) => row.querySelector("a")?.textContent);
    await grid();
    await user.click(screen.getByRole("button", { name: "Address" }));
    expect(await names()).toEqual(["m1", "m0", "m2"]);
    await user.keyboard("/");
    await user.keyboard("10.0.0");
    expect(await names()).toEqual(["m1", "m0"]);
  });

  test("copies a port as one pastes it, and says which are open", async () => {
    await open("/labs/shop");
    expect(await screen.findByRole("button", { name: "Copy http://localhost:8080" })).toBeTruthy();
    expect((await screen.findByRole("button", { name: "Copy localhost:5432" })).closest("li")?.textContent).toBe("localhost:5432db:5432closed");
  });

  test("a thousand machines are drawn where they are in sight", async () => {
    await open("/labs/shop", { labStatus: () => lab("shop", { machines: Array.from({ length: 1_000 }, (_, n) => machine(`node-${n}`)) }) });
    expect(within(await grid()).getAllByRole("row").length).toBeLessThan(80);
  });

  test.each([
    ["designed", {}, ["Plan 2 machines"]],
    ["deployed, some off", { state: "deployed", machines: [machine("web", { state: "running" }), machine("db", { state: "shut_off" })] }, ["Shut down…", "Start 1 machine", "Plan changes"]],
    ["with a run at work", { state: "changing", last_run: { lab: "shop", id: 9, kind: "start", status: "running", sentence: "", started: "2026-11-25T13:00:00Z", ended: null, revision: 1 } }, ["Watch start 9"]],
    ["with a deploy left undone", { state: "incomplete", last_run: { lab: "shop", id: 9, kind: "deploy", status: "failed", sentence: "", started: "2026-11-25T13:00:00Z", ended: null, revision: 1 } }, ["Plan changes", "Resume deploy 9"]],
  ] as const)("%s, offers what is next", async (_, state, buttons) => {
    await open("/labs/shop", { labStatus: () => lab("shop", state as object) });
    await screen.findByRole("button", { name: buttons[0] });
    const header = screen.getByRole("banner");
    expect(within(header).getAllByRole("button").map((button) => button.textContent || button.getAttribute("aria-label"))).toEqual([...buttons, "Actions for shop"]);
  });

  test("one whose file cannot be read any more shows its problems, and nothing of before", async () => {
    let broken = false;
    const message = "unknown field `memry`, did you mean `memory`?";
    await open("/labs/shop", {
      labStatus: () => {
        if (broken) throw { code: "problems", message: "the lab file cannot be read", hint: null, details: [] };
        return lab("shop");
      },
      checkLab: () => [{ severity: "error", path: "defaults", place: { line: 3, column: 26 }, message }],
    });
    await grid();
    broken = true;
    await act(() => emit("stale", "labs"));
    expect(await screen.findByText(`lab.yaml:3:26: ${message}`)).toBeTruthy();
    expect(screen.queryByRole("grid")).toBeNull();
    expect(within(screen.getByRole("banner")).queryByRole("button", { name: /^Plan/ })).toBeNull();
    await accessible();
  });

  test("one that is not there says so", async () => {
    await open("/labs/nowhere");
    expect((await screen.findByRole("status", { name: "" }).catch(() => screen.findByText(/There is no lab nowhere/))).textContent).toBeTruthy();
    expect(screen.getByText("There is no lab nowhere")).toBeTruthy();
    await accessible();
  });
});
