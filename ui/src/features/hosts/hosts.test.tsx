import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import type { HostSummary } from "../../bindings";
import { accessible, open } from "../../testing/render";
import { hosts as world, hostStatus } from "../../testing/world/hosts";
import { emptyForm, nameFor, offered, slips } from "./host-form";

const known = [
  { alias: "build", host_name: "build.lab.example.net", user: null, port: null },
  { alias: "lab1", host_name: "10.0.0.7", user: "root", port: null },
  { alias: "nas", host_name: null, user: null, port: null },
];

test.each([
  ["", ["build", "lab1", "nas"]],
  ["lab", ["lab1", "build"]],
  ["10.0", ["lab1"]],
  ["NAS", ["nas"]],
  ["xyz", []],
])("what ~/.ssh/config has for %j", (typed, aliases) => {
  expect(offered(known, typed).map(({ alias }) => alias)).toEqual(aliases);
});

test.each([
  ["lab1.example.net", "lab1"],
  ["LAB_1", "lab-1"],
  ["10.0.0.7", "10-0-0-7"],
  ["fd00::1", "fd00-1"],
  [" -.- ", ""],
])("a host at %j is called %j", (address, name) => {
  expect(nameFor(address)).toBe(name);
});

const there = [{ name: "lab1" }] as HostSummary[];
test.each([
  [{ address: "lab2" }, {}],
  [{ address: "" }, { address: "addressEmpty" }],
  [{ address: "root@lab2" }, { address: "addressForm" }],
  [{ address: "-oProxyCommand=x" }, { address: "addressForm" }],
  [{ address: "lab1.example.net" }, { name: "nameTaken" }],
  [{ address: "local" }, { name: "nameReserved" }],
  [{ address: "lab2", name: "Lab 2" }, { name: "nameForm" }],
  [{ address: "lab2", port: "0" }, { port: "portForm" }],
  [{ address: "lab2", port: "22022", user: "a b" }, { user: "userForm" }],
])("slips in %j", (typed, expected) => {
  expect(slips({ ...emptyForm, ...typed }, there)).toEqual(expected);
});

test("the list has each host as it is; one that does not answer holds no other up", async () => {
  await open("/hosts", { checkHost: ({ name }) => (name === "local" ? new Promise(() => {}) : world.checkHost!({ name })) });
  const row = async (name: string) => within((await screen.findByRole("link", { name })).closest("tr")!);
  expect(await (await row("local")).findByText("connecting")).toBeTruthy();
  expect(await (await row("lab1")).findByText("TCG")).toBeTruthy();
  expect(await (await row("rack4")).findByText(/no route to host/)).toBeTruthy();
  await accessible();
});

test("a host of ~/.ssh/config is offered while one types, and added by its alias", async () => {
  const addHost = vi.fn(({ name }: { name: string }) => hostStatus(name));
  await open("/hosts", { addHost });
  const user = userEvent.setup();
  await user.keyboard("a");
  await user.type(await screen.findByLabelText("Host name or address"), "lab");
  const offers = within(screen.getByRole("region", { name: "From ~/.ssh/config" }));
  await waitFor(() => expect(offers.getAllByRole("button").map(({ textContent }) => textContent)).toEqual(["lab1root@lab1.example.net", "lab2root@lab2.example.net:2222"]));
  await user.keyboard("{ArrowDown}{ArrowDown}{Enter}");
  expect(screen.getByLabelText<HTMLInputElement>("Name in labs").value).toBe("lab2");
  expect(screen.getByLabelText<HTMLInputElement>("Port").placeholder).toBe("2222");
  await accessible();
  await user.selectOptions(screen.getByLabelText("Key"), "~/.ssh/lab");
  await user.click(screen.getByRole("button", { name: "Connect and add" }));
  expect(addHost).toHaveBeenCalledWith({ name: "lab2", address: "lab2", user: null, port: null, identity: "~/.ssh/lab" });
  await waitFor(() => expect(screen.queryByLabelText("Host name or address")).toBeNull());
});

