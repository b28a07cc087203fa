import { describe, expect, it } from "vitest";
import { place } from "../src/parts/editor.tsx";
import { questionsOf, read, subterm } from "../src/term.ts";

describe("terms", () => {
  it("lead to a subterm by its place", () => {
    const term = "(Mul (Num 2) (Add (Num 1) (Add (Num 2) (Num 3))))";
    const at = (place: number[]) => {
      const part = subterm(term, place);
      return part && term.slice(part.start, part.end);
    };
    expect(at([])).toBe(term);
    expect(at([0])).toBe("(Num 2)");
    expect(at([1, 1])).toBe("(Add (Num 2) (Num 3))");
    expect(at([1, 1, 0, 0])).toBe("2");
    expect(at([5])).toBeNull();
    expect(at([0, 0, 0])).toBeNull();
  });

  it("have strings with parentheses and quotes in them", () => {
    const term = '(F "a ) \\" b" c)';
    const part = subterm(term, [1])!;
    expect(term.slice(part.start, part.end)).toBe("c");
  });

  it("need not be closed", () => {
    expect(read("(F (G x")).toHaveLength(1);
    expect(read(')) x "')).toHaveLength(2);
  });
});

describe("questions of a program", () => {
  it("are its commands that ask, with comments skipped", () => {
    const program = `; (extract nothing)
(let x (Num 1))
(run 5)
(extract x)
(check (= x (Num 1)) (!= x y))
(explain x (Num 1))
(fail (check (= x y)))
(explain x)
extract`;
    expect(questionsOf(program)).toEqual([
      { kind: "extract", term: "x" },
      { kind: "check", facts: "(= x (Num 1)) (!= x y)" },
      { kind: "explain", a: "x", b: "(Num 1)" },
    ]);
  });
});

describe("the place of a mistake", () => {
  it("counts characters, and lines as the editor shows them", () => {
    const text = "(a)\n(ü 𝔸 b)\nc";
    expect(place(text, { line: 2, column: 6 })).toBe(text.indexOf("b"));
    expect(place(text, { line: 1, column: 99 })).toBe(3);
    expect(place(text, { line: 9, column: 1 })).toBe(text.length);
  });
});
