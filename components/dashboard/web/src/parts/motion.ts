import { signal } from "@preact/signals";

const wish = matchMedia("(prefers-reduced-motion: reduce)");
const scheme = matchMedia("(prefers-color-scheme: dark)");

/** Whether the reader wants nothing to move. */
export const still = signal(wish.matches);
/** Whether it is dark. Canvases are drawn anew when it changes; everything else follows by its style sheet. */
export const dark = signal(scheme.matches);

wish.addEventListener("change", () => (still.value = wish.matches));
scheme.addEventListener("change", () => (dark.value = scheme.matches));
