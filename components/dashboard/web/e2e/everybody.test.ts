/** What holds for every view: anybody can use it, it is light, and it keeps to its origin and policy. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { close, DESKTOP, launch, open, PHONE, shoot } from "./browser.ts";

const url = inject("url");
const VIEWS: Record<string, string> = { network: ".node", "agent/3": ".list li", timeline: ".diagram .event", performance: ".plot canvas", egraph: ".eclass", try: ".gutter [data-line]" };
/** Bytes of everything that the page is made of, compressed as it comes over the wire, without the heads of the answers. */
const BYTES = 60_000;
/** Milliseconds. */
const FIRST_PAINT = 1000;

let browser: Browser;
let axe: string;
beforeAll(async () => {
  browser = await launch();
  axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
});
afterAll(() => browser.close());

/** Scripts of tests are not the page's: they are put in by the browser, past the policy. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const results = await page.evaluate(() => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run());
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${String(target)} ${failureSummary}`).join("; ")}`);
}

/** Whatever has moved on the page by itself, since it was opened. */
async function shifts(page: Page): Promise<string[]> {
  return page.evaluate(
    () =>
      new Promise<string[]>((done) => {
        const found: string[] = [];
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) {
            const { value, hadRecentInput, sources } = entry as unknown as { value: number; hadRecentInput: boolean; sources: { node: Node | null; previousRect: DOMRect; currentRect: DOMRect }[] };
            if (hadRecentInput) continue;
            for (const { node, previousRect, currentRect } of sources) {
              // A number at the right of its cell begins further left once it has a digit more. Its box stays, and that is what counts here.
              const digits = node?.nodeType === Node.TEXT_NODE && node.parentElement?.closest(".number") && previousRect.y === currentRect.y;
              if (!digits) found.push(`${value}: ${node?.nodeName} ${node?.textContent?.slice(0, 40)} ${JSON.stringify(previousRect)} ${JSON.stringify(currentRect)}`);
            }
          }
        }).observe({ type: "layout-shift", buffered: true });
        setTimeout(() => done(found), 300);
      }),
  );
}

describe.each([
  ["desktop", DESKTOP],
  ["phone", PHONE],
] as const)("on a %s", (device, viewport) => {
  test.each(Object.entries(VIEWS))("%s is accessible in light and dark, fits, and nothing in it shifts", async (route, content) => {
    const watched = await open(browser, url, route, { viewport, colorScheme: "light", reducedMotion: "reduce" });
    const { page } = watched;
    await page.waitForSelector(content, { state: "attached" });
    await page.waitForTimeout(500);
    expect(await shifts(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    expect(await page.locator("h1").count()).toBe(1);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await shoot(page, `${route.replace("/", "-")}-${device}-${colorScheme}`);
      expect(await violations(page), colorScheme).toEqual([]);
    }
    await close(watched);
  });
});

describe("budgets", () => {
  test("the first paint comes within a second, and all files are small and compressed", async () => {
    const watched = await open(browser, url, "network");
    const { page } = watched;
    const { paint, files } = await page.evaluate(() => ({
      paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Infinity,
      files: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .map((entry) => entry as PerformanceResourceTiming)
        .filter(({ name }) => !/\/(status|events|view\/.*)$/.test(new URL(name).pathname))
        .map(({ name, encodedBodySize }) => ({ name: new URL(name).pathname, encodedBodySize })),
    }));
    expect(paint).toBeLessThan(FIRST_PAINT);
    expect(files.map(({ name }) => name).sort()).toEqual(expect.arrayContaining(["/", "/assets/app.css", "/assets/app.js"]));
    const all = files.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0);
    console.log(`first contentful paint ${Math.round(paint)} ms, ${all} bytes`);
    expect(all).toBeGreaterThan(10_000);
    expect(all).toBeLessThan(BYTES);
    await close(watched);
  });

  test("the policy is strict, and the page comes with it", async () => {
    const response = await fetch(url);
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain("unsafe");
  });
});

