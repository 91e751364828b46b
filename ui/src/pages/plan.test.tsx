import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { plan } from "../testing/fake";
import { accessible, open } from "../testing/render";

describe("the plan of a lab", () => {
  test("marks what becomes of each thing, and what it costs", async () => {
    await open("/labs/shop/plan");
    const tree = await screen.findByRole("tree", { name: "Plan of shop" });
    const said = within(tree).getAllByRole("treeitem").map((item) => item.textContent);
    expect(said).toEqual([
      "~lanis changed in place (dns)live",
      "+monitoringis created (host `local`)",
      "~cachegets 2 GiB of memory instead of 1 GiB: it is switched off and on · is powered onpower cycle",
      "!dbis made anew from debian-13: its disks `system` (20 GiB) and `data` (10 GiB) are lost · is powered on, is waited for, then configureddata loss",
      "~lbhas 2 vCPUs instead of 1 from its next boot onat next boot",
      "+metricsis created (host `lab1`) · is powered on, is waited for, then configured",
      "−web-3is taken away, with its disk (8 GiB)data loss",
    ]);
    expect(screen.getByRole("meter", { name: "Memory needed of what lab1 has free" })).toHaveProperty("ariaValueNow", "2048");
    await userEvent.click(screen.getByRole("button", { name: "Expand all" }));
    expect(within(tree).getByText('libvirt_volume.disk["db/data"] (pool)', { normalizer: (text) => text.replace(/\s+/g, " ") })).toBeTruthy();
    await accessible();
  });

  test("losing data wants the lab's name", async () => {
    const calls = await open("/labs/shop/plan");
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: "Deploy 5 machines" }));
    const dialog = await screen.findByRole("dialog", { name: "Deploy shop, and lose data?" });
    const go = within(dialog).getByRole("button", { name: "Deploy, and lose the data" });
    const name = within(dialog).getByLabelText("Type shop to confirm");
    await accessible();
    await user.type(name, "sho{Enter}");
    expect([calls.includes("startDeploy"), (go as HTMLButtonElement).disabled]).toEqual([false, true]);
    await user.type(name, "p{Enter}");
    expect(calls).toContain("startDeploy");
    expect(window.location.hash).toBe("#/labs/shop/runs/12");
    // What was begun is not given back.
    expect(calls).not.toContain("discardPlan");
  });

  test("one that loses nothing is begun at once; one that is left is given back", async () => {
    const calls = await open("/labs/hello/plan");
    const user = userEvent.setup();
    await screen.findByRole("button", { name: "Deploy 1 machine" });
    await user.keyboard("gl");
    await screen.findByRole("grid", { name: "Labs" });
    expect(calls).toContain("discardPlan");
    await user.click(within(screen.getByRole("grid", { name: "Labs" })).getByRole("link", { name: "hello" }));
    await screen.findByRole("navigation", { name: "Parts of hello" });
    await user.keyboard("3");
    await user.click(await screen.findByRole("button", { name: "Deploy 1 machine" }));
    expect(calls.filter((call) => call === "startDeploy")).toHaveLength(1);
  });

  test("destroying names the loss, and wants the lab's name too", async () => {
    const calls = await open("/labs/shop/plan?what=destroy");
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: "Destroy 5 machines" }));
    const dialog = await screen.findByRole("dialog", { name: "Destroy shop?" });
    expect(dialog.textContent).toContain("5 machines and 46 GiB of disks go, with everything on them. The design stays.");
    await user.type(within(dialog).getByLabelText("Type shop to confirm"), "shop{Enter}");
    expect(calls).toContain("startDestroy");
  });

  test("images that are missing are downloaded here, then it is planned", async () => {
    let here = false;
    await open("/labs/k8s/plan", {
      startPlan: () => {
        if (here) return plan({ lab: "k8s" });
        throw { code: "images_to_pull", message: "", hint: null, details: ["debian-13"] };
      },
      pullImage: ({ name, onProgress }) => {
        onProgress.onmessage({ step: null, done_mib: 100, total_mib: 400 });
        here = true;
        return { name, digest: "", source: "", virtual_size: "", file_mib: 400, added: "", used_by: [] };
      },
    });
    await userEvent.click(await screen.findByRole("button", { name: "Download debian-13" }));
    expect(await screen.findByRole("button", { name: "Deploy 2 machines" })).toBeTruthy();
  });

  test("a plan that could not be made says why, and what to do", async () => {
    await open("/labs/shop/plan", {
      startPlan: () => {
        throw { code: "failed", message: "could not reach host `lab1`", hint: "is it on?", details: [] };
      },
    });
    const card = await screen.findByRole("alert");
    expect(card.textContent).toContain("Could not plan shopCould not reach host `lab1`Is it on?");
    await accessible();
  });

  test("machines that are nowhere yet are spread over the hosts that are chosen", async () => {
    const asked: string[][] = [];
    const host = (name: string) => ({ name, address: null, user: null, port: null, is_local: name === "local", labs: [] });
    await open("/labs/hello/plan", { listHosts: () => [host("local"), host("lab1")], startPlan: ({ hosts }) => (asked.push(hosts), plan()) });
    const user = userEvent.setup();
    await user.click(await screen.findByRole("checkbox", { name: "lab1" }));
    await user.click(screen.getByRole("checkbox", { name: "local" }));
    await user.click(screen.getByRole("button", { name: "Plan on these" }));
    await screen.findByRole("tree");
    expect(asked).toEqual([[], ["local", "lab1"]]);
  });
});
