/** Each feature, clicked through, against what the agents' interfaces say. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { count } from "../src/format.ts";
import { answers, type AgentState, type Checked, type Example, type Explanation, type Neighbourhood, type Status, type Terms, type Timeline } from "../src/live/documents.ts";
import { close, drawnEvents, launch, open, placeOf, shoot, text } from "./browser.ts";
import { eventually } from "./network.ts";

const url = inject("url");
let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

async function get<Document>(path: string): Promise<Document> {
  const response = await fetch(url + path);
  expect(response.status, path).toBe(200);
  return (await response.json()) as Document;
}

describe("the network", () => {
  test("shows each agent as it says it is, and one sentence on all", async () => {
    const watched = await open(browser, url, "network");
    const { page } = watched;
    const status = await get<Status>("/status");
    expect(await text(page, "#sentence")).toContain(status.summary);
    expect(await page.locator(".node").count()).toBe(9);
    for (const agent of status.agents) {
      if (!answers(agent)) throw new Error(`agent ${agent.id} does not answer`);
      const row = page.locator(`tr[data-agent="${agent.id}"]`);
      expect(await row.getAttribute("data-health")).toBe(agent.health);
      const cells = await row.locator("td").allInnerTexts();
      expect(cells.slice(1, 5)).toEqual([agent.facts, 0, agent.enodes, agent.eclasses].map(count));
    }
    // Colors have forms, too.
    expect(await page.locator(".node circle.form.red").count()).toBe(3);
    expect(await page.locator(".node rect.form.blue").count()).toBe(3);
    expect(await page.locator(".node path.form.green").count()).toBe(3);
    expect(await text(page, ".groups")).toBe("One group: all hear each other.");
    await close(watched);
  });

  test("shows messages moving along the links", async () => {
    const watched = await open(browser, url, "network");
    const { page } = watched;
    await page.waitForSelector(".dot", { state: "attached" });
    const dot = page.locator(".dot").first();
    const moved = await dot.evaluate(async (element) => {
      const at = () => `${element.getAttribute("cx")} ${element.getAttribute("cy")}`;
      const before = at();
      await new Promise((done) => setTimeout(done, 120));
      return before !== at() || !element.isConnected;
    });
    expect(moved).toBe(true);
    expect(await text(page, ".ring .told")).toMatch(/messages/);
    await shoot(page, "network-moving");
    await close(watched);
  });

  test("agents stay where they are", async () => {
    const watched = await open(browser, url, "network");
    const { page } = watched;
    const places = () => page.locator(".node .id").evaluateAll((all) => all.map((one) => `${one.textContent} ${one.getAttribute("x")} ${one.getAttribute("y")}`));
    const before = await places();
    const first = (await get<Status>("/status")).at;
    await eventually("another document has come", async () => (await get<Status>("/status")).at > first + 2000);
    expect(await places()).toEqual(before);
    await close(watched);
  });

  test("leads to an agent", async () => {
    const watched = await open(browser, url, "network");
    await watched.page.locator(".node").nth(4).click();
    expect(await text(watched.page, "h2")).toBe("Agent 4");
    await close(watched);
  });
});

describe("an agent", () => {
  test("is shown with all that it tells", async () => {
    const watched = await open(browser, url, "agent/3");
    const { page } = watched;
    const state = await get<AgentState>("/agent/3/state");
    for (const field of ["facts", "enodes", "eclasses"] as const) expect(await text(page, `[data-field="${field}"]`)).toBe(count(state[field]));
    for (const field of ["state_digest", "meaning_digest"] as const) expect(await text(page, `[data-field="${field}"]`)).toBe(state[field]);
    for (const [agent, upTo] of Object.entries(state.version)) expect(await text(page, `[data-version="${agent}"]`)).toBe(count(upTo));
    for (const color of ["red", "blue", "green"] as const) expect(await text(page, `[data-color="${color}"]`)).toBe(count(state.colors[color]));
    expect(await page.getByRole("region", { name: "Members" }).locator("tbody tr").count()).toBe(state.members.length);
    await close(watched);
  });

  test("lists messages that its timeline has", async () => {
    const watched = await open(browser, url, "agent/3");
    const { page } = watched;
    await page.waitForSelector(".list li");
    const shown = await page.locator(".list li").first().getAttribute("data-event");
    const own = await get<{ events: { index: number; kind: string; incarnation: number }[] }>("/agent/3/timeline?limit=100000");
    const event = own.events.find((one) => `3.${one.incarnation}.${one.index}` === shown);
    expect(["sent", "received", "refused"]).toContain(event?.kind);
    await close(watched);
  });

  test("is one of several, and one that is not there is said so", async () => {
    const watched = await open(browser, url, "agent/0");
    const { page } = watched;
    await page.getByRole("link", { name: "Next agent" }).click();
    await page.waitForSelector('[data-agent="1"]');
    await page.locator("main .tools select").selectOption("7");
    await page.waitForSelector('.cards[data-agent="7"]');
    await page.goto(`${url}/#/agent/77`);
    expect(await text(page, ".problem")).toContain("There is no agent 77");
    await close(watched);
  });
});

/** What could have caused what, found anew from lanes and arrows. */
function reachable(timeline: Timeline, from: number, forward: boolean): Set<number> {
  const next = timeline.events.map((): number[] => []);
  const last = new Map<number, number>();
  timeline.events.forEach(({ lane }, index) => {
    const before = last.get(lane);
    if (before !== undefined) (forward ? next[before]! : next[index]!).push(forward ? index : before);
    last.set(lane, index);
  });
  for (const arrow of timeline.arrows) (forward ? next[arrow.from]! : next[arrow.to]!).push(forward ? arrow.to : arrow.from);
  const found = new Set<number>();
  const open = [from];
  while (open.length > 0) {
    for (const index of next[open.pop()!]!) {
      if (found.has(index)) continue;
      found.add(index);
      open.push(index);
    }
  }
  return found;
}

