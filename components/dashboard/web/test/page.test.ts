import { describe, expect, it } from "vitest";
import { withQuery } from "../src/live/ask.ts";
import { groupNames, labels, outwards, points, radius, SIDE } from "../src/ring.ts";
import { link, parseRoute } from "../src/route.ts";
import { kind, sentence } from "../src/sentence.ts";
import { state, status } from "./documents.ts";

describe("routes", () => {
  it("lead back to where they come from", () => {
    const route = parseRoute(link("egraph", null, { agent: 3, term: "(Add a b)", expand: ["x & y", "z"] }));
    expect(route.view).toBe("egraph");
    expect(route.query.get("term")).toBe("(Add a b)");
    expect(route.query.getAll("expand")).toEqual(["x & y", "z"]);
    expect(parseRoute(link("agent", 12))).toMatchObject({ view: "agent", agent: 12 });
  });

  it("that are not known lead to the network", () => {
    expect(parseRoute("").view).toBe("network");
    expect(parseRoute("#/nonsense/3").view).toBe("network");
    expect(parseRoute("#/agent/x").agent).toBe(0);
  });

  it("and requests leave out what is not given", () => {
    expect(withQuery("/a", { b: null, c: "", d: 0, e: ["1", "2"] })).toBe("/a?d=0&e=1&e=2");
    expect(withQuery("/a", {})).toBe("/a");
  });
});

describe("the sentence", () => {
  const agents = [state({ id: 0 }), state({ id: 1 })];
  it("is the component's, with what is known besides", () => {
    const measured = status(0, agents, { latency: { count: 1, p50: 1, p95: 7000, p99: 9, max: 9 } });
    expect(sentence(measured, { sent: 1, received: 1200, bytesSent: 0, bytesReceived: 0 })).toBe("2 of 2 agents hold the same graph · lag 0 facts · converged · 1,200 messages/s · p95 7 ms");
    expect(sentence(status(0, agents), null)).toBe("2 of 2 agents hold the same graph · lag 0 facts · converged");
  });

  it("has a kind that changes with the state only", () => {
    expect(kind(status(0, agents))).toBe("converged");
    const torn = status(0, [state({ id: 0, health: "suspected" }), { id: 1, error: "no", health: "silent" }], { converged: false, groups: [[0], [2]] });
    expect(kind(torn)).toBe("no answer from 1; suspected: 0; partitioned into 2 groups; not converged");
  });
});

describe("the ring", () => {
  it("scales what the component says", () => {
    const at = points(status(0, [], { ring: [{ id: 0, x: 0.5, y: 0 }, { id: 1, x: 1, y: 0.5 }] }));
    expect(at.get(0)!.x).toBe(SIDE / 2);
    expect(at.get(1)!.y).toBe(SIDE / 2);
    expect(at.get(0)!.y).toBeCloseTo(SIDE - at.get(1)!.x);
  });

  it("has room between neighbours for up to 100 agents", () => {
    for (const agents of [1, 9, 30, 100]) {
      const chord = 0.9 * (SIDE - 112) * Math.sin(Math.PI / Math.max(agents, 2));
      expect(2 * radius(agents)).toBeLessThan(chord);
      expect(radius(agents)).toBeGreaterThan(4);
    }
  });

  it("has room for what is written beside 100 agents", () => {
    const ring = Array.from({ length: 100 }, (_, id) => {
      const turn = (2 * Math.PI * id) / 100;
      return { id, x: 0.5 + 0.45 * Math.sin(turn), y: 0.5 - 0.45 * Math.cos(turn) };
    });
    const r = radius(100);
    // A digit is at most 0.637 of its font wide, a sign (of whatever font has it) 1.2, a line 1.2 high; forms reach as far as r, and have room as tested above.
    const boxes = [...points(status(0, [], { ring }))].flatMap(([id, at]) => {
      const { id: number, sign, group } = labels(at, r);
      const written = ([[number, 0.637 * String(id).length], [sign, 1.2], [group, 0.8]] as const).map(([{ x, y, size }, width]) => ({ form: false, x, y, w: width * size, h: 1.2 * size }));
      return [...written, { form: true, ...at, w: 2 * r, h: 2 * r }];
    });
    for (const box of boxes) {
      expect(Math.min(box.x - box.w / 2, box.y - box.h / 2)).toBeGreaterThan(0);
      expect(Math.max(box.x + box.w / 2, box.y + box.h / 2)).toBeLessThan(SIDE);
    }
    const touching = boxes.flatMap((one, at) => boxes.slice(at + 1).filter((other) => !(one.form && other.form) && Math.abs(one.x - other.x) < (one.w + other.w) / 2 && Math.abs(one.y - other.y) < (one.h + other.h) / 2).map((other) => [one, other]));
    expect(touching).toEqual([]);
  });

  it("moves outwards from its center", () => {
    const out = outwards({ x: SIDE / 2, y: 100 }, 10);
    expect(out).toEqual({ x: SIDE / 2, y: 90 });
  });

  it("names groups by their size", () => {
    expect(groupNames([[4], [0, 1], [2, 3]])).toEqual([
      { name: "A", agents: [0, 1] },
      { name: "B", agents: [2, 3] },
      { name: "C", agents: [4] },
    ]);
  });
});
