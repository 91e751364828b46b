import { cleanup } from "@testing-library/react";
import { afterEach, beforeAll } from "vitest";
import { startI18n } from "../i18n";
import { forgetKept } from "../lib/kept";
import { reread } from "../lib/prefs";

// What jsdom lacks, and pages ask for.
class Observer {
  observe() {}
  unobserve() {}
  disconnect() {}
}
Object.assign(globalThis, { ResizeObserver: Observer, IntersectionObserver: Observer });
Element.prototype.scrollIntoView ??= () => {};
Element.prototype.hasPointerCapture ??= () => false;
// CodeMirror measures where its text is.
Range.prototype.getClientRects ??= () => [] as unknown as DOMRectList;
Range.prototype.getBoundingClientRect ??= () => new DOMRect();
window.matchMedia ??= (media) => ({ matches: false, media, onchange: null, addListener() {}, removeListener() {}, addEventListener() {}, removeEventListener() {}, dispatchEvent: () => false });
window.scrollTo = () => {};

beforeAll(startI18n);

afterEach(() => {
  cleanup();
  window.location.hash = "";
  localStorage.clear();
  forgetKept();
  reread();
});