describe("the timeline", () => {
  async function opened(route = "timeline") {
    const watched = await open(browser, url, "network");
    const { page } = watched;
    const asked = page.waitForResponse((response) => response.url().includes("/view/timeline") && response.url().includes("limit=500"));
    await page.goto(`${url}/#/${route}`);
    const timeline = (await (await asked).json()) as Timeline;
    await page.getByLabel("Follow").uncheck();
    await page.waitForSelector(".diagram .event", { state: "attached" });
    return { watched, page, timeline };
  }

  test("shows events and arrows, and says what is cut off", async () => {
    const { watched, page, timeline } = await opened();
    expect(await text(page, "#timeline-told")).toMatch(/^[0-9,]+ of [0-9,]+ events/);
    expect(timeline.lanes.length).toBeGreaterThanOrEqual(9);
    expect((await drawnEvents(page)).size).toBeGreaterThan(50);
    const arrows = await page.locator(".diagram .arrow").evaluateAll((all) => all.flatMap((one) => one.getAttribute("data-arrows")!.split(" ")));
    expect(arrows.length).toBeGreaterThan(10);
    // A stroke for each.
    const strokes = await page.locator(".diagram .arrow").evaluateAll((all) => all.map((one) => one.getAttribute("d")!.split("M").length - 1));
    expect(strokes.reduce((sum, one) => sum + one, 0)).toBe(arrows.length);
    await shoot(page, "timeline-all");
    await close(watched);
  });

  test("lights the causal past and future of a picked event", async () => {
    const { watched, page } = await opened("timeline?kinds=sent,received,step");
    const ask = page.waitForResponse((response) => response.url().includes("/view/timeline") && response.url().includes("kinds=sent"));
    await page.getByRole("button", { name: "Ask again" }).click();
    const timeline = (await (await ask).json()) as Timeline;
    const index = timeline.arrows[Math.floor(timeline.arrows.length / 2)]!.to;
    const picked = timeline.events[index]!;
    await eventually("it is drawn", async () => (await drawnEvents(page)).has(picked.id));
    const mark = await placeOf(page, picked.id);
    await page.mouse.click(mark.x, mark.y);
    const chosen = await page.locator(".card.picked").getAttribute("data-picked");
    const center = timeline.events.findIndex((event) => event.id === chosen);
    expect(center, `${chosen} is one of the events`).toBeGreaterThanOrEqual(0);
    const looks = await drawnEvents(page);
    const lit = (name: string) => new Set([...looks].filter(([, look]) => look.split(" ").includes(name)).map(([id]) => id));
    const ids = (set: Set<number>) => new Set([...set].map((at) => timeline.events[at]!.id));
    expect(lit("past")).toEqual(ids(reachable(timeline, center, false)));
    expect(lit("future")).toEqual(ids(reachable(timeline, center, true)));
    expect(lit("past").size).toBeGreaterThan(0);
    expect(await text(page, ".event-text")).toBe(timeline.events[center]!.text);
    await shoot(page, "timeline-picked");
    await page.keyboard.press("Escape");
    await close(watched);
  });

  test("is walked by arrow keys and read out", async () => {
    const { watched, page } = await opened();
    const diagram = page.getByRole("application");
    await diagram.focus();
    const heard = new Set<string>();
    for (const key of ["ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown", "Home", "End"]) {
      await page.keyboard.press(key);
      const said = await text(page, "#announcer");
      const shown = await text(page, ".event-text");
      if (said.startsWith("agent")) expect(shown).toBe(said);
      else expect(said).toMatch(/^No further/);
      heard.add(said);
    }
    expect(heard.size).toBeGreaterThan(3);
    // A reception leads to its cause.
    for (let steps = 0; steps < 40 && !(await text(page, ".event-text")).includes("caused by"); steps += 1) await page.keyboard.press("ArrowLeft");
    expect(await text(page, "#announcer")).toMatch(/^agent \d+ receives .*caused by/);
    await close(watched);
  });

  test("zooms and pans, by buttons, keys and pointer", async () => {
    const { watched, page } = await opened();
    const spread = () => page.locator(".diagram .event").evaluateAll((all) => all.map((one) => one.getAttribute("d")).join());
    const whole = await spread();
    await page.getByRole("button", { name: "Zoom in" }).click();
    await page.getByRole("button", { name: "Zoom in" }).click();
    const near = await spread();
    expect(near).not.toBe(whole);
    await page.getByRole("button", { name: "Earlier" }).click();
    const earlier = await spread();
    expect(earlier).not.toBe(near);
    const box = (await page.locator(".diagram").boundingBox())!;
    await page.mouse.move(box.x + 500, box.y + 205);
    await page.mouse.down();
    await page.mouse.move(box.x + 350, box.y + 205, { steps: 4 });
    await page.mouse.up();
    expect(await spread()).not.toBe(earlier);
    await page.getByRole("application").focus();
    await page.keyboard.press("0");
    expect(await spread()).toBe(whole);
    await close(watched);
  });

  test("is filtered by agent, kind and rule, each with a link of its own", async () => {
    const { watched, page } = await opened();
    await page.locator("summary", { hasText: "Agents" }).click();
    await page.getByRole("checkbox", { name: "2", exact: true }).check();
    await eventually("only events of agent 2 are left", async () => {
      const ids = [...(await drawnEvents(page)).keys()];
      return ids.length > 0 && ids.every((id) => id.startsWith("2."));
    });
    expect(page.url()).toContain("agents=2");
    await page.locator("summary", { hasText: "Agents" }).click();
    await page.locator("summary", { hasText: "Kinds" }).click();
    await page.getByRole("checkbox", { name: "received", exact: true }).check();
    await eventually("only receptions are left", async () => {
      const classes = [...(await drawnEvents(page)).values()];
      return classes.length > 0 && classes.every((name) => name.split(" ").includes("received"));
    });
    await page.locator("summary", { hasText: "Kinds" }).click();
    await page.getByLabel("Rule").fill("no such rule");
    await page.getByLabel("Rule").press("Enter");
    await eventually("nothing is left", async () => (await text(page, "#timeline-told")).startsWith("0 of 0 events"));
    expect(page.url()).toContain("rule=no+such+rule");
    await close(watched);
  });

  test("is exported as JSON, for Perfetto and as SVG", async () => {
    const { watched, page } = await opened("timeline?agents=0,1");
    for (const [name, media] of [
      ["JSON", "application/json"],
      ["Perfetto", "application/json"],
      ["SVG", "image/svg+xml"],
    ] as const) {
      const link = page.locator(".exports a", { hasText: name });
      const response = await fetch(new URL((await link.getAttribute("href"))!, url));
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toContain(media);
      expect(await link.getAttribute("download")).toBeTruthy();
      expect((await response.text()).length).toBeGreaterThan(200);
    }
    await close(watched);
  });
});

