import { describe, expect, it } from "vitest";
import { History, share } from "../src/live/history.ts";
import { state, status } from "./documents.ts";

const entry = (at: number, fresh = 10) => ({ status: status(at, []), fresh });
const times = (history: History) => history.all().map(({ at }) => at);

describe("history", () => {
  it("keeps the newest of a number", () => {
    const history = new History(3, 1000);
    for (let at = 0; at < 100; at += 1) history.add(entry(at));
    expect(times(history)).toEqual([97, 98, 99]);
    expect(history.length).toBe(3);
  });

  it("keeps no more values than allowed, but always the newest", () => {
    const history = new History(100, 25);
    history.add(entry(1));
    history.add(entry(2));
    history.add(entry(3));
    expect(times(history)).toEqual([2, 3]);
    history.add(entry(4, 80));
    expect(times(history)).toEqual([4]);
    history.add(entry(5));
    expect(times(history)).toEqual([5]);
  });

  it("hands out a copy", () => {
    const history = new History(2, 100);
    history.add(entry(1));
    const past = history.all();
    history.add(entry(2));
    history.add(entry(3));
    expect(past.map(({ at }) => at)).toEqual([1]);
  });
});

describe("sharing", () => {
  const members = () => Array.from({ length: 100 }, (_, id) => ({ id, color: "red" as const, state: "active" as const, incarnation: 0 }));
  const document = (at: number, messages: number) => status(at, Array.from({ length: 100 }, (_, id) => state({ id, members: members(), messages_sent: id === 7 ? messages : 0 })));

  it("answers the same document, with what has not changed taken from the one before", () => {
    const before = document(1, 1);
    const now = document(2, 5);
    const { shared, fresh } = share(before, now);
    expect(shared).toEqual(document(2, 5));
    expect(shared.agents[6]).toBe(before.agents[6]);
    expect(shared.links).toBe(before.links);
    expect(shared.agents[7]).not.toBe(before.agents[7]);
    expect(before).toEqual(document(1, 1));
    // The document, its list of agents, and the one that has changed; not its hundred members.
    expect(fresh).toBe(Object.keys(now).length + 100 + Object.keys(now.agents[7]!).length);
    expect(share(null, document(1, 1)).fresh).toBeGreaterThan(40_000);
    expect(share(before, document(1, 1)).shared).toBe(before);
  });

  it("tells apart what only looks alike", () => {
    const pairs = [
      [{ a: 1 }, { b: 1 }],
      [{ a: 1 }, { a: 1, b: 2 }],
      [{ a: 1, b: 2 }, { a: 1 }],
      [[], {}],
      [{}, []],
      [[1, 2], [2, 1]],
      [null, {}],
      [{}, null],
      [{ a: null }, { a: {} }],
      [{ a: [0] }, { a: { 0: 0 } }],
      ["1", 1],
    ];
    for (const [before, now] of pairs) expect(share(structuredClone(before), structuredClone(now)).shared).toEqual(now);
  });
});
