import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { accessible, open } from "../../testing/render";

test("lines are filtered by what is typed and by lab, and the address says so", async () => {
  await open("/activity", { listLabs: () => [{ name: "shop", state: "deployed", machines: 5, hosts: "local", revision: 7, updated: "2026-11-25T13:18:31Z", description: null, running: 5, last_run: null }] });
  const user = userEvent.setup();
  const lines = async () => within(await screen.findByRole("table", { name: "Activity" })).getAllByRole("row").length - 1;
  await screen.findByText("restore");
  const all = await lines();
  await accessible();
  await user.keyboard("/");
  await user.keyboard("power");
  await waitFor(async () => expect(await lines()).toBe(1));
  expect(window.location.hash).toContain("text=power");
  await user.keyboard("zzz");
  expect(await screen.findByText("No line has “powerzzz”")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Clear the filter" }));
  await waitFor(async () => expect(await lines()).toBe(all));
  await user.selectOptions(screen.getByLabelText("Lab"), "shop");
  await waitFor(async () => expect(await lines()).toBeLessThan(all));
  expect(window.location.hash).toContain("lab=shop");
});

test.each([
  [null, "Nothing was changed or removed"],
  ["line 12 of the audit is not as it was written", "Line 12 of the audit is not as it was written"],
])("verifying finds %j", async (found, said) => {
  await open("/activity", { verifyAudit: () => found });
  await userEvent.click(await screen.findByRole("button", { name: "Verify" }));
  expect(await screen.findByText(said)).toBeTruthy();
});

test("an export says where it went", async () => {
  await open("/activity", { exportAudit: () => "/home/ada/a.csv" });
  await userEvent.click(await screen.findByRole("button", { name: "Export…" }));
  expect(await screen.findByText("Exported to /home/ada/a.csv")).toBeTruthy();
});

test("older lines are asked for when there are more", async () => {
  const limits: number[] = [];
  await open("/activity", {
    audit: ({ limit }) => {
      limits.push(limit);
      return Array.from({ length: Math.min(limit, 700) }, (_, line) => ({ line: line + 1, at: "2026-11-25T13:00:00Z", who: "ada", action: "note", object: "x", detail: "" }));
    },
  });
  await userEvent.click(await screen.findByRole("button", { name: "Show older lines" }));
  expect(await screen.findByText("700 lines")).toBeTruthy();
  expect(limits).toEqual([500, 2000]);
});

test("a lab's own lines", async () => {
  await open("/labs/shop/activity");
  await screen.findByText("reboot web-1, web-2");
  expect(screen.queryByText("restore")).toBeNull();
  await accessible();
});