describe("the performance", () => {
  test("is drawn over time, of all and of each agent", async () => {
    const watched = await open(browser, url, "performance");
    const { page } = watched;
    const painted = () =>
      page.locator(".plot canvas").evaluateAll((all) =>
        all.map((canvas) => {
          const { width, height } = canvas as HTMLCanvasElement;
          const { data } = (canvas as HTMLCanvasElement).getContext("2d")!.getImageData(0, 0, width, height);
          const colors = new Set<number>();
          for (let at = 0; at < data.length; at += 4) if (data[at + 3]! > 200) colors.add((data[at]! << 16) | (data[at + 1]! << 8) | data[at + 2]!);
          return colors.size;
        }),
      );
    await eventually("five charts with lines and axes", async () => {
      const colors = await painted();
      return colors.length === 5 && colors.every((many) => many > 2);
    });
    await eventually("rates are known", async () => /^[0-9.,]+$/.test(await text(page, '[data-chart="Messages a second"] [data-line="received"]')));
    const status = await get<Status>("/status");
    const enodes = Math.max(...status.agents.filter(answers).map((agent) => agent.enodes));
    expect(await text(page, '[data-chart="The e-graph"] [data-line="e-nodes"]')).toBe(count(enodes));
    expect(await text(page, '[data-chart="Lag: facts that are lacking"] [data-line="lag"]')).toBe(count(status.lag));
    await page.locator("main .tools select").selectOption("5");
    expect(page.url()).toContain("agent=5");
    await eventually("agent 5 has a latency", async () => /s$/.test(await text(page, '[data-chart="Latency of messages"] [data-line="p95"]')));
    await shoot(page, "performance-agent");
    await close(watched);
  });
});

