/**
 * Keeps a document up to date: by server-sent events where the host streams, by conditional polling where it does not. Comes back by itself from every failure.
 * The browser is reached through `Ports` only, so that tests can be exact about time.
 */

/** How the document comes. */
export type Connection =
  | { state: "connecting" }
  | { state: "live"; by: "stream" | "polling" }
  /** It was lost; `retryIn` is in milliseconds. */
  | { state: "lost"; why: string; retryIn: number };

/** The part of `EventSource` that is used. */
export interface Source {
  /** 0 connecting, 1 open, 2 closed: it does not try again by itself. */
  readonly readyState: number;
  addEventListener(type: string, listener: (event: { data?: unknown }) => void): void;
  close(): void;
}

export interface Ports {
  open(url: string): Source;
  fetch(url: string, options: RequestInit): Promise<Response>;
  /** Calls once after so many milliseconds; what it answers stops that. */
  after(milliseconds: number, call: () => void): () => void;
}

export interface Options {
  events: string;
  document: string;
  /** Milliseconds from one poll to the next. */
  every: number;
  /** A stream that has sent nothing for so many milliseconds is opened anew: its first event comes at once, so a live one costs nothing by that. */
  silence: number;
  /** A stream that sends nothing at first is held back by something in between after so many milliseconds. */
  patience: number;
  /** While it polls it tries to stream again after so many milliseconds. */
  again: number;
}

export const DEFAULTS: Options = { events: "/events", document: "/status", every: 1000, silence: 20_000, patience: 5000, again: 60_000 };

/** The wait before the next try after so many failures: 1, 2, 4, then 8 seconds. */
export function backoff(failures: number): number {
  return 1000 * 2 ** Math.min(Math.max(failures, 1) - 1, 3);
}

export class Live {
  #source: Source | null = null;
  #timers = new Map<string, () => void>();
  #etag: string | null = null;
  #failures = 0;
  /** Raised whenever all that is under way is to be forgotten. */
  #round = 0;

  /**
   * @param deliver Gets each document as text.
   * @param tell Gets each change of the connection.
   */
  constructor(
    readonly ports: Ports,
    readonly deliver: (text: string) => void,
    readonly tell: (connection: Connection) => void,
    readonly options: Options = DEFAULTS,
  ) {}

  start(): void {
    this.tell({ state: "connecting" });
    this.#stream();
  }

  stop(): void {
    this.#round += 1;
    this.#source?.close();
    this.#source = null;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  #at(name: string, milliseconds: number, call: () => void): void {
    this.#timers.get(name)?.();
    this.#timers.set(name, this.ports.after(milliseconds, call));
  }

  #stream(): void {
    this.stop();
    const round = this.#round;
    const source = this.ports.open(this.options.events);
    this.#source = source;
    let arrived = false;
    // What sends nothing at once does not stream, or is not there: a poll finds out which.
    this.#at("stream", this.options.patience, () => this.#poll());
    source.addEventListener("status", ({ data }) => {
      if (round !== this.#round || typeof data !== "string") return;
      arrived = true;
      this.#failures = 0;
      this.tell({ state: "live", by: "stream" });
      this.deliver(data);
      this.#at("stream", this.options.silence, () => this.#stream());
    });
    source.addEventListener("error", () => {
      if (round !== this.#round) return;
      if (source.readyState === 2) {
        // Refused: no such thing there, or too many streams.
        this.#poll();
      } else if (arrived) {
        // The browser opens it again by itself. A stream that has come to its end is back within a second or so; what takes longer is said.
        arrived = false;
        this.#at("lost", 2500, () => this.tell({ state: "lost", why: "the stream broke off", retryIn: 1000 }));
        this.#at("stream", this.options.patience, () => this.#poll());
      }
    });
    source.addEventListener("open", () => {
      this.#timers.get("lost")?.();
      this.#timers.delete("lost");
    });
  }

  #poll(): void {
    this.stop();
    this.#at("again", this.options.again, () => this.#stream());
    void this.#once(this.#round);
  }

  async #once(round: number): Promise<void> {
    let problem: string | null = null;
    try {
      const headers: Record<string, string> = this.#etag ? { "if-none-match": this.#etag } : {};
      const response = await this.ports.fetch(this.options.document, { headers, cache: "no-store" });
      if (round !== this.#round) return;
      if (response.status === 200) {
        const text = await response.text();
        if (round !== this.#round) return;
        this.#etag = response.headers.get("etag");
        this.deliver(text);
      } else if (response.status !== 304) {
        problem = `the server answers ${response.status}`;
      }
    } catch {
      problem = "the server cannot be reached";
    }
    if (round !== this.#round) return;
    if (problem === null) {
      const was = this.#failures;
      this.#failures = 0;
      this.tell({ state: "live", by: "polling" });
      // It is back: perhaps it streams now.
      if (was > 0) this.#at("again", this.options.every, () => this.#stream());
      this.#at("poll", this.options.every, () => void this.#once(round));
    } else {
      this.#failures += 1;
      const retryIn = backoff(this.#failures);
      this.tell({ state: "lost", why: problem, retryIn });
      this.#at("poll", retryIn, () => void this.#once(round));
    }
  }
}

export const BROWSER: Ports = {
  open: (url) => new EventSource(url) as Source,
  fetch: (url, options) => fetch(url, options),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  },
};
