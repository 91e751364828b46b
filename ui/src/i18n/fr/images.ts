import type { images as en } from "../en/images";
import type { Words } from "../words";

export const images: Words<typeof en> = {};
