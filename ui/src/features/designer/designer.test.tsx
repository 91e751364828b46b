import { emit } from "@tauri-apps/api/event";
import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import type { Phase, RunEvent } from "../../bindings";
import { lab, machine } from "../../testing/fake";
import { accessible, open } from "../../testing/render";
import { designs } from "../../testing/world/designs";
import { draft } from "./draft";

const text = `version: 1
name: hello
defaults: { image: debian-12 }
networks:
  lan: { cidr: 10.77.1.0/24 }   # users
machines:
  web: {}
`;

type Saved = { text: string; lab: string | null; expected: number | null };

/** The design page of the lab above, and what it saves. */
async function design(more: Parameters<typeof open>[1] = {}) {
  const saved: Saved[] = [];
  await open("/labs/hello/design", {
    readLab: () => ({ name: "hello", revision: 4, text, dir: "/labs/hello", layout: null }),
    labStatus: () => lab("hello"),
    saveLab: (args: Saved) => {
      saved.push(args);
      return { name: "hello", revision: 5, problems: [] };
    },
    ...more,
  });
  await screen.findByRole("toolbar", { name: "Designer" });
  const user = userEvent.setup();
  const save = async () => {
    await user.keyboard("{Control>}s{/Control}");
    await waitFor(() => expect(saved.length).toBeGreaterThan(0));
    return saved.at(-1)!;
  };
  return { user, saved, save };
}

const inspector = () => within(screen.getByRole("complementary", { name: "Inspector" }));

// Whole windows on a busy machine.
vi.setConfig({ testTimeout: 30_000 });
beforeEach(() => vi.spyOn(console, "error").mockImplementation(() => {}));

test("a lab is drawn by keys: a machine, a network, a link, and saved over the revision it was read from", async () => {
  const { user, save } = await design();
  await user.keyboard("nw");
  await user.keyboard("{Control>}a{/Control}l");
  await user.type(await screen.findByPlaceholderText("Link the selected machines to a network"), "lan-2{Enter}");
  await accessible();
  expect(await save()).toMatchObject({
    lab: "hello",
    expected: 4,
    text: `version: 1
name: hello
defaults: { image: debian-12 }
networks:
  lan: { cidr: 10.77.1.0/24 }   # users
  lan-2: { cidr: 10.77.2.0/24 }
machines:
  web:
    nics: [ lan, lan-2 ]
  machine:
    nics: [ lan, lan-2 ]
`,
  });
});

test("fields edit the text, and undo takes it back, typing at once", async () => {
  const { user, save, saved } = await design();
  await user.keyboard("n");
  await waitFor(() => expect(inspector().getByRole("heading", { name: "machine" })).toBeTruthy());
  await user.clear(inspector().getByLabelText("Name"));
  await user.type(inspector().getByLabelText("Name"), "db{Enter}");
  await waitFor(() => expect(inspector().getByRole("heading", { name: "db" })).toBeTruthy());
  await user.keyboard("{Control>}d{/Control}");
  await waitFor(() => expect(inspector().getByRole("heading", { name: "db-2" })).toBeTruthy());
  await user.type(inspector().getByLabelText("Memory"), "1 GiB{Enter}");
  expect((await save()).text).toContain("  db: {}\n  db-2:\n    memory: 1 GiB\n");
  await user.keyboard("{Control>}z{/Control}");
  await user.keyboard("{Control>}s{/Control}");
  await waitFor(() => expect(saved.at(-1)?.text).toContain("  db: {}\n  db-2: {}\n"));
});

test("an error stands at its field, in the list, and in the count", async () => {
  const { user } = await design();
  await user.keyboard("n");
  await waitFor(() => expect(inspector().getByRole("heading", { name: "machine" })).toBeTruthy());
  await user.type(inspector().getByLabelText("Memory"), "lots");
  await waitFor(() => expect(inspector().getByLabelText("Memory").getAttribute("aria-invalid")).toBe("true"));
  await user.click(await screen.findByRole("button", { name: "1 problem" }));
  expect(screen.getByRole("list", { name: "1 problem" }).textContent).toContain("which is no size");
});

test("while lab.yaml does not parse, the page says so and the canvas stays", async () => {
  await design({ readLab: () => ({ name: "hello", revision: 4, text: "version: 1\nmachines: [ a\nb: c", dir: "/", layout: null }) });
  expect((await screen.findByRole("alert")).textContent).toContain("lab.yaml does not parse");
  expect(await screen.findByRole("button", { name: "1 problem" })).toBeTruthy();
});

