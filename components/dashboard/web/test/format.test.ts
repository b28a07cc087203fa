import { describe, expect, it } from "vitest";
import { bytes, clock, count, counted, duration, elapsed, perSecond, ranges, shorten } from "../src/format.ts";

describe("format", () => {
  it("groups digits, and counts with the noun's number", () => {
    expect(count(1234567)).toBe("1,234,567");
    expect(counted(1, "fact")).toBe("1 fact");
    expect(counted(0, "fact")).toBe("0 facts");
    expect(counted(2, "class", "classes")).toBe("2 classes");
  });

  it.each([
    [0, "0 µs"],
    [999, "999 µs"],
    [1000, "1 ms"],
    [7_400, "7.4 ms"],
    [14_893_055, "15 s"],
    [999_499, "999 ms"],
    [999_500, "1 s"],
    [2_621_439, "2.6 s"],
    [180_000_000, "3 min"],
  ])("a duration of %i µs is %s", (micros, text) => expect(duration(micros)).toBe(text));

  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1500, "1.5 kB"],
    [44_384, "44 kB"],
    [2_000_000, "2 MB"],
    [3_500_000_000, "3.5 GB"],
  ])("%i bytes are %s", (value, text) => expect(bytes(value)).toBe(text));

  it("shows one digit of small rates", () => {
    expect(perSecond(0.25)).toBe("0.3");
    expect(perSecond(0)).toBe("0");
    expect(perSecond(1203.4)).toBe("1,203");
  });

  it("tells the time of day and how long ago", () => {
    expect(clock(new Date(2026, 0, 2, 3, 4, 5).getTime())).toBe("03:04:05");
    expect(elapsed(3400)).toBe("3 s");
    expect(elapsed(125_000)).toBe("2 min 5 s");
    expect(elapsed(-1)).toBe("0 s");
  });

  it("says ranges and cuts visibly", () => {
    expect(ranges([0, 1, 2, 5, 7, 8])).toBe("0–2, 5, 7, 8");
    expect(ranges([])).toBe("");
    expect(shorten("(Add a b)", 6)).toBe("(Add …");
    expect(shorten("(Add a b)", 9)).toBe("(Add a b)");
  });
});
