/** The part of the time axis that is shown: from and to, of 0 to 1. */
export interface Window {
  from: number;
  to: number;
}

export const ALL: Window = { from: 0, to: 1 };
/** The narrowest one. */
const LEAST = 1 / 4096;

function within({ from, to }: Window): Window {
  const width = Math.min(Math.max(to - from, LEAST), 1);
  const start = Math.min(Math.max(from, 0), 1 - width);
  return { from: start, to: start + width };
}

/** `factor` above 1 shows more detail; what is at `at` (of 0 to 1 on the axis) stays where it is. */
export function zoom(window: Window, factor: number, at = (window.from + window.to) / 2): Window {
  const width = Math.min(Math.max((window.to - window.from) / factor, LEAST), 1);
  const share = (at - window.from) / (window.to - window.from);
  return within({ from: at - share * width, to: at + (1 - share) * width });
}

/** Moves by a share of what is shown; above 0 to the right. */
export function pan(window: Window, share: number): Window {
  const width = window.to - window.from;
  return within({ from: window.from + share * width, to: window.to + share * width });
}

/** Moved just so far that `at` is in it, with some room around. */
export function reveal(window: Window, at: number): Window {
  const width = window.to - window.from;
  const room = width / 20;
  if (at < window.from + room) return within({ from: at - room, to: at - room + width });
  if (at > window.to - room) return within({ from: at + room - width, to: at + room });
  return window;
}
