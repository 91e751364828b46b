import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import type { AppSettings } from "../../bindings";
import { newClient } from "../../lib/queries";
import { fake } from "../../testing/fake";
import { accessible, open } from "../../testing/render";
import { useIdleLock } from "./idle-lock";
import { formOf, labSlips, withForm } from "./settings-form";

const stored: AppSettings = { terraform: null, ansible_playbook: null, pool: null, pool_path: "/srv/vlm", starts_at_once: 4, ready_limit_s: null, log: null, path: "/home/ada/.config/vlm/settings.toml" };

test("settings survive the form", () => {
  expect(withForm(stored, formOf(stored))).toEqual(stored);
  expect(withForm(stored, { pool: " fast ", pool_path: "", starts_at_once: "2", ready_limit_s: "900", log: "debug" })).toEqual({ ...stored, pool: "fast", pool_path: null, starts_at_once: 2, ready_limit_s: 900, log: "debug" });
  expect(labSlips({ pool: "a b", pool_path: "srv", starts_at_once: "0", ready_limit_s: "1.5", log: "" })).toEqual({ pool: "pool", pool_path: "path", starts_at_once: "count", ready_limit_s: "seconds" });
});

test.each(["general", "tools", "labs", "backups", "lock", "about"])("the part %s", async (part) => {
  await open(`/settings?part=${part}`);
  await waitFor(() => expect(screen.queryByRole("status", { name: /Loading/ })).toBeNull());
  await accessible();
});

test("what is typed is saved when that is wished, and only then", async () => {
  let there = stored;
  const saveSettings = vi.fn(({ settings }: { settings: AppSettings }) => {
    there = settings;
    return null;
  });
  await open("/settings?part=labs", { readSettings: () => there, saveSettings });
  const user = userEvent.setup();
  const field = await screen.findByLabelText<HTMLInputElement>("Machines that come up at once");
  const save = screen.getByRole<HTMLButtonElement>("button", { name: "Save" });
  expect(save.disabled).toBe(true);
  await user.clear(field);
  await user.type(field, "x");
  await user.click(save);
  expect(screen.getByText("A whole number from 1")).toBeTruthy();
  expect(saveSettings).not.toHaveBeenCalled();
  await user.clear(field);
  await user.type(field, "8");
  await user.click(save);
  expect(await screen.findByText("Saved")).toBeTruthy();
  expect(saveSettings).toHaveBeenCalledWith({ settings: { ...stored, starts_at_once: 8 } });
});

test("a program is picked by a dialog of the system, and saved", async () => {
  const saveSettings = vi.fn(() => null);
  await open("/settings?part=tools", { readSettings: () => stored, saveSettings, pickFile: () => "/opt/terraform" });
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Choose a file… Terraform or OpenTofu" }));
  expect(await screen.findByText("/opt/terraform")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Save" }));
  expect(saveSettings).toHaveBeenCalledWith({ settings: { ...stored, terraform: "/opt/terraform" } });
});

test("the language changes at once", async () => {
  await open("/settings");
  const user = userEvent.setup();
  await user.click(await screen.findByRole("radio", { name: "Français" }));
  expect(await screen.findByRole("heading", { name: "Paramètres" })).toBeTruthy();
  expect(document.documentElement.lang).toBe("fr");
  await user.click(screen.getByRole("radio", { name: "English" }));
  expect(await screen.findByRole("heading", { name: "Settings" })).toBeTruthy();
});

test("a restore says what is lost, and that the application is to be started again", async () => {
  const restoreBackup = vi.fn(() => "/data/before.sqlite3");
  await open("/settings?part=backups", { restoreBackup });
  const user = userEvent.setup();
  await user.click((await screen.findAllByRole("button", { name: /^Restore the copy of/ }))[1]!);
  expect(screen.getByRole("dialog").textContent).toContain("is lost from the record");
  expect(document.activeElement?.textContent).toBe("Keep the present one");
  await user.click(screen.getByRole("button", { name: "Restore and lose what came since" }));
  expect(restoreBackup).toHaveBeenCalledWith({ path: expect.stringContaining("manual") });
  expect(await screen.findByText("What was there before is kept at /data/before.sqlite3.")).toBeTruthy();
  expect(screen.getByRole("button", { name: "Quit now" })).toBeTruthy();
});

test("a passphrase is set, kept while the time changes, and taken away", async () => {
  const lock = { set: false, locked: false, idle_minutes: null as number | null };
  const setLock = vi.fn(({ passphrase, idleMinutes }: { passphrase: string | null; idleMinutes: number | null }) => {
    Object.assign(lock, { set: passphrase !== null, idle_minutes: idleMinutes });
    return null;
  });
  await open("/settings?part=lock", { lockState: () => ({ ...lock }), setLock });
  const user = userEvent.setup();
  await user.type(await screen.findByLabelText("New passphrase"), "a long one");
  await user.type(screen.getByLabelText("New passphrase once more"), "another one");
  await user.click(screen.getByRole("button", { name: "Set the passphrase" }));
  expect(screen.getByText("The two are not the same")).toBeTruthy();
  expect(setLock).not.toHaveBeenCalled();
  await user.clear(screen.getByLabelText("New passphrase once more"));
  await user.type(screen.getByLabelText("New passphrase once more"), "a long one");
  await user.click(screen.getByRole("button", { name: "Set the passphrase" }));
  expect(setLock).toHaveBeenLastCalledWith({ current: null, passphrase: "a long one", idleMinutes: 15 });
  await user.type(await screen.findByLabelText("Present passphrase"), "a long one");
  await user.selectOptions(screen.getByLabelText("Lock after"), "5");
  await user.click(screen.getByRole("button", { name: "Change the lock" }));
  expect(setLock).toHaveBeenLastCalledWith({ current: "a long one", passphrase: "a long one", idleMinutes: 5 });
  await waitFor(() => expect(screen.getByLabelText<HTMLInputElement>("Present passphrase").value).toBe(""));
  await user.type(screen.getByLabelText("Present passphrase"), "a long one");
  await user.click(screen.getByRole("button", { name: "Take the lock away…" }));
  await user.click(screen.getByRole("button", { name: "Take it away" }));
  expect(setLock).toHaveBeenLastCalledWith({ current: "a long one", passphrase: null, idleMinutes: null });
});

function Idle() {
  useIdleLock();
  return null;
}

afterEach(() => vi.useRealTimers());

test("the window locks when nobody touches it, and not while somebody does", async () => {
  vi.useFakeTimers();
  const lockNow = vi.fn(() => null);
  fake({ lockState: () => ({ set: true, locked: false, idle_minutes: 10 }), lockNow });
  render(
    <QueryClientProvider client={newClient()}>
      <Idle />
    </QueryClientProvider>,
  );
  const pass = (minutes: number) => act(() => vi.advanceTimersByTimeAsync(minutes * 60_000));
  await pass(9);
  fireEvent.keyDown(window, { key: "x" });
  await pass(9);
  expect(lockNow).not.toHaveBeenCalled();
  await pass(1.1);
  expect(lockNow).toHaveBeenCalled();
});

test("who wakes the computer up has been away", async () => {
  vi.useFakeTimers();
  const lockNow = vi.fn(() => null);
  fake({ lockState: () => ({ set: true, locked: false, idle_minutes: 10 }), lockNow });
  render(
    <QueryClientProvider client={newClient()}>
      <Idle />
    </QueryClientProvider>,
  );
  await act(() => vi.advanceTimersByTimeAsync(0));
  vi.setSystemTime(Date.now() + 3_600_000);
  fireEvent.pointerMove(window);
  expect(lockNow).toHaveBeenCalledTimes(1);
});
