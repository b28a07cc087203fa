import type { TimelineEvent } from "./live/documents.ts";

/** For each event its position among those of its lane. Linear. */
export function positions(events: readonly TimelineEvent[]): number[] {
  const next = new Map<number, number>();
  return events.map(({ lane }) => {
    const position = next.get(lane) ?? 0;
    next.set(lane, position + 1);
    return position;
  });
}

export type Relation = "picked" | "past" | "future" | "concurrent";

/** How each event relates to the one at `picked`, by the clocks that came with them. Linear. */
export function relations(events: readonly TimelineEvent[], position: readonly number[], picked: number): Relation[] {
  const center = events[picked]!;
  return events.map((event, index) => {
    if (index === picked) return "picked";
    if (position[index]! < (center.clock[event.lane] ?? 0)) return "past";
    if (position[picked]! < (event.clock[center.lane] ?? 0)) return "future";
    return "concurrent";
  });
}

/** Where an arrow key leads from an event: along its lane, or to the nearest event of the next lane that has one. Null where it ends. */
export function step(events: readonly TimelineEvent[], lanes: number, from: number, key: "left" | "right" | "up" | "down"): number | null {
  const { lane, x } = events[from]!;
  if (key === "left" || key === "right") {
    const by = key === "left" ? -1 : 1;
    for (let index = from + by; index >= 0 && index < events.length; index += by) {
      if (events[index]!.lane === lane) return index;
    }
    return null;
  }
  const by = key === "up" ? -1 : 1;
  for (let next = lane + by; next >= 0 && next < lanes; next += by) {
    let nearest: number | null = null;
    events.forEach((event, index) => {
      if (event.lane === next && (nearest === null || Math.abs(event.x - x) < Math.abs(events[nearest]!.x - x))) nearest = index;
    });
    if (nearest !== null) return nearest;
  }
  return null;
}
