import { fireEvent, render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import type { Point } from "./layout";
import { Palette } from "./palette";

test("what is dragged lands where the pointer is let go, however few moves were seen; without a drag it is a click", () => {
  const added: [string, Point | undefined][] = [];
  render(
    <div className="react-flow">
      <Palette onAdd={(what, at) => added.push([what, at])} />
    </div>,
  );
  const canvas = document.querySelector(".react-flow");
  document.elementFromPoint = () => canvas;
  const machine = screen.getByRole("button", { name: "Machine" });
  machine.setPointerCapture = () => {};
  // jsdom's pointer events have no place.
  const pointer = (kind: string, clientX: number, clientY: number) => fireEvent(machine, new MouseEvent(kind, { bubbles: true, clientX, clientY }));
  pointer("pointerdown", 10, 10);
  pointer("pointermove", 200, 100);
  pointer("pointerup", 300, 240);
  fireEvent.click(machine);
  expect(added).toEqual([["machine", { x: 300, y: 240 }]]);
});

test("a click adds it where there is room", () => {
  const added: [string, Point | undefined][] = [];
  render(<Palette onAdd={(what, at) => added.push([what, at])} />);
  fireEvent.click(screen.getByRole("button", { name: "Network" }));
  expect(added).toEqual([["network", undefined]]);
});