describe("with a keyboard alone", () => {
  /** What has the focus: its name as the browser computes it, and whether one sees that. */
  async function focused(page: Page): Promise<{ name: string; seen: boolean; tag: string }> {
    return page.evaluate(() => {
      const element = document.activeElement as HTMLElement;
      const style = getComputedStyle(element);
      const around = getComputedStyle(element.closest(".code") ?? element);
      const seen = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || (around.outlineStyle !== "none" && parseFloat(around.outlineWidth) > 0) || element.matches(".eclass");
      return { name: element.getAttribute("aria-label") ?? element.innerText ?? "", seen, tag: element.tagName };
    });
  }

  test("every view is reached, and the focus is always seen", async () => {
    const watched = await open(browser, url, "network");
    const { page } = watched;
    await page.keyboard.press("Tab");
    expect((await focused(page)).name).toBe("Skip to the view");
    await page.keyboard.press("Enter");
    expect((await focused(page)).tag).toBe("H2");
    for (const [title, key] of [
      ["Timeline", "ArrowLeft"],
      ["Performance", null],
      ["E-graph", null],
      ["Try it", null],
      ["Agent", null],
      ["Network", null],
    ] as const) {
      // Back from the heading, or from where one is in the view.
      for (let tabs = 0; tabs < 45; tabs += 1) {
        await page.keyboard.press("Shift+Tab");
        const now = await focused(page);
        expect(now.seen, `${title}: the focus on ${now.tag} ${now.name.slice(0, 40)} is seen`).toBe(true);
        if (now.name.trim() === title) break;
      }
      await page.keyboard.press("Enter");
      await page.waitForFunction((wanted) => document.activeElement?.matches("h2") && document.activeElement.textContent!.startsWith(wanted), title);
      if (key) {
        for (let tabs = 0; tabs < 25 && (await focused(page)).name !== "Events of the agents"; tabs += 1) await page.keyboard.press("Tab");
        await page.waitForSelector(".diagram .event", { state: "attached" });
        await page.keyboard.press(key);
        await page.waitForSelector("[data-picked]");
      }
    }
    await close(watched);
  });

  test("a class of the e-graph is chosen, and a program submitted", async () => {
    const watched = await open(browser, url, "egraph");
    const { page } = watched;
    await page.waitForSelector(".eclass");
    const wanted = await page.locator(".eclass").nth(1).getAttribute("data-class");
    for (let tabs = 0; tabs < 60; tabs += 1) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate(() => document.activeElement?.getAttribute("data-class"))) === wanted) break;
    }
    await page.keyboard.press("Space");
    await page.waitForSelector(`[data-selected=${JSON.stringify(wanted)}]`);
    await page.goto(`${url}/#/try`);
    await page.waitForFunction(() => document.querySelector("textarea")?.value !== "");
    const one = `k${Date.now() % 1_000_000}`;
    for (let tabs = 0; tabs < 30; tabs += 1) {
      await page.keyboard.press("Tab");
      const now = await focused(page);
      if (now.tag === "TEXTAREA") {
        await page.keyboard.press("Control+A");
        await page.keyboard.type(`(datatype ${one}Sort (${one} i64)) (let ${one}s (${one} 1))`);
      }
      expect(now.seen, `the focus on ${now.tag} ${now.name} is seen`).toBe(true);
      if (now.name === "Submit") break;
    }
    await page.keyboard.press("Enter");
    await page.waitForSelector(".progress");
    await close(watched);
  });
});

describe("with reduced motion", () => {
  test("nothing moves: lines show who exchanged messages", async () => {
    const watched = await open(browser, url, "network", { reducedMotion: "reduce" });
    await watched.page.waitForSelector("line.recent", { state: "attached" });
    expect(await watched.page.locator(".dot").count()).toBe(0);
    await close(watched);
  });
});

describe("for those who listen", () => {
  test("the live region does not chatter while numbers count on", async () => {
    const watched = await open(browser, url, "network");
    const { page } = watched;
    const heard = await page.evaluate(
      () =>
        new Promise<string[]>((done) => {
          const said: string[] = [];
          const observer = new MutationObserver(() => said.push(document.querySelector("#announcer")!.textContent!));
          observer.observe(document.querySelector("#announcer")!, { childList: true, characterData: true, subtree: true });
          setTimeout(() => done(said), 4000);
        }),
    );
    expect(heard.length).toBeLessThanOrEqual(1);
    expect(await page.locator("[aria-live]:not([aria-live=off])").count()).toBe(1);
    await close(watched);
  });
});