describe("the e-graph", () => {
  test("shows a neighbourhood, and says of how much", async () => {
    const watched = await open(browser, url, "egraph");
    const { page } = watched;
    await page.waitForSelector(".eclass");
    const graph = await get<Neighbourhood>("/view/egraph?agent=0&classes=40");
    expect(await page.locator(".eclass").count()).toBe(graph.shown);
    expect(await text(page, "main > .told")).toContain(graph.note);
    expect(await page.locator(".enode.best").count()).toBe(graph.classes.length);
    await close(watched);
  });

  test("is searched, expanded step by step, and explains an equality as a path", async () => {
    const watched = await open(browser, url, "egraph");
    const { page } = watched;
    await page.getByRole("searchbox").fill("Num 5");
    await page.locator(".found li a").first().click();
    expect(new URL(page.url()).hash).toContain("term=");
    await page.getByRole("searchbox").fill("(Mul (Num 2) (Add (Num 1) (Add (Num 2) (Num 3))))");
    await page.getByRole("button", { name: "Go to the term" }).click();
    await page.waitForSelector('.eclass.center[data-class="(Num 12)"]');
    const best = await get<Terms>("/agent/0/extract?term=(Num 12)");
    expect(await text(page, "[data-selected] code.best")).toBe(`★ ${best.results[0]!.term}`);

    await page.getByLabel("At most").selectOption("10");
    await eventually("at most ten classes", async () => (await page.locator(".eclass").count()) <= 10);
    const other = page.locator(".eclass:not(.center)").first();
    await other.focus();
    await page.keyboard.press("Enter");
    const id = await other.getAttribute("data-class");
    await page.waitForSelector(`[data-selected="${id}"]`);
    await page.getByRole("link", { name: "Expand" }).click();
    await page.getByRole("link", { name: "Fold" }).waitFor();
    expect(new URLSearchParams(new URL(page.url()).hash.split("?")[1]).getAll("expand")).toEqual([id]);

    const a = "(Mul (Num 2) (Add (Num 1) (Add (Num 2) (Num 3))))";
    await page.getByLabel("One", { exact: true }).fill(a);
    await page.getByLabel("Other", { exact: true }).fill("(Num 12)");
    await page.getByRole("button", { name: "Explain" }).click();
    await page.waitForSelector(".explanation");
    const explanation = await get<Explanation>(`/agent/0/explain?a=${encodeURIComponent(a)}&b=${encodeURIComponent("(Num 12)")}`);
    expect(await page.locator(".explanation .path > li code").allInnerTexts()).toEqual([explanation.steps[0]!.before, ...explanation.steps.map((step) => step.after)]);
    expect(await page.locator(".explanation mark").count()).toBeGreaterThan(0);
    await shoot(page, "egraph-explained");

    await page.getByLabel("Other", { exact: true }).fill("(Num 13)");
    await page.getByRole("button", { name: "Explain" }).click();
    await page.waitForSelector(".explain .problem");
    expect(await text(page, ".explain .problem")).toContain("not in the e-graph");
    await close(watched, /status of 404/);
  });
});

