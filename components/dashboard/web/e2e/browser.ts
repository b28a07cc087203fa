/** Debian's Chromium, and pages that remember what goes wrong in them. */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { expect } from "vitest";
import { ROOT } from "./network.ts";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const SCREENSHOTS = join(ROOT, "target/screenshots");

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 360, height: 740 };

/** With a fresh profile each time: playwright makes one, and removes it. */
export async function launch(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error(`there is no ${CHROMIUM}: install it (Debian: apt-get install chromium), or say in CHROMIUM where it is`);
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

export interface Watched {
  page: Page;
  /** What a page must not do: errors, warnings, violations of the policy, requests to others. */
  wrong: string[];
}

/** Opens a route of the page at `url`, and waits until it knows the network. */
export async function open(browser: Browser, url: string, route: string, options: BrowserContextOptions = {}, known = true): Promise<Watched> {
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  const page = await context.newPage();
  const wrong: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) wrong.push(`${message.type()}: ${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => wrong.push(`uncaught: ${error.message}`));
  page.on("request", (request) => {
    const to = new URL(request.url());
    if (!["data:", "blob:"].includes(to.protocol) && to.origin !== url) wrong.push(`a request to ${to.origin}`);
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(`${url}/#/${route}`);
  if (known) await page.waitForSelector('[data-connection="live"]', { timeout: 15_000 });
  return { page, wrong };
}

/** Nothing went wrong, but for what a test provokes. */
export async function close({ page, wrong }: Watched, provoked?: RegExp): Promise<void> {
  await page.context().close();
  expect(wrong.filter((one) => !provoked?.test(one))).toEqual([]);
}

export async function shoot(page: Page, name: string): Promise<void> {
  await mkdir(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

/** The text of an element, without line breaks. */
export async function text(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).first().innerText()).replace(/\s+/g, " ").trim();
}

/** The events that the diagram of the timeline draws, each with the classes of its mark. */
export async function drawnEvents(page: Page): Promise<Map<string, string>> {
  const looks = await page.locator(".diagram .event").evaluateAll((all) => all.map((one) => [one.getAttribute("class")!, one.getAttribute("data-events")!] as const));
  return new Map(looks.flatMap(([look, ids]) => ids.split(" ").map((id) => [id, look])));
}

/** The middle of an event's mark, in pixels of the window: where its own strokes are, of a path that draws many. */
export async function placeOf(page: Page, id: string): Promise<{ x: number; y: number }> {
  return page.locator(`.diagram [data-events~="${id}"]`).evaluate((path, id) => {
    const ids = path.getAttribute("data-events")!.split(" ");
    const strokes = path.getAttribute("d")!.split("M").slice(1);
    const each = strokes.length / ids.length;
    const first = ids.indexOf(id) * each;
    const own = path.cloneNode() as Element;
    own.setAttribute("d", strokes.slice(first, first + each).map((stroke) => `M${stroke}`).join(""));
    path.after(own);
    const { x, y, width, height } = own.getBoundingClientRect();
    own.remove();
    return { x: x + width / 2, y: y + height / 2 };
  }, id);
}
