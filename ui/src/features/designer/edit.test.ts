import { describe, expect, test } from "vitest";
import { copied, type Edit, edit, pasted } from "./edit";
import { parse, pathAt, rangeOf, readPath, written } from "./model";

const lab = `# The shop.
version: 1
name: shop            # short
defaults: { image: debian-12 }   # of all
networks:
  # What users reach
  lan: { cidr: 10.77.1.0/24 }
  back: { mode: isolated,   cidr: 10.77.2.0/24 }
machines:
  # Keeps the orders
  db:
    memory: 1 GiB     # grows
    nics: [ lan, { network: back, address: 10.77.2.5 } ]

  # Two of them
  web:
    replicas: 2
    nics:
      - lan           # for users
      - network: back
        address: 10.77.2.10+
    ports: { "8080": 80 }
    depends_on: [ db ]
    ansible:
      - name: nginx
        apt: { name: nginx }
  probe: {}
`;

/** The lines that an edit takes out and puts in, in their order. */
function changed(before: string, after: string): string[] {
  const more = (text: string, other: string, mark: string) => {
    const left = other.split("\n");
    return text.split("\n").flatMap((line) => {
      const at = left.indexOf(line);
      if (at >= 0) left.splice(at, 1);
      return at < 0 ? [mark + line] : [];
    });
  };
  return [...more(before, after, "-"), ...more(after, before, "+")];
}

