import { act, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { Channel } from "@tauri-apps/api/core";
import { describe, expect, test, vi } from "vitest";
import type { RunEvent } from "../bindings";
import { eventsOf } from "../testing/world/runs";
import { accessible, open } from "../testing/render";

const log = () => screen.getByRole("log", { name: "Log" });
const bars = (machine: string) => {
  const row = screen.getByRole("button", { name: machine }).parentElement!;
  return within(row).getAllByRole("button").flatMap((bar) => bar.getAttribute("aria-label") ?? []);
};
/** Lets what came be drawn. */
const frame = () => act(() => new Promise((resolve) => setTimeout(resolve, 200)));

describe("a run", () => {
  test("that is done: a bar for each phase, and what was said", async () => {
    await open("/labs/shop/runs/12");
    await screen.findByRole("button", { name: "web-1" });
    expect(bars("web-1")).toEqual(["Address: 8.0 s, done", "SSH: 4.0 s, done", "cloud-init: 11 s, done", "Configured: 14 s, done"]);
    expect(log().textContent).toContain("publishing ports 8080, 8404 and 5432");
    expect(screen.getByText("5 machines ready after 142 s")).toBeTruthy();
    await accessible();
  });

  test("that failed opens the card of what failed, with evidence and remedy; a click shows its log", async () => {
    await open("/labs/shop/runs/11");
    const cards = await screen.findAllByRole("alert");
    expect(cards.map((card) => within(card).getByRole("heading").textContent)).toEqual(["web-2 failed", "lb failed"]);
    expect(cards[0]?.textContent).toContain("Kernel panic");
    expect(cards[0]?.textContent).toContain("verify it on the page of images");
    const user = userEvent.setup();
    await user.click(within(screen.getByRole("button", { name: "web-2" }).parentElement!).getByRole("button", { name: /^Address: .* failed$/ }));
    const lines = [...log().querySelectorAll(".absolute")].map((line) => line.textContent);
    expect(lines).toHaveLength(4);
    expect(lines.at(-1)).toContain("failed: web-2 is not ready");
    await user.click(screen.getByRole("button", { name: /web-2 · Address/ }));
    expect(log().querySelectorAll(".absolute").length).toBeGreaterThan(4);
    await accessible();
  });

  test("at work: says what keeps a machine, ticks, goes on with what comes, and can be cancelled", async () => {
    let channel: Channel<RunEvent[]> | null = null;
    const calls = await open("/labs/k8s/runs/13", {
      followRun: ({ onEvents }) => {
        channel = onEvents;
        onEvents.onmessage(eventsOf(13));
        return new Promise<null>(() => {});
      },
    });
    await screen.findByText("1 machine makes no progress");
    expect(screen.getByText("Bringing machines up: 2 of 6 ready")).toBeTruthy();
    expect(bars("control-3").at(-1)).toMatch(/^cloud-init: .* stuck$/);
    const last = eventsOf(13).at(-1)!;
    act(() => channel?.onmessage([{ run: 13, seq: last.seq + 1, at_ms: last.at_ms + 1_000, machine: "control-3", body: { kind: "phase", phase: "configured", address: "10.96.0.12" } }]));
    await frame();
    expect(screen.getByText("Bringing machines up: 3 of 6 ready")).toBeTruthy();
    expect(screen.queryByText("1 machine makes no progress")).toBeNull();
    await userEvent.click(screen.getByRole("button", { name: "Cancel deploy" }));
    expect(calls).toContain("cancelRun");
    expect(await screen.findByText("Cancelling: what is under way is waited for.")).toBeTruthy();
    await accessible();
  });

  test("one that was cut off can be resumed", async () => {
    const cutOff = { lab: "shop", id: 12, kind: "deploy", status: "cut_off", sentence: "its process was gone", started: "2026-11-25T09:04:10Z", ended: null, revision: 7 } as const;
    await open("/labs/shop/runs/12", { listRuns: () => [cutOff], followRun: ({ onEvents }) => (onEvents.onmessage(eventsOf(12).slice(0, 40)), null) });
    await userEvent.click(await screen.findByRole("button", { name: "Resume deploy" }));
    expect(window.location.hash).toBe("#/labs/shop/plan?what=resume");
  });

  test("its log is filtered, found in, and copied from", async () => {
    await open("/labs/shop/runs/12");
    const user = userEvent.setup();
    await screen.findByRole("button", { name: "web-1" });
    const lines = () => [...log().querySelectorAll(".absolute")].map((line) => line.textContent ?? "");
    await user.keyboard("/");
    await user.paste("/configured \\(10.77.1.1\\d/");
    expect(lines().map((line) => line.slice(0, 12))).toEqual(["2:05.8web-1r", "2:07.8web-2r", "2:21.8lbrunC"]);
    await user.keyboard("{Control>}f{/Control}");
    await user.keyboard("web{Enter}");
    expect(screen.getByRole("search").textContent).toContain("no match");
    await user.clear(screen.getByLabelText("Find"));
    await user.keyboard("1.12{Enter}");
    expect(screen.getByRole("search").textContent).toContain("1 of 1");
    expect(log().querySelector("mark")?.textContent).toBe("1.12");
    const wrote = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
    await user.click(screen.getByRole("button", { name: "Copy what is shown" }));
    expect(wrote.mock.calls[0]?.[0].split("\n")).toHaveLength(3);
    wrote.mockRestore();
  });

  test("200,000 lines at once leave the page quick", async () => {
    const lines = Array.from({ length: 200_000 }, (_, n): RunEvent => ({ run: 12, seq: n + 1, at_ms: 1_000 + n, machine: null, body: { kind: "log", source: "terraform", text: `line ${n}` } }));
    await open("/labs/shop/runs/12", { followRun: ({ onEvents }) => (onEvents.onmessage(lines), new Promise<null>(() => {})) });
    await vi.waitFor(() => expect(screen.getByText("200,000 lines")).toBeTruthy(), 5_000);
    expect(log().querySelectorAll(".absolute").length).toBeLessThan(100);
  });
});
