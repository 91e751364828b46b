import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { addSamples, NO_SAMPLES } from "../features/machines/samples";
import { accessible, open } from "../testing/render";
import { samples } from "../testing/world/machines";

describe("a machine", () => {
  test.each(["overview", "hardware", "disks", "network", "config", "log", "xml"])("its %s", async (tab) => {
    await open(`/labs/shop/machines/db?tab=${tab}`);
    const words = {
      overview: "of 2 vCPUs",
      hardware: /PostgreSQL 15 with/,
      disks: "/var/lib/libvirt/images/vlm/vlm-shop-db-data.qcow2",
      network: "vnet3",
      config: "#cloud-config",
      log: /Debian GNU\/Linux 12 db/,
      xml: /<name>vlm-shop-db/,
    }[tab];
    expect(await screen.findByText(words!, {}, { timeout: 3_000 })).toBeTruthy();
    await accessible();
  });

  test("keys go to the next machine and stay at its part; its state says what can be done", async () => {
    await open("/labs/shop/machines/web-1?tab=disks");
    const user = userEvent.setup();
    await screen.findByRole("table", { name: "Disks of web-1" });
    await user.keyboard("]");
    expect(window.location.hash).toBe("#/labs/shop/machines/web-2?tab=disks");
    await user.keyboard("[[[[");
    expect(window.location.hash).toBe("#/labs/shop/machines/cache?tab=disks");
    await user.click(screen.getByRole("button", { name: "Actions for cache" }));
    const items = await screen.findAllByRole("menuitem");
    expect(items.filter((item) => item.getAttribute("aria-disabled") !== "true").map((item) => item.textContent)).toEqual(["Copy ssh command", "Copy address", "Shut down", "Reboot", "Pause", "Reset…", "Force off…"]);
  });

  test("one that is off has no screen and no load, and can be started", async () => {
    const calls = await open("/labs/ad-domain/machines/dc-1");
    expect(await screen.findByText("It is off.")).toBeTruthy();
    await userEvent.click(within(screen.getByRole("banner")).getByRole("button", { name: "Start" }));
    expect([calls.includes("powerMachines"), calls.includes("machineScreenshot")]).toEqual([true, false]);
  });

  test("its load is that of the last ten minutes, each moment once", () => {
    const now = 1_764_079_200_000;
    const first = addSamples(NO_SAMPLES, samples("shop", now), "db");
    expect([first.at.length, first.at.at(-1)]).toEqual([300, now / 1_000]);
    expect(addSamples(first, samples("shop", now), "db")).toBe(first);
    const later = addSamples(first, samples("shop", now + 60_000), "db");
    expect([later.at.length, later.at[0], later.cpu.length]).toEqual([301, now / 1_000 - 540, 301]);
  });
});
