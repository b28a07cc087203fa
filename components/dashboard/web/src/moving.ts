import type { Timeline } from "./live/documents.ts";

/** A message that has arrived. */
export interface Moving {
  from: number;
  to: number;
  /** When it was received, in microseconds. */
  at: number;
}

/** The messages whose reception a timeline shows. */
export function moving(timeline: Timeline): Moving[] {
  return timeline.events.flatMap(({ kind, peer, lane, at }) =>
    kind === "received" && peer !== null ? [{ from: peer, to: timeline.lanes[lane]!.agent, at }] : [],
  );
}

/** At most `most`, evenly chosen. */
export function thin<Value>(values: readonly Value[], most: number): Value[] {
  if (values.length <= most) return [...values];
  return Array.from({ length: most }, (_, index) => values[Math.floor((index * values.length) / most)]!);
}
