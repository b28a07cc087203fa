import type { Question } from "./live/documents.ts";

/** Terms as text: where their parts are, and which questions a program asks. Reads what the agents write, and programs as far as that takes. */

/** A term or atom: from `start` up to `end`, as indexes into the text. */
export interface Part {
  start: number;
  end: number;
  /** Of a term in parentheses: all that stands in it, the operator first. Null for an atom. */
  parts: Part[] | null;
}

/** Everything that stands in a text, in order. Comments are skipped; what is not closed ends with the text. Linear. */
export function read(text: string): Part[] {
  const top: Part[] = [];
  const open: Part[] = [];
  const add = (part: Part) => (open.at(-1)?.parts ?? top).push(part);
  let at = 0;
  while (at < text.length) {
    const character = text[at]!;
    if (/\s/.test(character)) {
      at += 1;
    } else if (character === ";") {
      while (at < text.length && text[at] !== "\n") at += 1;
    } else if (character === "(") {
      const part: Part = { start: at, end: text.length, parts: [] };
      add(part);
      open.push(part);
      at += 1;
    } else if (character === ")") {
      at += 1;
      const closed = open.pop();
      if (closed) closed.end = at;
    } else {
      const start = at;
      if (character === '"') {
        at += 1;
        while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
        at = Math.min(at + 1, text.length);
      } else {
        while (at < text.length && !/[\s();"]/.test(text[at]!)) at += 1;
      }
      add({ start, end: at, parts: null });
    }
  }
  return top;
}

/** Where the subterm is that `place` leads to (which argument to go into, from the root on). Null if there is none. */
export function subterm(text: string, place: readonly number[]): { start: number; end: number } | null {
  let part = read(text)[0];
  for (const argument of place) part = part?.parts?.[argument + 1];
  return part ? { start: part.start, end: part.end } : null;
}

/** What a program asks for: its `extract`, `check` and `explain` commands that stand at the top. Others run something, and an agent does not take them. */
export function questionsOf(program: string): Question[] {
  const text = (part: Part) => program.slice(part.start, part.end);
  return read(program).flatMap((command): Question[] => {
    const [name, first, second] = command.parts ?? [];
    if (!name || !first) return [];
    switch (text(name)) {
      case "extract":
        return [{ kind: "extract", term: text(first) }];
      case "check":
        return [{ kind: "check", facts: program.slice(first.start, command.parts!.at(-1)!.end) }];
      case "explain":
        return second ? [{ kind: "explain", a: text(first), b: text(second) }] : [];
      default:
        return [];
    }
  });
}
