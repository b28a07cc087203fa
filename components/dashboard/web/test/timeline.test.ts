import { describe, expect, it } from "vitest";
import { positions, relations, step } from "../src/causality.ts";
import { filtersOf, KINDS, queryOf, toggle } from "../src/filters.ts";
import { Timelines, upTo } from "../src/live/timelines.ts";
import { moving, thin } from "../src/moving.ts";
import { form, frame, fromX, toX } from "../src/views/diagram.tsx";
import { ALL, pan, reveal, zoom } from "../src/zoom.ts";
import { event } from "./documents.ts";

// Agent 0: a, then b, which agent 1 receives as d. Agent 1: c, then d, then e.
const [a, b, c, d, e] = [event(0, 0, [1, 0]), event(0, 0.35, [2, 0]), event(1, 0.2, [0, 1]), event(1, 0.6, [2, 2]), event(1, 1, [2, 3])];
const events = [a!, c!, b!, d!, e!];

describe("causality", () => {
  it("is read from the clocks", () => {
    const place = positions(events);
    expect(place).toEqual([0, 0, 1, 1, 2]);
    expect(relations(events, place, 3)).toEqual(["past", "past", "past", "picked", "future"]);
    expect(relations(events, place, 1)).toEqual(["concurrent", "picked", "concurrent", "future", "future"]);
    expect(relations(events, place, 0)).toEqual(["picked", "concurrent", "future", "future", "future"]);
  });

  it("arrow keys walk a lane and change lanes to the nearest event", () => {
    expect(step(events, 2, 0, "right")).toBe(2);
    expect(step(events, 2, 2, "left")).toBe(0);
    expect(step(events, 2, 0, "left")).toBeNull();
    expect(step(events, 2, 2, "down")).toBe(1);
    expect(step(events, 2, 4, "up")).toBe(2);
    expect(step(events, 2, 4, "down")).toBeNull();
    expect(step([event(0, 0, [1]), event(3, 0, [0])], 4, 0, "down")).toBe(1);
  });
});

describe("filters", () => {
  it("are in the address as they are asked for", () => {
    const filters = { agents: [0, 2], kinds: ["sent"], rule: "comm-add", limit: 1000 };
    const query = new URLSearchParams(Object.entries(queryOf(filters)).map(([name, value]) => [name, String(value)]));
    expect(query.get("agents")).toBe("0,2");
    expect(filtersOf(query)).toEqual(filters);
  });

  it("that cannot be read count as not given", () => {
    expect(filtersOf(new URLSearchParams("agents=x,-1&kinds=nonsense&limit=7&rule="))).toEqual({ agents: null, kinds: null, rule: null, limit: 500 });
  });

  it("go in and out, and none is all", () => {
    expect(toggle(null, 1, [0, 1, 2])).toEqual([1]);
    expect(toggle([1], 0, [0, 1, 2])).toEqual([0, 1]);
    expect(toggle([1], 1, [0, 1, 2])).toBeNull();
    expect(toggle([0, 2], 1, [0, 1, 2])).toBeNull();
  });
});

describe("the window of the time axis", () => {
  it("zooms around a point, and out to all", () => {
    const near = zoom(ALL, 4, 0.5);
    expect(near).toEqual({ from: 0.375, to: 0.625 });
    expect(zoom(near, 0.25)).toEqual(ALL);
    expect(zoom(ALL, 0.5)).toEqual(ALL);
    const deepest = zoom(ALL, 1e9, 0.3);
    expect(deepest.to - deepest.from).toBeCloseTo(1 / 4096);
  });

  it("moves, and never past an end", () => {
    const near = zoom(ALL, 4, 0);
    expect(pan(near, -1).from).toBe(0);
    expect(pan(near, 1)).toEqual({ from: 0.25, to: 0.5 });
    expect(pan(near, 100).to).toBe(1);
  });

  it("moves only if it has to", () => {
    const near = { from: 0.25, to: 0.5 };
    expect(reveal(near, 0.4)).toBe(near);
    expect(reveal(near, 0.9).to).toBeGreaterThan(0.9);
    expect(reveal(near, 0.1).from).toBeLessThan(0.1);
  });
});

