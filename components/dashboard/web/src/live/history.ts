import type { Status } from "./documents.ts";

/** What there was at a time, and how many values it has that are not in the one before. */
export interface Past {
  status: Status;
  fresh: number;
}

/**
 * `now`, with everything in it that is the same as in `before` taken from there, and how many values are new. From one document of a hundred agents to the next hardly a hundredth changes: sharing the rest
 * lets one look back for minutes, and lets views see by identity what has not changed. Linear; `now` is changed.
 */
export function share<Value>(before: unknown, now: Value): { shared: Value; fresh: number } {
  let fresh = 0;
  // JSON has nothing but values, lists and objects.
  const take = (old: any, own: any): any => {
    if (typeof own !== "object" || own === null) return own;
    const comparable = typeof old === "object" && old !== null && Array.isArray(old) === Array.isArray(own);
    const keys = Object.keys(own);
    let same = comparable && Object.keys(old).length === keys.length;
    for (const key of keys) {
      own[key] = take(comparable ? old[key] : null, own[key]);
      same &&= old[key] === own[key];
    }
    if (same) return old;
    fresh += keys.length;
    return own;
  };
  return { shared: take(before, now), fresh };
}

/** The last documents, oldest first: at most `count` of them, and with at most so many `values` in all, but always the newest. Adding takes amortised constant time. */
export class History {
  #entries: Past[] = [];
  #first = 0;
  #values = 0;

  constructor(
    readonly count: number,
    readonly values: number,
  ) {}

  get length(): number {
    return this.#entries.length - this.#first;
  }

  add(entry: Past): void {
    this.#entries.push(entry);
    this.#values += entry.fresh;
    while (this.length > 1 && (this.length > this.count || this.#values > this.values)) {
      this.#values -= this.#entries[this.#first]!.fresh;
      this.#first += 1;
    }
    // What was dropped is let go of in one go, so that not every addition moves all.
    if (this.#first > this.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
  }

  /** A copy that later additions do not change. */
  all(): Status[] {
    return this.#entries.slice(this.#first).map(({ status }) => status);
  }
}
