import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { nodes } from "../features/labs/file-tree";
import { accessible, open } from "../testing/render";

describe("the files of a lab", () => {
  test("stand in a tree, folders first and numbers in order; what is in closed folders does not", () => {
    const files = ["b.txt", "plays/web-10.yaml", "plays/web-9.yaml", "a/deep/x", "a.txt"].map((path) => ({ path, text: "" }));
    const drawn = (closed: string[]) => nodes(files, new Set(closed)).map(({ name, depth, file }) => `${"  ".repeat(depth)}${name}${file ? "" : "/"}`);
    expect(drawn([])).toEqual(["a/", "  deep/", "    x", "plays/", "  web-9.yaml", "  web-10.yaml", "a.txt", "b.txt"]);
    expect(drawn(["a", "plays"])).toEqual(["a/", "plays/", "a.txt", "b.txt"]);
  });

  test("are chosen by keys, kept in the address, and found in", async () => {
    await open("/labs/shop/files");
    const user = userEvent.setup();
    const tree = await screen.findByRole("tree", { name: "Files of shop" });
    expect(screen.getByRole("document", { name: "lab.yaml" }).textContent).toContain("name: shop");
    await user.keyboard("j");
    tree.focus();
    await user.keyboard("{Home}{ArrowDown}{ArrowDown}");
    expect(window.location.hash).toBe("#/labs/shop/files?file=ansible%2Fplays%2Fcache.yaml");
    await user.keyboard("{Control>}f{/Control}");
    await user.paste("nginx");
    await user.keyboard("{Enter}{Enter}");
    expect(screen.getByRole("search").textContent).toContain("2 of 2");
    const text = screen.getByRole("document", { name: "ansible/plays/cache.yaml" });
    expect(within(text).getAllByText("nginx", { selector: "mark" })).toHaveLength(2);
    await accessible();
  });
});
