import { describe, expect, it } from "vitest";
import { History } from "../src/live/history.ts";

const entry = (at: number, length = 10) => ({ at, text: "x".repeat(length) });
const times = (history: History) => history.all().map(({ at }) => at);

describe("history", () => {
  it("keeps the newest of a number", () => {
    const history = new History(3, 1000);
    for (let at = 0; at < 100; at += 1) history.add(entry(at));
    expect(times(history)).toEqual([97, 98, 99]);
    expect(history.length).toBe(3);
  });

  it("keeps no more characters than allowed, but always the newest", () => {
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