const cases: [string, Edit, string[]][] = [
  ["sets a value that is there", { do: "set", path: ["machines", "db", "memory"], value: "2 GiB" }, ["-    memory: 1 GiB     # grows", "+    memory: 2 GiB     # grows"]],
  ["adds a field in its place", { do: "set", path: ["machines", "db", "vcpus"], value: 2 }, ["+    vcpus: 2"]],
  ["makes a block of an empty machine", { do: "set", path: ["machines", "probe", "image"], value: "alpine" }, ["-  probe: {}", "+  probe:", "+    image: alpine"]],
  ["adds to a mapping on a line", { do: "set", path: ["networks", "lan", "dhcp"], value: false }, ["-  lan: { cidr: 10.77.1.0/24 }", "+  lan: { cidr: 10.77.1.0/24, dhcp: false }"]],
  ["quotes what YAML would read otherwise", { do: "set", path: ["description"], value: "yes: it is" }, ['+description: "yes: it is"']],
  ["takes out a field", { do: "set", path: ["machines", "web", "replicas"], value: undefined }, ["-    replicas: 2"]],
  ["takes out the last of a mapping with it", { do: "set", path: ["machines", "web", "ports", "8080"], value: undefined }, ['-    ports: { "8080": 80 }']],
  ["adds what a mapping needs", { do: "set", path: ["machines", "db", "disks", "data"], value: "10 GiB" }, ["+    disks: { data: 10 GiB }"]],
  ["changes several machines", { do: "setAll", kind: "machines", names: ["db", "probe"], path: ["firmware"], value: "uefi" }, ["-  probe: {}", "+    firmware: uefi", "+  probe:", "+    firmware: uefi"]],
  ["adds a machine", { do: "add", kind: "machines", name: "cache", fields: { image: "alpine" } }, ["+  cache:", "+    image: alpine"]],
  ["adds a machine of defaults", { do: "add", kind: "machines", name: "cache", fields: {} }, ["+  cache: {}"]],
  ["adds a network", { do: "add", kind: "networks", name: "dmz", fields: { cidr: "10.77.3.0/24" } }, ["+  dmz: { cidr: 10.77.3.0/24 }"]],
  ["links a machine whose list is on a line", { do: "link", machines: ["db"], network: "lan" }, ["-    nics: [ lan, { network: back, address: 10.77.2.5 } ]", "+    nics: [ lan, { network: back, address: 10.77.2.5 }, lan ]"]],
  ["links a machine whose list is a block", { do: "link", machines: ["web"], network: "lan" }, ["+      - lan"]],
  ["keeps the implied link", { do: "link", machines: ["probe"], network: "back" }, ["-  probe: {}", "+  probe:", "+    nics: [ lan, back ]"]],
  ["fixes an address", { do: "nic", link: { machine: "db", index: 0 }, nic: { network: "lan", address: "10.77.1.9", mac: null } }, ["-    nics: [ lan, { network: back, address: 10.77.2.5 } ]", "+    nics: [ { network: lan, address: 10.77.1.9 }, { network: back, address: 10.77.2.5 } ]"]],
  ["frees an address", { do: "nic", link: { machine: "web", index: 1 }, nic: { network: "back", address: null, mac: null } }, ["-      - network: back", "-        address: 10.77.2.10+", "+      - back"]],
  ["renames a machine where it is waited for", { do: "rename", kind: "machines", from: "db", to: "store" }, ["-  db:", "-    depends_on: [ db ]", "+  store:", "+    depends_on: [ store ]"]],
  [
    "renames a network where machines are on it",
    { do: "rename", kind: "networks", from: "back", to: "rear" },
    ["-  back: { mode: isolated,   cidr: 10.77.2.0/24 }", "-    nics: [ lan, { network: back, address: 10.77.2.5 } ]", "-      - network: back", "+  rear: { mode: isolated,   cidr: 10.77.2.0/24 }", "+    nics: [ lan, { network: rear, address: 10.77.2.5 } ]", "+      - network: rear"],
  ],
  ["does not rename onto another", { do: "rename", kind: "machines", from: "db", to: "web" }, []],
  [
    "removes a machine, and who waits for it",
    { do: "remove", machines: ["db"], networks: [], links: [] },
    ["-  db:", "-    memory: 1 GiB     # grows", "-    nics: [ lan, { network: back, address: 10.77.2.5 } ]", "-    depends_on: [ db ]"],
  ],
  [
    "removes a network and the links to it",
    { do: "remove", machines: [], networks: ["back"], links: [] },
    ["-  back: { mode: isolated,   cidr: 10.77.2.0/24 }", "-    nics: [ lan, { network: back, address: 10.77.2.5 } ]", "-      - network: back", "-        address: 10.77.2.10+", "+    nics: [ lan ]"],
  ],
  ["removes a link", { do: "remove", machines: [], networks: [], links: [{ machine: "web", index: 0 }] }, ["-      - lan           # for users"]],
  ["removes a link that is implied", { do: "remove", machines: [], networks: [], links: [{ machine: "probe", index: 0 }] }, ["-  probe: {}", "+  probe:", "+    nics: []"]],
  ["removes all links", { do: "remove", machines: [], networks: [], links: [{ machine: "db", index: 0 }, { machine: "db", index: 1 }] }, ["-    nics: [ lan, { network: back, address: 10.77.2.5 } ]", "+    nics: []"]],
];

test.each(cases)("an edit %s", (_, what, lines) => {
  const after = edit(lab, what);
  expect(changed(lab, after)).toEqual(lines);
  expect(parse(after).mistake).toBeNull();
});

test("quotes that somebody chose stay, those that the old value needed go", () => {
  const text = 'name: "a"\nmachines: { a: { memory: "1", user: \'lab\' } }\n';
  let after = edit(text, { do: "set", path: ["name"], value: "b" });
  after = edit(after, { do: "set", path: ["machines", "a", "memory"], value: "1 GiB" });
  after = edit(after, { do: "set", path: ["machines", "a", "user"], value: "ada" });
  expect(after).toBe('name: "b"\nmachines: { a: { memory: 1 GiB, user: \'ada\' } }\n');
});

test("removing the remark's machine takes its remark, and the first one's stays", () => {
  const after = edit(lab, { do: "remove", machines: ["web"], networks: [], links: [] });
  expect(after).not.toContain("# Two of them");
  expect(after).toContain("# Keeps the orders");
});

test("a section is made in its place, and goes with its last entry", () => {
  let text = "version: 1\nname: a\nmachines:\n  web: {}\n";
  text = edit(text, { do: "add", kind: "networks", name: "lan", fields: { cidr: "10.77.1.0/24" } });
  expect(text).toBe("version: 1\nname: a\nnetworks:\n  lan: { cidr: 10.77.1.0/24 }\nmachines:\n  web: {}\n");
  text = edit(text, { do: "remove", machines: ["web"], networks: ["lan"], links: [] });
  expect(text).toBe("version: 1\nname: a\n");
});

