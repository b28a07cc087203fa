/**
 * What a frame costs where many messages arrive. Nine real agents on the machine that tests them do not send so many, so a document of theirs is told again and again, with counters and receptions as those of
 * 1,200 messages a second; the browser, the page and all it does are as they are. Times are printed and judged by nobody; how often the page is laid out is.
 */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { answers, type Status, type Timeline } from "../src/live/documents.ts";
import { event } from "../test/documents.ts";
import { drawnEvents, launch, open, shoot, text } from "./browser.ts";
import { eventually } from "./network.ts";

const RATE = 1200;
/** Milliseconds that are measured. */
const MEASURED = 3000;
const url = inject("url");
let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

/** The same document, as it is when every agent has received its share of the messages since. */
function later(status: Status, seconds: number): Status {
  const more = Math.round((RATE * seconds) / status.agents.length);
  const agents = status.agents.map((agent) => (answers(agent) ? { ...agent, messages_received: agent.messages_received + more, messages_sent: agent.messages_sent + more, updated_at: agent.updated_at + Math.round(1000 * seconds) } : agent));
  return { ...status, at: status.at + Math.round(1000 * seconds), agents };
}

/** What arrives after a time, of so many messages in the second before `now`; both in microseconds. */
function arrivals(status: Status, after: number, now: number, limit: number): Timeline {
  const agents = status.agents.length;
  const lanes = status.agents.map(({ id }) => ({ agent: id, incarnation: 0, name: `agent ${id}` }));
  const clocks = lanes.map(() => 0);
  const first = Math.max(Math.ceil((after * RATE) / 1e6), Math.ceil(((now - 2e6) * RATE) / 1e6));
  const last = Math.floor((now * RATE) / 1e6);
  const all = Array.from({ length: Math.max(last - first, 0) }, (_, index) => first + index);
  const events = all.slice(-limit).map((message, index, { length }) => {
    const lane = message % agents;
    clocks[lane]! += 1;
    const peer = (lane + 1 + (Math.floor(message / agents) % (agents - 1))) % agents;
    return event(lane, index / Math.max(length - 1, 1), [...clocks], { id: `${lane}.0.${message}`, index: message, kind: "received", peer, message, at: (message * 1e6) / RATE, text: `agent ${lane} receives from ${peer}` });
  });
  return { lanes, events, arrows: [], left_out: 0, shown: events.length, total: all.length, silent: [] };
}

/** The page at `route`, which is told of many messages. */
async function busy(route: string): Promise<Page> {
  const first = (await (await fetch(`${url}/status`)).json()) as Status;
  const start = performance.now();
  const status = () => later(first, (performance.now() - start) / 1000);
  const { page } = await open(browser, url, route, {}, false);
  await page.route("**/events", (one) => one.abort("connectionrefused"));
  await page.route("**/status", (one) => one.fulfill({ json: status() }));
  await page.route("**/view/timeline*", (one) => {
    const query = new URL(one.request().url()).searchParams;
    return one.fulfill({ json: arrivals(first, Number(query.get("after") ?? 0), status().at * 1000, Number(query.get("limit") ?? 500)) });
  });
  await page.reload();
  await page.waitForSelector('[data-by="polling"]', { timeout: 15_000 });
  return page;
}

interface Measured {
  frames: number;
  layouts: number;
}

/** What the browser has done, by its own account, while frames went by. */
async function measure(page: Page, what: string): Promise<Measured> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const metrics = async () => new Map((await session.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  const before = await metrics();
  const seen = await page.evaluate(
    (milliseconds) =>
      new Promise<{ apart: number[]; long: number[] }>((done) => {
        const long: number[] = [];
        const observer = new PerformanceObserver((list) => long.push(...list.getEntries().map((entry) => entry.duration)));
        observer.observe({ type: "longtask" });
        const apart: number[] = [];
        const start = performance.now();
        let last = start;
        const next = (now: number) => {
          apart.push(now - last);
          last = now;
          if (now - start < milliseconds) requestAnimationFrame(next);
          else {
            observer.disconnect();
            done({ apart: apart.slice(1), long });
          }
        };
        requestAnimationFrame(next);
      }),
    MEASURED,
  );
  const after = await metrics();
  const frames = seen.apart.length;
  const each = (name: string) => `${((1000 * (after.get(name)! - before.get(name)!)) / frames).toFixed(2)} ms`;
  const sorted = [...seen.apart].sort((one, other) => one - other);
  const at = (share: number) => `${sorted[Math.min(Math.floor(share * frames), frames - 1)]!.toFixed(1)} ms`;
  console.log(
    `${what}, ${RATE} messages/s: ${frames} frames in ${MEASURED / 1000} s, p50 ${at(0.5)} and p95 ${at(0.95)} apart; each ${each("ScriptDuration")} of script, ${each("RecalcStyleDuration")} of styles, ${each("LayoutDuration")} of layout, ${each("TaskDuration")} in all; ${seen.long.length} long tasks (the longest ${Math.round(Math.max(0, ...seen.long))} ms)`,
  );
  return { frames, layouts: after.get("LayoutCount")! - before.get("LayoutCount")! };
}

test("messages move", { timeout: 60_000 }, async () => {
  const page = await busy("network");
  await eventually("so many are told of", async () => /1,[12]\d\d messages\/s/.test(await text(page, "#sentence")));
  await eventually("as many move as may", async () => (await page.locator(".dot").count()) > 100);
  expect(await text(page, ".ring .told")).toMatch(/\d+ of 1,\d\d\d newly arrived messages are drawn/);
  const { frames, layouts } = await measure(page, "messages on their way");
  expect(frames).toBeGreaterThan(0);
  // Nothing reads what it has just written: laid out once a frame, and now and then for a document.
  expect(layouts).toBeLessThan(2 * frames + 60);
  await shoot(page, "network-busy");
  await page.context().close();
});

test("the timeline follows", { timeout: 60_000 }, async () => {
  const page = await busy("timeline?limit=2000");
  await eventually("as much is shown as may", async () => (await drawnEvents(page)).size > 1000);
  const newest = async () => Math.max(...[...(await drawnEvents(page)).keys()].map((id) => Number(id.split(".").at(-1))));
  const before = await newest();
  const { frames, layouts } = await measure(page, "a timeline of 2,000 events");
  expect(layouts).toBeLessThan(2 * frames + 60);
  expect(await newest()).toBeGreaterThan(before);
  await page.context().close();
});