test("what is wrong stands at its field, and what failed in the form", async () => {
  await open("/hosts", {
    addHost: () => {
      throw { code: "failed", message: "lab9.example.net: connection refused", hint: "is sshd running there?", details: [] };
    },
  });
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Add a host" }));
  const submit = screen.getByRole("button", { name: "Connect and add" });
  await user.click(submit);
  const address = screen.getByLabelText("Host name or address");
  expect(address.getAttribute("aria-invalid")).toBe("true");
  expect(screen.getByText("Say which computer")).toBeTruthy();
  await user.type(address, "lab9.example.net");
  await user.click(submit);
  expect(await screen.findByText("lab9 was not added")).toBeTruthy();
  expect(screen.getByText("Is sshd running there?")).toBeTruthy();
});

test("a host that labs name is not removed, and these are named", async () => {
  const calls = await open("/hosts/lab1");
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Actions for lab1" }));
  await user.click(await screen.findByRole("menuitem", { name: "Remove lab1…" }));
  const dialog = within(screen.getByRole("dialog"));
  expect(dialog.getAllByRole("link").map(({ textContent }) => textContent)).toEqual(["shop", "soc-training", "ad-domain"]);
  expect(dialog.queryByRole("button", { name: "Remove lab1" })).toBeNull();
  expect(calls).not.toContain("removeHost");
});

test.each(["overview", "domains", "networks", "pools", "doctor"])("the part %s of a host's page", async (tab) => {
  await open(`/hosts/lab1?tab=${tab}`);
  await waitFor(() => expect(screen.queryByRole("status", { name: /Loading/ })).toBeNull());
  expect(document.querySelector("main")?.textContent).toMatch({ overview: /18.0 GiB/, domains: /gitlab/, networks: /virbr0/, pools: /\/srv\/iso/, doctor: /1 problem/ }[tab]!);
  await accessible();
});

test("ours lead to their machine, others stand apart", async () => {
  await open("/hosts/lab1?tab=domains");
  const ours = within(await screen.findByRole("table", { name: "Of our labs" }));
  expect(ours.getByRole("link", { name: "shop.db" }).getAttribute("href")).toContain("#/labs/shop/machines/db");
  expect(within(screen.getByRole("table", { name: "Not ours" })).queryAllByRole("link")).toEqual([]);
});

test("a fix is asked for by its commands, done, and its way back shown", async () => {
  const doctorFix = vi.fn(world.doctorFix!);
  await open("/hosts/lab1?tab=doctor", { doctorFix });
  const user = userEvent.setup();
  const problems = (await screen.findByText("Problems")).closest("details")!;
  await user.click(within(problems).getByRole("button", { name: "Do it…" }));
  const dialog = screen.getByRole("dialog");
  expect(dialog.textContent).toContain("iptables -A FORWARD -i vlm+ -j ACCEPT");
  expect(doctorFix).not.toHaveBeenCalled();
  await user.click(within(dialog).getByRole("button", { name: "Run 2 commands" }));
  expect(await screen.findByText("Done: forward is in order now")).toBeTruthy();
  expect(screen.getByLabelText("The way back").textContent).toContain("iptables -D FORWARD -i vlm+ -j ACCEPT");
  expect(screen.queryByText("Problems")).toBeNull();
  expect(doctorFix.mock.calls[0]![0]).toMatchObject({ host: "lab1", check: "forward" });
});

test("orphans: of a lab that is known it is taken in again, any is removed when that was confirmed", async () => {
  const removeOrphan = vi.fn(() => null);
  const adoptLab = vi.fn(world.adoptLab!);
  await open("/hosts/lab1?tab=doctor", { removeOrphan, adoptLab, listLabs: () => [{ name: "ad-domain", state: "designed", machines: 3, hosts: "lab1", revision: 1, updated: "2026-11-25T13:00:00Z", description: null, running: 0, last_run: null }] });
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Take ad-domain in again…" }));
  await user.click(await screen.findByRole("button", { name: "Take in 2 things" }));
  expect(adoptLab.mock.calls.map(([args]) => args)).toEqual([
    { lab: "ad-domain", hosts: ["lab1"], carryOut: false },
    { lab: "ad-domain", hosts: ["lab1"], carryOut: true },
  ]);
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  await user.click(screen.getAllByRole("button", { name: "Remove…" })[1]!);
  await user.click(screen.getByRole("button", { name: "Remove thesis.lan" }));
  expect(removeOrphan).toHaveBeenCalledWith({ host: "lab1", name: "thesis.lan" });
});
