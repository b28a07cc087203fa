import type { Status } from "./live/documents.ts";

export interface Point {
  x: number;
  y: number;
}

/** The side of the square that the ring is drawn in. */
export const SIDE = 640;
const MARGIN = 56;
/** The ring's radius: the component leaves a twentieth of the unit square free on each side. */
const RING = 0.45 * (SIDE - 2 * MARGIN);
/** How large agents are drawn, of the way from one to the next. */
const SHARE = 0.36;

/** Where each agent is drawn. The component says where; it is only scaled here. */
export function points(status: Status): Map<number, Point> {
  const scale = (value: number) => MARGIN + value * (SIDE - 2 * MARGIN);
  return new Map(status.ring.map(({ id, x, y }) => [id, { x: scale(x), y: scale(y) }]));
}

/** How large agents are drawn so that neighbours on the ring do not touch. */
export function radius(agents: number): number {
  return Math.min(27, ((2 * Math.PI * RING) / Math.max(agents, 1)) * SHARE);
}

/** From the center of the ring outwards through a point, `by` further. */
export function outwards({ x, y }: Point, by: number): Point {
  const dx = x - SIDE / 2;
  const dy = y - SIDE / 2;
  const length = Math.hypot(dx, dy) || 1;
  return { x: x + (dx / length) * by, y: y + (dy / length) * by };
}

export interface Label extends Point {
  /** The font's, in the units of the ring. */
  size: number;
}

/** Where an agent's texts stand: its number, the sign of how it is, and the letter of its group. Where there is no room in it, the number stands outside of the ring and the sign inside,
 * where there is less room: boxes of signs beside each other, at most 1.2 times as wide and high as the font is large, touch at no angle (1.2 √2 is less than 1.8). */
export function labels(at: Point, r: number): { id: Label; sign: Label; group: Label } {
  const small = r < 14;
  const inside = (r / SHARE) * (1 - (r + 9) / RING);
  return {
    id: { ...(small ? outwards(at, r + 16) : at), size: small ? 9 : 17 },
    sign: { ...outwards(at, small ? -(r + 9) : r + 17), size: small ? Math.min(10, inside / 1.8) : 17 },
    group: { ...outwards(at, r + (small ? 31 : 37)), size: small ? 9 : 14 },
  };
}

/** Groups are told apart by letters: A is the one with most agents, then in the order of their first agents. */
export function groupNames(groups: readonly number[][]): { name: string; agents: number[] }[] {
  const sorted = [...groups].sort((one, other) => other.length - one.length || one[0]! - other[0]!);
  return sorted.map((agents, index) => ({ name: index < 26 ? String.fromCharCode(65 + index) : `#${index + 1}`, agents }));
}
