/** A network that loses an agent, is partitioned, and heals. Messages are carried by the test, so that it can cut the network; everything else is as it runs. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Status } from "../src/live/documents.ts";
import { launch, open, shoot, text, type Watched } from "./browser.ts";
import { Carrier } from "./carrier.ts";
import { eventually, Network, ROOT } from "./network.ts";

const AGENTS = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const APART = [0, 1, 2];
let browser: Browser;
let network: Network;
let carrier: Carrier;
let watched: Watched;

beforeAll(async () => {
  [browser, network] = await Promise.all([launch(), Network.start({ carrier: false })]);
  carrier = new Carrier(network, AGENTS);
  await network.submit(await readFile(join(ROOT, "deploy/sums.egg"), "utf8"));
});

afterAll(async () => {
  await carrier?.stop();
  await browser?.close();
  await network?.stop();
});

const status = () => network.get<Status>("/status");

test("comes to an end, partitions and heals, and the page shows it", async () => {
  await eventually("all have converged", async () => (await status()).converged, 150_000, 1000);
  watched = await open(browser, network.url, "network");
  const { page } = watched;
  await page.waitForSelector('[data-groups="1"]');
  await eventually("the page says so", async () => (await text(page, "#sentence")).includes("9 of 9 agents hold the same graph"));

  carrier.partition(APART);
  await eventually("the agents notice", async () => (await status()).groups.length === 2, 90_000, 1000);
  expect((await status()).groups).toEqual([APART, [3, 4, 5, 6, 7, 8]]);
  await page.waitForSelector('[data-groups="2"]');
  expect(await text(page, ".groups")).toContain("Partitioned into 2 groups: A is 3–8 · B is 0–2.");
  expect(await page.locator("path.group").count()).toBeGreaterThan(0);
  expect(await page.locator("path.link.down").getAttribute("d")).not.toBe("");
  expect(await page.locator('tr[data-agent="1"] td').nth(1).innerText()).toBe("B");
  expect(carrier.dropped).toBeGreaterThan(0);
  await eventually("it is read out", async () => (await text(page, "#announcer")).includes("partitioned into 2 groups"));
  await shoot(page, "network-partitioned");

  carrier.heal();
  await eventually("the agents find together again", async () => (await status()).groups.length === 1, 90_000, 1000);
  await page.waitForSelector('[data-groups="1"]');
  expect(await page.locator("path.group").count()).toBe(0);
}, 240_000);

test("loses an agent and gets it back, and the page comes back by itself each time", async () => {
  const { page } = watched;
  const listen = new URL(network.url).host;
  await carrier.stop();
  await network.halt();
  await page.waitForSelector('[data-connection="lost"]', { timeout: 15_000 });
  expect(await text(page, ".connection")).toMatch(/trying again/);
  await shoot(page, "network-lost");

  const { state } = network;
  network = await Network.start({ carrier: false, listen, state, without: [4] });
  carrier = new Carrier(network, AGENTS.filter((agent) => agent !== 4));
  await page.waitForSelector('[data-connection="live"]', { timeout: 30_000 });
  await page.waitForSelector('tr[data-agent="4"][data-health="silent"]');
  expect(await text(page, 'tr[data-agent="4"]')).toContain("does not answer");
  expect(await page.locator(".node.silent").count()).toBe(1);
  expect(await text(page, ".groups")).toContain("Without an answer: 4.");
  await page.goto(`${network.url}/#/agent/4`);
  await page.waitForSelector(".problem");
  expect(await text(page, ".problem")).toContain("Agent 4 does not answer");
  await page.goto(`${network.url}/#/network`);
  await shoot(page, "network-without-4");

  await carrier.stop();
  await network.halt();
  network = await Network.start({ carrier: false, listen, state });
  carrier = new Carrier(network, AGENTS);
  await eventually("agent 4 is back, with the facts of the others", async () => (await page.locator('tr[data-agent="4"]').getAttribute("data-health")) !== "silent", 90_000, 500);
  await eventually("all hold the same again", async () => (await text(page, "#sentence")).includes("9 of 9 agents hold the same graph"), 90_000, 500);
}, 240_000);
