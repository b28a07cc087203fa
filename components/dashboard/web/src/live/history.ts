/** What was there at a time, as text: it is read again only when somebody looks at it. */
export interface Past {
  /** Milliseconds since 1970. */
  at: number;
  text: string;
}

/** The last documents, oldest first: at most `count` of them, and at most `characters` in all, but always the newest. Adding takes amortised constant time. */
export class History {
  #entries: Past[] = [];
  #first = 0;
  #characters = 0;

  constructor(
    readonly count: number,
    readonly characters: number,
  ) {}

  get length(): number {
    return this.#entries.length - this.#first;
  }

  add(entry: Past): void {
    this.#entries.push(entry);
    this.#characters += entry.text.length;
    while (this.length > 1 && (this.length > this.count || this.#characters > this.characters)) {
      this.#characters -= this.#entries[this.#first]!.text.length;
      this.#first += 1;
    }
    // What was dropped is let go of in one go, so that not every addition moves all.
    if (this.#first > this.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
  }

  /** A copy that later additions do not change. */
  all(): Past[] {
    return this.#entries.slice(this.#first);
  }
}
