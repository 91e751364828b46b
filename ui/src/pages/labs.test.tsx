import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { summaries } from "../testing/world/labs";
import { accessible, open } from "../testing/render";

const names = () => within(screen.getByRole("grid", { name: "Labs" })).getAllByRole("row").slice(1).map((row) => row.querySelector("a")?.textContent);
const active = () => document.getElementById(screen.getByRole("grid").getAttribute("aria-activedescendant") ?? "")?.querySelector("a")?.textContent;

describe("the list of labs", () => {
  test("is walked, filtered and opened by keys", async () => {
    await open("/labs");
    const user = userEvent.setup();
    await screen.findByRole("grid", { name: "Labs" });
    expect(names()).toEqual(["ad-domain", "hello", "k8s", "shop", "soc-training"]);
    await user.keyboard("jjj");
    expect(active()).toBe("k8s");
    await user.keyboard("k");
    expect(active()).toBe("hello");
    await user.keyboard("/lab1");
    expect(names()).toEqual(["shop", "soc-training"]);
    await user.keyboard("{Escape}{Escape}jj{End}");
    expect(active()).toBe("soc-training");
    await user.keyboard("{Enter}");
    expect(window.location.hash).toBe("#/labs/soc-training");
  });

  test("is sorted by its heads, and remembers that", async () => {
    await open("/labs");
    const user = userEvent.setup();
    const machines = await screen.findByRole("button", { name: "Machines" });
    await user.click(machines);
    expect(names()).toEqual(["hello", "ad-domain", "shop", "k8s", "soc-training"]);
    await user.click(machines);
    expect(screen.getByRole("columnheader", { name: "Machines" }).getAttribute("aria-sort")).toBe("descending");
    expect(names()[0]).toBe("soc-training");
    await accessible();
  });

  test("offers by right click what the lab's own page offers", async () => {
    await open("/labs");
    const user = userEvent.setup();
    const grid = await screen.findByRole("grid", { name: "Labs" });
    await user.pointer({ keys: "[MouseRight]", target: within(grid).getByText("shop") });
    const items = (await screen.findAllByRole("menuitem")).map((item) => [item.textContent, item.getAttribute("aria-disabled") === "true"]);
    expect(items).toContainEqual(["Destroy…", false]);
    expect(items).toContainEqual(["Start machines that are off", true]);
    await user.click(screen.getByRole("menuitem", { name: "Shut down…" }));
    expect((await screen.findByRole("dialog", { name: "Shut shop down?" })).textContent).toContain("Shut down 5 machines");
  });

  test("where there is none, says what one is and how to come by one", async () => {
    const calls = await open("/labs", { listLabs: () => [], importLab: () => null });
    expect(await screen.findByRole("heading", { name: /A lab is machines on networks/ })).toBeTruthy();
    await userEvent.click(screen.getByRole("button", { name: "Import a lab.yaml" }));
    expect(calls).toContain("importLab");
    await accessible();
  });

  test("200 labs are drawn where they are in sight", async () => {
    await open("/labs", { listLabs: () => Array.from({ length: 200 }, (_, n) => ({ ...summaries[0]!, name: `lab-${n}` })) });
    const grid = await screen.findByRole("grid", { name: "Labs" });
    expect([grid.getAttribute("aria-rowcount"), names().length < 60]).toEqual(["201", true]);
    expect(names().slice(0, 3)).toEqual(["lab-0", "lab-1", "lab-2"]);
  });
});
