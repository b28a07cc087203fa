import { beforeEach, describe, expect, it } from "vitest";
import { backoff, DEFAULTS, Live, type Connection, type Ports, type Source } from "../src/live/stream.ts";

/** A browser whose time passes when a test says so. */
class Browser implements Ports {
  now = 0;
  timers: { at: number; call: () => void }[] = [];
  sources: FakeSource[] = [];
  requests: RequestInit[] = [];
  answer: () => Response = () => new Response("{}", { status: 200 });

  open(): Source {
    const source = new FakeSource();
    this.sources.push(source);
    return source;
  }

  async fetch(_: string, options: RequestInit): Promise<Response> {
    this.requests.push(options);
    return this.answer();
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = { at: this.now + milliseconds, call };
    this.timers.push(timer);
    return () => (this.timers = this.timers.filter((one) => one !== timer));
  }

  /** Lets time pass, and everything that is due happen. */
  async pass(milliseconds: number): Promise<void> {
    const until = this.now + milliseconds;
    for (;;) {
      await settle();
      const due = this.timers.filter(({ at }) => at <= until).sort((one, other) => one.at - other.at)[0];
      if (!due) break;
      this.now = due.at;
      this.timers = this.timers.filter((one) => one !== due);
      due.call();
    }
    this.now = until;
  }
}

class FakeSource implements Source {
  readyState = 0;
  listeners = new Map<string, (event: { data?: unknown }) => void>();
  addEventListener(type: string, listener: (event: { data?: unknown }) => void): void {
    this.listeners.set(type, listener);
  }
  close(): void {
    this.readyState = 2;
  }
  status(data: string): void {
    this.readyState = 1;
    this.listeners.get("status")!({ data });
  }
  fail(readyState: number): void {
    this.readyState = readyState;
    this.listeners.get("error")!({});
  }
}

/** Promises that are already settled, and those that follow from them. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

let browser: Browser;
let documents: string[];
let told: Connection[];
let live: Live;

beforeEach(() => {
  browser = new Browser();
  documents = [];
  told = [];
  live = new Live(browser, (text) => documents.push(text), (connection) => told.push(connection));
  live.start();
});

describe("the stream", () => {
  it("delivers what comes", () => {
    browser.sources[0]!.status("one");
    browser.sources[0]!.status("two");
    expect(documents).toEqual(["one", "two"]);
    expect(told.at(-1)).toEqual({ state: "live", by: "stream" });
  });

  it("that ends and is back at once is not told of", async () => {
    browser.sources[0]!.status("one");
    browser.sources[0]!.fail(0);
    await browser.pass(1000);
    browser.sources[0]!.listeners.get("open")!({});
    browser.sources[0]!.status("two");
    await browser.pass(4000);
    expect(told.some(({ state }) => state === "lost")).toBe(false);
    expect(browser.requests).toEqual([]);
  });

  it("that stays away is told of, and polls take over", async () => {
    browser.sources[0]!.status("one");
    browser.sources[0]!.fail(0);
    await browser.pass(2500);
    expect(told.at(-1)).toMatchObject({ state: "lost" });
    browser.answer = () => new Response("two", { status: 200 });
    await browser.pass(DEFAULTS.patience - 2500);
    expect(documents).toEqual(["one", "two"]);
    expect(told.at(-1)).toEqual({ state: "live", by: "polling" });
  });

  it("that falls silent is opened anew", async () => {
    browser.sources[0]!.status("one");
    await browser.pass(DEFAULTS.silence);
    expect(browser.sources).toHaveLength(2);
    expect(browser.sources[0]!.readyState).toBe(2);
  });

  it("that was closed delivers nothing any more", () => {
    live.stop();
    browser.sources[0]!.status("late");
    expect(documents).toEqual([]);
  });
});

describe("where the host does not stream", () => {
  it("it polls, and asks only for what it does not have", async () => {
    browser.answer = () => new Response("doc", { status: 200, headers: { etag: '"a"' } });
    browser.sources[0]!.fail(2);
    await browser.pass(0);
    expect(documents).toEqual(["doc"]);
    browser.answer = () => new Response(null, { status: 304 });
    await browser.pass(DEFAULTS.every);
    expect(browser.requests.at(-1)!.headers).toEqual({ "if-none-match": '"a"' });
    expect(documents).toEqual(["doc"]);
    expect(told.at(-1)).toEqual({ state: "live", by: "polling" });
  });

  it("a stream that sends nothing is given up after a while", async () => {
    browser.answer = () => new Response("doc", { status: 200 });
    await browser.pass(DEFAULTS.patience);
    expect(documents).toEqual(["doc"]);
  });

  it("it tries to stream again later", async () => {
    browser.sources[0]!.fail(2);
    await browser.pass(DEFAULTS.again);
    expect(browser.sources).toHaveLength(2);
  });
});

describe("a server that is gone", () => {
  it("is asked less and less often, and streamed from as soon as it is back", async () => {
    browser.answer = () => {
      throw new TypeError("refused");
    };
    browser.sources[0]!.fail(2);
    await browser.pass(0);
    expect(told.at(-1)).toEqual({ state: "lost", why: "the server cannot be reached", retryIn: 1000 });
    await browser.pass(1000);
    expect(told.at(-1)).toMatchObject({ retryIn: 2000 });
    await browser.pass(2000);
    expect(told.at(-1)).toMatchObject({ retryIn: 4000 });
    expect(browser.requests).toHaveLength(3);
    browser.answer = () => new Response("back", { status: 200 });
    await browser.pass(4000 + DEFAULTS.every);
    expect(documents).toContain("back");
    expect(browser.sources).toHaveLength(2);
  });

  it("is told what it answers", async () => {
    browser.answer = () => new Response("", { status: 503 });
    browser.sources[0]!.fail(2);
    await browser.pass(0);
    expect(told.at(-1)).toMatchObject({ why: "the server answers 503" });
  });

  it("is asked every eight seconds at last", () => {
    expect([1, 2, 3, 4, 5, 100].map(backoff)).toEqual([1000, 2000, 4000, 8000, 8000, 8000]);
  });
});