test.each(["version: 1\nmachines: { a: {}, b: { image: x }, c: {} }\n", "version: 1\nmachines:\n    a: {}\n    b:\n        image: x\n    c:\n"])("other ways to write it: %j", (text) => {
  const more = edit(edit(text, { do: "set", path: ["machines", "c", "nics"], value: ["lan"] }), { do: "set", path: ["machines", "a", "memory"], value: "1 GiB" });
  const less = edit(more, { do: "remove", machines: ["a", "b"], networks: [], links: [] });
  expect(parse(more).design?.machines.map(({ name, memory, raw }) => [name, memory, raw.nics])).toEqual([["a", "1 GiB", undefined], ["b", "512 MiB", undefined], ["c", "512 MiB", ["lan"]]]);
  expect(parse(less).design?.machines.map(({ name }) => name)).toEqual(["c"]);
});

test("what is inherited is written out where it is changed", () => {
  const text = "x: &x { memory: 1 GiB, nics: [ lan ] }\nnetworks: { lan: {}, back: {} }\nmachines:\n  a: { <<: *x, vcpus: 2 }\n  b: *x\n";
  const after = edit(edit(text, { do: "link", machines: ["a"], network: "back" }), { do: "set", path: ["machines", "b", "memory"], value: "2 GiB" });
  expect(after).toContain("  a: { <<: *x, vcpus: 2, nics: [ lan, back ] }\n");
  expect(after).toContain("  b: { memory: 2 GiB, nics: [ lan ] }\n");
});

describe("copies", () => {
  test("a duplicate has a name, an address and a port of its own", () => {
    const twice = pasted(lab, copied(lab, ["db", "web"], []));
    expect([...(twice?.machines ?? [])]).toEqual([["db", "db-2"], ["web", "web-3"]]);
    expect(changed(lab, twice?.text ?? "")).toEqual([
      "+  db-2:",
      "+    memory: 1 GiB     # grows",
      "+    nics: [ lan, { network: back, address: 10.77.2.6 } ]",
      "+  web-3:",
      "+    replicas: 2",
      "+    nics:",
      "+      - lan           # for users",
      "+      - network: back",
      "+        address: 10.77.2.12+",
      '+    ports: { "8082": 80 }',
      "+    depends_on: [ db-2 ]",
      "+    ansible:",
      "+      - name: nginx",
      "+        apt: { name: nginx }",
    ]);
  });
  test("a network of another lab gets a subnet that is free", () => {
    const more = pasted(lab, copied(lab, [], ["lan"]));
    expect(changed(lab, more?.text ?? "")).toEqual(["+  lan-2: { cidr: 10.77.3.0/24 }"]);
  });
  test("what is no part of a lab is not pasted", () => {
    expect(pasted(lab, "hello")).toBeNull();
    expect(pasted(lab, "a: [")).toBeNull();
  });
  test("into an empty file", () => {
    expect(pasted("version: 1\nname: new\n", copied(lab, ["probe"], ["lan"]))?.text).toBe("version: 1\nname: new\nnetworks:\n  lan: { cidr: 10.77.1.0/24 }\nmachines:\n  probe: {}\n");
  });
});

test("a path leads to its place in the text and back", () => {
  const path = readPath("machines.web.nics[1].address");
  expect(written(path)).toBe("machines.web.nics[1].address");
  const [from, to] = rangeOf(lab, path) ?? [0, 0];
  expect(lab.slice(from, to)).toBe("address");
  expect(pathAt(lab, to + 3)).toEqual(path);
});

test("text that does not parse is told, and left alone by edits", () => {
  expect(parse("machines: [ a\nb: 1").mistake).toMatchObject({ line: 2 });
  expect(edit("machines: [ a\nb: 1", { do: "add", kind: "machines", name: "x", fields: {} })).toBe("machines: [ a\nb: 1");
});