describe("the diagram", () => {
  it("gives every kind its own form", () => {
    expect(new Set(KINDS.map((kind) => form(kind, 8, 8))).size).toBe(KINDS.length);
  });

  it("finds back what it places", () => {
    const of = frame(800, 9, 420);
    const window = { from: 0.2, to: 0.6 };
    expect(fromX(of, window, toX(of, window, 0.33))).toBeCloseTo(0.33);
  });

  it("keeps lanes apart however many there are", () => {
    expect(frame(800, 100, 420).lane).toBe(24);
    expect(frame(800, 100, 420).height).toBeGreaterThan(2400);
    expect(frame(800, 3, 420).height).toBe(420);
  });
});

describe("messages on their way", () => {
  it("are receptions with a sender", () => {
    const lanes = [{ agent: 4, incarnation: 0, name: "agent 4" }];
    const received = event(0, 0.5, [1], { kind: "received", peer: 2 });
    expect(moving({ lanes, events: [received, event(0, 1, [2]), event(0, 1, [3], { kind: "sent", peer: 2 })], arrows: [], left_out: 0, shown: 3, total: 3, silent: [] })).toEqual([{ from: 2, to: 4, at: 0.5 }]);
  });

  it("are thinned evenly", () => {
    expect(thin([0, 1, 2, 3, 4, 5], 3)).toEqual([0, 2, 4]);
    expect(thin([0, 1], 3)).toEqual([0, 1]);
  });
});

describe("looking back", () => {
  const lanes = [0, 1].map((agent) => ({ agent, incarnation: 0, name: `agent ${agent}` }));
  const happened = [a!, c!, b!, d!, e!].map((event, index) => ({ ...event, at: index + 1 }));
  const timeline = { lanes, events: happened, arrows: [{ from: 2, to: 3 }], left_out: 7, shown: 5, total: 8, silent: [] };

  it("shows what had happened up to a moment, and nothing that came later", () => {
    const then = upTo(timeline, 3);
    expect(then.events).toEqual(happened.slice(0, 3));
    expect(then).toMatchObject({ arrows: [], shown: 3, total: 6, left_out: 7 });
    expect(upTo(timeline, 4).arrows).toEqual([{ from: 2, to: 3 }]);
    expect(upTo(timeline, 5)).toBe(timeline);
    expect(upTo(timeline, 0)).toMatchObject({ events: [], shown: 0, total: 3 });
    // Causality is as it looks from later.
    expect(relations(then.events, positions(then.events), 2)).toEqual(relations(happened, positions(happened), 2).slice(0, 3));
  });

  it("takes the first timeline that reaches so far, of the same query", () => {
    const seen = new Timelines(100);
    const later = { ...timeline, events: happened.slice(2), shown: 3 };
    seen.add("", 5, timeline);
    seen.add("", 9, later);
    seen.add("rule=x", 3, timeline);
    expect(seen.at("", 4)!.events).toEqual(happened.slice(0, 4));
    expect(seen.at("", 5)).toBe(timeline);
    expect(seen.at("", 6)).toBe(later);
    expect(seen.at("", 10)).toBeNull();
    expect(seen.at("rule=x", 3)!.shown).toBe(3);
    expect(seen.at("rule=y", 3)).toBeNull();
  });

  it("knows nothing of what began later, and forgets what was seen first", () => {
    const seen = new Timelines(6);
    seen.add("", 5, timeline);
    expect(seen.at("", 0)).toBeNull();
    const later = { ...timeline, events: happened.slice(3), shown: 2 };
    seen.add("", 6, later);
    expect(seen.at("", 3)).toBeNull();
    expect(seen.at("", 6)).toBe(later);
  });
});