describe("try it", () => {
  test("offers the examples, submits one, and answers as the agents do", { timeout: 120_000 }, async () => {
    const watched = await open(browser, url, "try");
    const { page } = watched;
    const examples = await get<Example[]>("/view/examples");
    await eventually("the first example is in the editor", async () => (await page.getByLabel("Program").inputValue()) === examples[0]!.text);
    expect(await page.getByLabel("Example").locator("option").count()).toBe(examples.length);
    // The first one is there already, and what is declared is not declared again.
    const example = examples[1]!;
    await page.getByLabel("Example").selectOption(example.name);
    expect(await page.getByLabel("Program").inputValue()).toBe(example.text);
    await page.getByRole("button", { name: "Submit" }).click();
    await page.waitForSelector('.progress[data-done="true"]', { timeout: 90_000 });
    await page.waitForSelector("[data-question] .answer");
    for (const question of example.questions) {
      const item = page.locator("[data-question]", { hasText: question.kind === "extract" ? question.term : question.kind === "check" ? question.facts : `${question.a} = ${question.b}` }).first();
      await item.locator(".answer, .explanation").first().waitFor();
      const shown = (await item.innerText()).replace(/\s+/g, " ");
      if (question.kind === "extract") {
        const { results } = await get<Terms>(`/agent/0/extract?term=${encodeURIComponent(question.term)}`);
        expect(shown).toContain(results[0]!.term);
      } else if (question.kind === "check") {
        const { holds } = await get<Checked>(`/agent/0/check?facts=${encodeURIComponent(question.facts)}`);
        expect(shown).toContain(holds ? "✓ holds" : "✗ does not hold");
      } else {
        const { steps } = await get<Explanation>(`/agent/0/explain?a=${encodeURIComponent(question.a)}&b=${encodeURIComponent(question.b)}`);
        expect(shown).toContain(`${steps.length} step`);
      }
    }
    await shoot(page, "try-answers");
    await close(watched);
  });

  test("watches a program of one's own saturate, and answers what it asks", { timeout: 120_000 }, async () => {
    const watched = await open(browser, url, "try");
    const { page } = watched;
    await page.waitForFunction(() => (document.querySelector("textarea") as HTMLTextAreaElement).value !== "");
    const one = `t${Date.now() % 1_000_000}`;
    await page.getByLabel("Program").fill(`(datatype ${one}Tree (${one}Leaf String) (${one}Pair ${one}Tree ${one}Tree))
(rewrite (${one}Pair a b) (${one}Pair b a) :name "${one}-swap")
(let ${one} (${one}Pair (${one}Leaf "x") (${one}Pair (${one}Leaf "y") (${one}Leaf "z"))))
(run 5)
(check (= ${one} (${one}Pair (${one}Pair (${one}Leaf "z") (${one}Leaf "y")) (${one}Leaf "x"))))
(explain ${one} (${one}Pair (${one}Pair (${one}Leaf "z") (${one}Leaf "y")) (${one}Leaf "x")))`);
    await page.getByLabel("To agent").selectOption("4");
    await page.getByRole("button", { name: "Submit" }).click();
    await page.waitForSelector(".progress");
    await page.waitForSelector('.progress[data-done="true"]', { timeout: 90_000 });
    await page.waitForSelector("[data-question=check] .answer");
    await eventually("it holds", async () => (await text(page, "[data-question=check]")).includes("✓ holds"));
    await eventually("it is explained by the rule", async () => (await text(page, "[data-question=explain]")).includes(`by ${one}-swap`));
    expect(await text(page, ".progress")).toContain("(run 5) (line 4)");
    await close(watched);
  });

  test("shows mistakes at their line", async () => {
    const watched = await open(browser, url, "try");
    const { page } = watched;
    await page.waitForFunction(() => (document.querySelector("textarea") as HTMLTextAreaElement).value !== "");
    await page.getByLabel("Program").fill('(datatype Bad (B i64))\n(rewrite (B a) (C a))\n(let bad (B "x"))');
    await page.getByRole("button", { name: "Submit" }).click();
    await page.waitForSelector(".mistakes li");
    expect(await page.locator(".gutter .wrong").first().getAttribute("data-line")).toBe("2");
    expect(await page.getByLabel("Program").getAttribute("aria-invalid")).toBe("true");
    await page.locator(".mistakes li button").first().click();
    const caret = await page.getByLabel("Program").evaluate((area) => {
      const { value, selectionStart } = area as HTMLTextAreaElement;
      return value.slice(0, selectionStart).split("\n").length;
    });
    expect(caret).toBe(2);
    await shoot(page, "try-mistake");
    await close(watched, /status of 4\d\d/);
  });
});