test("what somebody else saved is not overwritten unasked", async () => {
  const saved: Saved[] = [];
  const { user } = await design({
    saveLab: (args: Saved) => {
      saved.push(args);
      if (args.expected !== null) throw { code: "conflict", message: "the lab was saved meanwhile", hint: null, details: [] };
      return { name: "hello", revision: 6, problems: [] };
    },
  });
  await user.keyboard("n{Control>}s{/Control}");
  const dialog = within(await screen.findByRole("dialog"));
  await accessible();
  await user.click(dialog.getByRole("button", { name: "Save over it" }));
  await waitFor(() => expect(saved.map(({ expected }) => expected)).toEqual([4, null]));
  await waitFor(() => expect(screen.queryByText("unsaved")).toBeNull());
});

test("what somebody else saved is shown where nothing of ours is lost", async () => {
  let document = { name: "hello", revision: 4, text, dir: "/labs/hello", layout: null };
  const { save, user } = await design({ readLab: () => document });
  document = { ...document, revision: 9, text: text.replace("web", "front") };
  await act(() => emit("stale", "labs"));
  await waitFor(() => expect(screen.getByRole("textbox", { name: "lab.yaml" }).textContent).toContain("front: {}"));
  expect(screen.queryByText("unsaved")).toBeNull();
  await user.keyboard("n");
  expect(await save()).toMatchObject({ expected: 9 });
});

test("what is unsaved outlives the page", async () => {
  const { user } = await design();
  await user.keyboard("n");
  expect(await screen.findByText("unsaved")).toBeTruthy();
  await user.keyboard("gh");
  await waitFor(() => expect(window.location.hash).toBe("#/hosts"));
  await waitFor(() => expect(draft("lab hello")?.text ?? "").toContain("  machine: {}"));
  window.location.hash = "/labs/hello/design";
  expect(await screen.findByText("unsaved")).toBeTruthy();
});

test("a template is begun under a name that is free", async () => {
  const template = { id: "hi", title: "Hi <b>", description: "Two", machines: 1, networks: 1, text: `# Title: Hi\n${text}`, own: true };
  const saved: Saved[] = [];
  await open("/new", {
    listTemplates: () => [template],
    listLabs: () => [{ name: "hello", state: "designed", machines: 1, hosts: "local", revision: 1, updated: "2026-11-25T13:00:00Z", description: null, running: 0, last_run: null }],
    saveLab: (args: Saved) => {
      saved.push(args);
      return { name: "hello-2", revision: 1, problems: [] };
    },
    readLab: designs.readLab!,
  });
  const user = userEvent.setup();
  await accessible();
  await user.click(await screen.findByRole("link", { name: "Use Hi <b>" }));
  await user.click(await screen.findByRole("button", { name: "Create the lab" }));
  await waitFor(() => expect(window.location.hash).toBe("#/labs/hello-2/design"));
  expect(saved).toEqual([expect.objectContaining({ lab: null, expected: null, text: text.replace("name: hello", "name: hello-2") })]);
});

test("copied machines are YAML on the clipboard", async () => {
  const { user, save } = await design();
  await user.keyboard("{Control>}a{/Control}{Control>}c{/Control}");
  expect(await navigator.clipboard.readText()).toBe("networks:\n  lan: { cidr: 10.77.1.0/24 }   # users\nmachines:\n  web: {}\n");
  await user.keyboard("{Control>}d{/Control}");
  expect((await save()).text).toContain("  web: {}\n  web-2: {}\n");
});

test("live states are words, too", async () => {
  const { states } = await import("./topology");
  const status = lab("hello", { state: "deployed", machines: [machine("web-1", { spec: "web", state: "running" }), machine("web-2", { spec: "web", state: "crashed" }), machine("db", { state: "shut_off" })] });
  expect([...states(status)!]).toEqual([
    ["web", { tone: "failed", word: "crashed" }],
    ["db", { tone: "stopped", word: "shut off" }],
  ]);
  expect(states({ ...status, state: "designed" })).toBeNull();
  // While they come up, replicas are as far as the last of them.
  const { advance, begin } = await import("../runs/progress");
  const phase = (seq: number, machine: string, phase: Phase): RunEvent => ({ run: 1, seq, at_ms: seq, machine, body: { kind: "phase", phase, address: null } });
  const run = advance(begin(), [phase(1, "web-1", "ssh"), phase(2, "web-2", "booting"), phase(3, "db", "configured")]);
  expect([...states(status, run.machines)!].map(([name, { reached }]) => [name, reached])).toEqual([
    ["web", 2],
    ["db", 6],
  ]);
});
