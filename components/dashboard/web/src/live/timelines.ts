import type { Timeline } from "./documents.ts";

/** What had happened up to a moment, in microseconds since 1970, of what a timeline shows. Events are in the order of time, so that is how it begins, and clocks count nothing that came later. */
export function upTo(timeline: Timeline, moment: number): Timeline {
  const end = timeline.events.findIndex((event) => event.at > moment);
  if (end < 0) return timeline;
  return {
    ...timeline,
    events: timeline.events.slice(0, end),
    arrows: timeline.arrows.filter(({ from, to }) => from < end && to < end),
    shown: end,
    total: timeline.total - timeline.shown + end,
  };
}

interface Seen {
  query: string;
  until: number;
  timeline: Timeline;
}

/** The timelines that were seen, since agents soon list no more what has happened: the last ones with at most so many events in all, but always the last. */
export class Timelines {
  #seen: Seen[] = [];
  #events = 0;

  constructor(readonly events: number) {}

  /** Seen as the answer to a query; nothing is missing in it up to `until`. */
  add(query: string, until: number, timeline: Timeline): void {
    this.#seen.push({ query, until, timeline });
    this.#events += timeline.shown;
    while (this.#seen.length > 1 && this.#events > this.events) this.#events -= this.#seen.shift()!.timeline.shown;
  }

  /** What had happened up to a moment, by the first timeline that reaches so far; null if none does, or if that begins later. */
  at(query: string, moment: number): Timeline | null {
    let first: Seen | null = null;
    for (const one of this.#seen) {
      if (one.query === query && one.until >= moment && (!first || one.until < first.until)) first = one;
    }
    const then = first && upTo(first.timeline, moment);
    return then?.shown ? then : null;
  }
}
