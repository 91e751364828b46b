import { type ClassValue, clsx } from "clsx";
import { extendTailwindMerge } from "tailwind-merge";

const merge = extendTailwindMerge({ extend: { classGroups: { "font-size": [{ text: ["small", "base", "title"] }], "font-weight": [{ font: ["strong", "normal"] }] } } });

/** Class names, the later of two that contradict each other. */
export const cn = (...classes: ClassValue[]) => merge(clsx(classes));
