import { expect, test } from "vitest";
import text from "../../../../crates/vlm-lab/schemas/lab.schema.json?raw";
import { offers, spotAt } from "./completion";
import { parse } from "./model";

const schema = JSON.parse(text);
const known = { design: parse("networks: { lan: {}, back: {} }\nmachines: { web: {}, db: {} }").design!, images: ["debian-12", "alpine"], hosts: ["local"] };

/** What is offered where the bar stands. */
function offered(text: string): string[] {
  const at = text.indexOf("|");
  const spot = spotAt(text.replace("|", ""), at);
  return spot ? offers(schema, spot, known).map(({ label }) => label).filter((label) => label.startsWith(spot.word)) : [];
}

test.each([
  ["na|", ["name"]],
  ["networks:\n  lan: { cidr: 10.77.1.0/24, mo|", ["mode"]],
  ["networks:\n  lan:\n    mode: |", ["nat", "isolated", "routed", "bridge"]],
  ["networks:\n  lan: { mode: i|", ["isolated"]],
  ["machines:\n  web:\n    nics:\n      - lan\n      - b|", ["back"]],
  ["machines:\n  web:\n    nics: [ lan, |", ["lan", "back", "network", "address", "mac"]],
  ["machines:\n  web:\n    nics: [ lan, { network: b|", ["back"]],
  ["machines:\n  web:\n    nics:\n      - network: lan\n        add|", ["address"]],
  ["machines:\n  web:\n    memory: 1 GiB\n    im|", ["image"]],
  ["machines:\n  web:\n    image: |", ["debian-12", "alpine"]],
  ["machines:\n  web: { depends_on: [ d|", ["db"]],
  ["defaults: { firmware: |", ["bios", "uefi"]],
  ["machines:\n  web:\n    memory: 1 GiB # a re|", []],
  ["description: Lab [ of |", []],
])("%j", (text, labels) => {
  expect(offered(text)).toEqual(expect.arrayContaining(labels));
  if (labels.length < 2) expect(offered(text)).toEqual(labels);
});
