/** Large e-graphs and many agents: what is shown stays whole, and readable. How long it takes is printed, and judged by nobody. LEAVES and AGENTS say how large, to measure by hand what is too large for every day. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { count } from "../src/format.ts";
import { answers, type Explanation, type Found, type Neighbourhood, type Status } from "../src/live/documents.ts";
import { close, launch, open, shoot, text } from "./browser.ts";
import { eventually, Network, ROOT } from "./network.ts";

const LEAVES = Number(process.env.LEAVES ?? 7_000);
const AGENTS = Number(process.env.AGENTS ?? 24);
/** Milliseconds until a network is ready. */
const PATIENCE = 300_000;

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

const figures: string[] = [];
async function timed<Value>(what: string, run: () => Promise<Value>): Promise<Value> {
  const start = performance.now();
  const value = await run();
  figures.push(`${what} ${Math.round(performance.now() - start)} ms`);
  return value;
}
function tell(of: string): void {
  console.log(`${of}: ${figures.splice(0).join(", ")}`);
}

async function converged(network: Network): Promise<Status> {
  return eventually(
    "all have converged",
    async () => {
      const status = await network.get<Status>("/status");
      return status.converged && status.agents.every((agent) => answers(agent) && agent.enodes > 0) ? status : null;
    },
    PATIENCE,
    1000,
  );
}

/** A balanced sum of numbers. */
function sum(from: number, to: number): string {
  const middle = (from + to) >> 1;
  return to - from === 1 ? `(Num ${from})` : `(Add ${sum(from, middle)} ${sum(middle, to)})`;
}

describe(`an e-graph of ${count(LEAVES * 3)} e-nodes and more`, () => {
  let network: Network;
  let status: Status;
  beforeAll(async () => {
    // That sides may be swapped doubles the sums.
    network = await Network.run(`(datatype Math (Num i64) (Add Math Math))\n(rewrite (Add a b) (Add b a) :name "swap")\n(let total ${sum(0, LEAVES)})\n`, 3);
    status = await converged(network);
  }, PATIENCE);
  afterAll(() => network?.stop(), 60_000);

  test("is searched, walked and explained a part at a time", { timeout: 120_000 }, async () => {
    const agent = status.agents.find(answers)!;
    expect(agent.enodes).toBeGreaterThan(LEAVES * 3 - 3);
    const watched = await open(browser, network.url, "network");
    const { page } = watched;
    await timed("the first classes", async () => {
      await page.goto(`${network.url}/#/egraph`);
      await page.waitForSelector(".eclass");
    });
    const graph = await network.get<Neighbourhood>("/view/egraph?agent=0&classes=40");
    expect(graph.enodes).toBe(agent.enodes);
    expect(graph.shown).toBeLessThanOrEqual(40);
    expect(await text(page, "main > .told")).toContain(`${graph.note}, of an e-graph with ${count(agent.enodes)} e-nodes in ${count(agent.eclasses)} classes.`);
    await shoot(page, "egraph-large");

    const leaf = `(Num ${LEAVES >> 1})`;
    await timed("a search", async () => {
      await page.getByRole("searchbox").fill(leaf);
      await page.locator(".found li a", { hasText: leaf }).first().waitFor();
    });
    const found = await network.get<Found>(`/view/search?agent=0&limit=20&q=${encodeURIComponent(leaf)}`);
    expect(await page.locator(".found li").count()).toBe(found.shown);
    await timed("to a term", async () => {
      await page.locator(".found li a", { hasText: leaf }).first().click();
      await page.waitForSelector(`.eclass.center[data-class="${leaf}"]`);
    });

    await page.goto(`${network.url}/#/egraph?classes=10&term=total`);
    // Not the picture from before, which stays until this one is there.
    await page.waitForFunction((own) => document.querySelectorAll(".eclass.center").length === 1 && document.querySelector(".eclass.center")!.getAttribute("data-class") !== own, leaf);
    expect(await page.locator(".eclass").count()).toBeLessThanOrEqual(10);
    for (let step = 0; step < 3; step += 1) {
      await page.waitForSelector('.told[aria-busy="false"]');
      const folded = await page.locator(".eclass").evaluateAll((all) => all.map((one) => one.getAttribute("data-class")!));
      const expanded = new URLSearchParams(new URL(page.url()).hash.split("?")[1]).getAll("expand");
      const id = folded.find((own) => !expanded.includes(own))!;
      await timed("a step", async () => {
        await page.locator(".eclass").nth(folded.indexOf(id)).press("e");
        await page.waitForFunction((own) => new URLSearchParams(location.hash.split("?")[1]).getAll("expand").includes(own), id);
        await page.waitForSelector('.told[aria-busy="false"]');
      });
    }
    expect(await page.locator(".eclass").count()).toBeGreaterThan(3);

    // The two numbers that stand beside each other on the left.
    const [, a, b] = /\(Add \((Num \d+)\) \((Num \d+)\)\)/.exec(sum(0, LEAVES))!;
    await page.getByLabel("One", { exact: true }).fill(`(Add (${a}) (${b}))`);
    await page.getByLabel("Other", { exact: true }).fill(`(Add (${b}) (${a}))`);
    await timed("an explanation", async () => {
      await page.getByRole("button", { name: "Explain" }).click();
      await page.waitForSelector(".explanation");
    });
    const explanation = await network.get<Explanation>(`/agent/0/explain?a=${encodeURIComponent(`(Add (${a}) (${b}))`)}&b=${encodeURIComponent(`(Add (${b}) (${a}))`)}`);
    expect(await page.locator(".explanation .path > li code").allInnerTexts()).toEqual([explanation.steps[0]!.before, ...explanation.steps.map((step) => step.after)]);
    tell(`e-graph of ${count(agent.enodes)} e-nodes`);
    await close(watched);
  });
});