describe("time", () => {
  test("is paused, looked back in, and resumed", async () => {
    const watched = await open(browser, url, "network");
    const { page } = watched;
    const slider = page.getByLabel("Look back");
    await eventually(
      "there are some documents to look back at",
      async () => {
        await page.getByRole("button", { name: "Pause" }).click();
        if (Number(await slider.getAttribute("max")) > 3) return true;
        await page.getByRole("button", { name: "Resume" }).click();
        return false;
      },
      30_000,
      1000,
    );
    const then = await page.locator(".time .at b").innerText();
    const sentence = await text(page, "#sentence");
    await page.waitForTimeout(1200);
    expect(await text(page, "#sentence")).toBe(sentence);
    await slider.focus();
    await page.keyboard.press("Home");
    const first = await page.locator(".time .at b").innerText();
    expect(first < then).toBe(true);
    expect(await slider.getAttribute("aria-valuetext")).toContain("before the newest");
    await shoot(page, "network-paused");
    await page.getByRole("button", { name: "Resume" }).click();
    await page.waitForSelector('[data-connection="live"]');
    await close(watched);
  });

  test("of the timeline is what is looked back at", async () => {
    const watched = await open(browser, url, "timeline?limit=2000");
    const { page } = watched;
    const answers: { until: number; events: Timeline["events"] }[] = [];
    page.on("response", async (response) => {
      const { pathname, searchParams } = new URL(response.url());
      if (!pathname.endsWith("/view/timeline")) return;
      const events = ((await response.json().catch(() => null)) as Timeline | null)?.events ?? [];
      answers.push({ until: Number(searchParams.get("until") ?? events.at(-1)?.at ?? 0), events });
    });
    const slider = page.getByLabel("Look back");
    const ids = async () => [...(await drawnEvents(page)).keys()];
    await page.waitForSelector(".diagram .event", { state: "attached" });
    const earlier = await ids();
    await eventually("something has happened since", async () => (await ids()).some((id) => !earlier.includes(id)));
    await page.getByRole("button", { name: "Pause" }).click();
    // Where the exports end is the moment to the microsecond.
    const moment = async () => Number(new URL((await page.locator(".exports a", { hasText: "JSON" }).getAttribute("href"))!, url).searchParams.get("until"));
    const told = async () => /up to (\d\d:\d\d:\d\d)\.$/.exec(await text(page, "#timeline-told"))?.[1];
    // Paused, it asks for what had happened up to the moment, unless an answer that it has reaches so far.
    await eventually("it is paused", async () => (await moment()) > 0);
    const paused = await moment();
    let events: Timeline["events"] = [];
    await eventually("all that has happened is shown", async () => {
      const [first] = answers.filter(({ until }) => until >= paused).sort((a, b) => a.until - b.until);
      events = first?.events.filter((event) => event.at <= paused) ?? [];
      return events.length > 0 && (await ids()).length === events.length;
    });
    const at = new Map(events.map((event) => [event.id, event.at]));
    expect(await told()).toBe(await page.locator(".time .at b").innerText());

    // One document after the other, back to where nothing is known to the agents any more: each shows what had happened by then.
    await slider.focus();
    let happened = events;
    for (let steps = 0; steps < 4 && Number(await slider.inputValue()) > 0; steps += 1) {
      await page.keyboard.press("ArrowLeft");
      const then = await moment();
      happened = events.filter((event) => event.at <= then);
      // What was seen at the time begins earlier, as agents listed more then.
      await eventually("all of it is shown, and nothing later", async () => {
        const shown = (await ids()).filter((id) => at.has(id));
        return shown.length === happened.length && shown.every((id) => at.get(id)! <= then) && (await told()) === (await page.locator(".time .at b").innerText());
      });
      expect(await text(page, "#timeline-told")).toContain(`${count((await ids()).length)} of`);
    }
    expect(happened.length).toBeLessThan(events.length);
    expect(happened.length).toBeGreaterThan(0);
    expect(await moment()).toBeLessThan(Math.max(...events.map((event) => event.at)));
    await shoot(page, "timeline-past");
    await page.keyboard.press("End");
    await eventually("all of it is back", async () => (await ids()).length === events.length);
    await page.getByRole("button", { name: "Resume" }).click();
    await eventually("it goes on", async () => (await ids()).some((id) => !at.has(id)));
    await close(watched);
  });

  test("passes by polling where nothing streams", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.route("**/events", (route) => route.abort("connectionrefused"));
    await page.goto(url);
    await page.waitForSelector('[data-by="polling"]', { timeout: 15_000 });
    const polled = page.waitForResponse((response) => response.url().endsWith("/status"));
    expect([200, 304]).toContain((await polled).status());
    expect(await text(page, "#sentence")).toContain("agents hold the same graph");
    await context.close();
  });
});
