import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import type { Image, PullProgress } from "../../bindings";
import { dismissDownload, fetchImage, stopDownload } from "../../lib/downloads";
import type { Answers } from "../../testing/fake";
import { accessible, open as openWindow } from "../../testing/render";
import { images as world } from "../../testing/world/images";
import { addressSlips, nameForUrl } from "./image-form";

const sha = "a".repeat(64);

test.each([
  [{ url: "https://x.example/fw.qcow2", name: "fw", sha256: "" }, {}],
  [{ url: "http://x.example/fw.qcow2", name: "fw", sha256: "" }, { url: "plain" }],
  [{ url: "http://x.example/fw.qcow2", name: "fw", sha256: sha }, {}],
  [{ url: "file:///etc/passwd", name: "fw", sha256: "" }, { url: "url" }],
  [{ url: "https://x.example/fw", name: "debian-12", sha256: "12" }, { name: "taken", sha256: "sha256" }],
  [{ url: "https://x.example/fw", name: "../fw", sha256: "" }, { name: "name" }],
])("slips in %j", (typed, expected) => {
  expect(addressSlips(typed, ["debian-12"])).toEqual(expected);
});

test.each([
  ["https://x.example/a/FW-2.1.qcow2.xz?x=1", "fw-2.1"],
  ["https://x.example/Some%20Image.img", "some-20image"],
  ["https://x.example/", ""],
])("what lies at %s is called %s", (url, name) => {
  expect(nameForUrl(url)).toBe(name);
});

/** With a catalog that is quickly looked through. */
const open = (page: string, answers: Answers = {}) => openWindow(page, { imageCatalog: async () => (await world.imageCatalog!({})).filter(({ name }) => name === "arch" || name === "debian-12"), ...answers });

/** A download whose course the test says. */
function course() {
  const ends: { progress: (progress: PullProgress) => void; done: (image: Image) => void; fail: (error: unknown) => void; args: Record<string, unknown> }[] = [];
  return {
    ends,
    pullImage: ({ onProgress, ...args }: { onProgress: { onmessage: (progress: PullProgress) => void } }) =>
      new Promise<Image>((done, fail) => ends.push({ progress: (progress) => onProgress.onmessage(progress), done, fail, args })),
  };
}
const cancelled = { code: "cancelled", message: "the download was cancelled", hint: null, details: [] };
const image = { name: "arch" } as Image;

afterEach(() => ["arch", "fedora-43", "debian-12"].forEach(dismissDownload));

test("a download goes on when the page changes, is stopped, and goes on where it stopped", async () => {
  const { ends, pullImage } = course();
  const calls = await open("/images", { pullImage, cancelPull: () => true });
  const user = userEvent.setup();
  await user.type(await screen.findByRole("searchbox", { name: "Search the catalog" }), "arch");
  await user.click(await screen.findByRole("button", { name: "Download arch" }));
  act(() => ends[0]!.progress({ step: null, done_mib: 256, total_mib: 512 }));
  // It is in the sidebar, too.
  const page = within(screen.getByRole("main"));
  expect((await page.findByRole("progressbar", { name: "Download of arch" })).getAttribute("aria-valuenow")).toBe("256");
  await accessible();
  await user.keyboard("{Escape}gh");
  await screen.findByText("lab1");
  act(() => ends[0]!.progress({ step: null, done_mib: 300, total_mib: 512 }));
  await user.keyboard("gi");
  expect(await screen.findByText(/^300 of 512 MiB/)).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Stop" }));
  expect(calls).toContain("cancelPull");
  await act(async () => ends[0]!.fail(cancelled));
  expect(await screen.findByText("stopped at 300 of 512 MiB")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Go on" }));
  expect(ends[1]!.args).toEqual({ name: "arch", url: null, sha256: null });
  await act(async () => ends[1]!.done(image));
  await waitFor(() => expect(screen.queryByRole("region", { name: "On their way" })).toBeNull());
  expect(screen.getByText("arch is here")).toBeTruthy();
});

test("one that fails says why and can be tried again; the same is not begun twice", async () => {
  const { ends, pullImage } = course();
  await open("/images", { pullImage, cancelPull: () => true });
  await act(async () => void fetchImage("arch", { kind: "address", url: "https://x.example/arch", sha256: null }));
  await act(async () => void fetchImage("arch", { kind: "catalog" }));
  expect(ends).toHaveLength(1);
  await act(async () => ends[0]!.fail({ code: "failed", message: "the server said 404", hint: "look at the address", details: [] }));
  const downloads = within(await screen.findByRole("region", { name: "On their way" }));
  expect(downloads.getByText("The server said 404")).toBeTruthy();
  await userEvent.click(downloads.getByRole("button", { name: "Try again" }));
  expect(ends[1]!.args).toEqual({ name: "arch", url: "https://x.example/arch", sha256: null });
  await act(async () => void stopDownload("arch"));
  await act(async () => ends[1]!.fail(cancelled));
});

test("the images that are here: where they lie is asked on demand, a damaged one is told, a removal confirmed", async () => {
  const removeImage = vi.fn(() => null);
  const calls = await open("/images", { removeImage });
  const user = userEvent.setup();
  const row = within((await screen.findByRole("button", { name: "fw-appliance" })).closest("tr")!);
  await accessible();
  expect(calls).not.toContain("imagePlaces");
  await user.click(row.getByRole("button", { name: "fw-appliance" }));
  expect(await screen.findByText("/srv/vlm/8f2c1d0b9a3e.qcow2")).toBeTruthy();
  const choose = async (entry: string) => {
    await user.click(row.getByRole("button", { name: "Actions for fw-appliance" }));
    await user.click(await screen.findByRole("menuitem", { name: entry }));
  };
  await choose("Verify fw-appliance");
  expect(await screen.findByText("fw-appliance is not as it was added: its file has another SHA-256")).toBeTruthy();
  await choose("Remove fw-appliance…");
  expect(screen.getByRole("dialog").textContent).toContain("187 MiB");
  await user.click(screen.getByRole("button", { name: "Remove fw-appliance" }));
  expect(removeImage).toHaveBeenCalledWith({ name: "fw-appliance" });
});

test("an address needs what makes it safe", async () => {
  const { ends, pullImage } = course();
  await open("/images", { pullImage });
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "From an address…" }));
  await user.type(screen.getByLabelText("Address"), "http://x.example/arch.img");
  await user.click(screen.getByRole("button", { name: "Download" }));
  expect(screen.getByText(/Over plain http/)).toBeTruthy();
  expect(ends).toHaveLength(0);
  await user.type(screen.getByLabelText("SHA-256"), sha);
  await accessible();
  await user.click(screen.getByRole("button", { name: "Download" }));
  expect(ends[0]!.args).toEqual({ name: "arch", url: "http://x.example/arch.img", sha256: sha });
  await act(async () => ends[0]!.done(image));
});

test("a file of one's own: nothing picked leaves the form, a picked one is added", async () => {
  let picked = false;
  await open("/images", { addImage: ({ name }) => (picked ? { ...image, name, virtual_size: "2 GiB" } : null) });
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Add a file…" }));
  await user.type(screen.getByLabelText("Name in lab files"), "fw-3");
  await user.click(screen.getByRole("button", { name: "Choose a file…" }));
  expect(screen.getByRole("dialog")).toBeTruthy();
  picked = true;
  await user.click(screen.getByRole("button", { name: "Choose a file…" }));
  expect(await screen.findByText("fw-3 is added, a disk of 2 GiB")).toBeTruthy();
});