describe(`a network of ${AGENTS} agents`, () => {
  let network: Network;
  beforeAll(async () => {
    network = await Network.run(await readFile(join(ROOT, "deploy/sums.egg"), "utf8"), AGENTS);
    // So many agents on two cores take minutes until they have converged, and are worth looking at before.
    await timed("all have facts after", () =>
      eventually(
        "all have facts",
        async () => {
          const status = await network.get<Status>("/status");
          return status.agents.every((agent) => answers(agent) && agent.enodes > 0 && agent.members.length === AGENTS);
        },
        PATIENCE,
        1000,
      ),
    );
  }, PATIENCE);
  afterAll(() => network?.stop(), 60_000);

  test("is shown whole, and nothing lies on top of anything else", { timeout: 120_000 }, async () => {
    const watched = await open(browser, network.url, "network");
    const { page } = watched;
    await timed("a status", () => network.get<Status>("/status"));
    expect(await page.locator(".node").count()).toBe(AGENTS);
    expect(await page.locator("tr[data-agent]").count()).toBe(AGENTS);
    expect(await page.locator(".node.silent").count()).toBe(0);
    const on = await page.locator(".node").evaluateAll((nodes) => {
      const boxes = nodes.flatMap((node, agent) => [...node.querySelectorAll("text, .form")].map((part) => ({ agent, part: part.getAttribute("class"), box: part.getBoundingClientRect() })));
      const touch = (one: DOMRect, other: DOMRect) => one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
      return boxes.flatMap((one, at) => boxes.slice(at + 1).filter((other) => other.agent !== one.agent && !(one.part!.startsWith("form") && other.part!.startsWith("form")) && touch(one.box, other.box)).map((other) => `${one.part} of ${one.agent} and ${other.part} of ${other.agent}`));
    });
    expect(on).toEqual([]);
    await page.waitForSelector(".dot", { state: "attached" });
    await shoot(page, `network-of-${AGENTS}`);

    await timed("the timeline", async () => {
      await page.goto(`${network.url}/#/timeline`);
      await page.waitForSelector(".diagram .event", { state: "attached" });
    });
    expect(await page.locator(".diagram .name").count()).toBe(AGENTS);
    await shoot(page, `timeline-of-${AGENTS}`);
    // Whoever looks asks for the next answer when there is one to the question before; what another view asked for, and gave up, does not count.
    const under = new Set<object>();
    let [most, asked] = [0, 0];
    page.on("request", (request) => {
      if (!request.url().includes("/view/timeline")) return;
      under.add(request);
      asked += 1;
      most = Math.max(most, under.size);
    });
    page.on("requestfinished", (request) => under.delete(request));
    page.on("requestfailed", (request) => under.delete(request));
    await expect.poll(() => asked, { timeout: 60_000 }).toBeGreaterThanOrEqual(3);
    expect(most).toBe(1);
    await page.goto(`${network.url}/#/agent/${AGENTS - 1}`);
    await page.waitForSelector(`.cards[data-agent="${AGENTS - 1}"]`);
    expect(await page.getByRole("region", { name: "Members" }).locator("tbody tr").count()).toBe(AGENTS);
    await page.goto(`${network.url}/#/performance`);
    await page.waitForSelector(".plot canvas");
    await page.goto(`${network.url}/#/network`);
    await page.waitForSelector(".dot", { state: "attached" });

    await page.getByRole("button", { name: "Pause" }).click();
    const slider = page.getByLabel("Look back");
    expect(Number(await slider.getAttribute("max"))).toBeGreaterThan(0);
    await slider.focus();
    await page.keyboard.press("Home");
    expect(await page.locator(".node").count()).toBe(AGENTS);
    tell(`network of ${AGENTS} agents`);
    await close(watched);
  });
});
