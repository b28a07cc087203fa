/** What the page knows, as signals. */
import { computed, signal } from "@preact/signals";
import { answers, type Status } from "./documents.ts";
import { History, share } from "./history.ts";
import { rates } from "./rates.ts";
import { sample, type Sample } from "./samples.ts";
import { BROWSER, Live, type Connection } from "./stream.ts";

/** Looking back reaches as far as 1,200 documents, or as many as have two million values that are not in those before: ten minutes and more, with a hundred agents about half of that. */
const COUNT = 1200;
const VALUES = 2_000_000;
/** As many points the charts show: twenty minutes at two documents a second. */
const SAMPLES = 2400;
/** Rates are taken over so many milliseconds: agents speak once in a tick, which is a second unless configured otherwise. */
const RATED = 4000;

const history = new History(COUNT, VALUES);
let recent: Status[] = [];

export const newest = signal<Status | null>(null);
export const connection = signal<Connection>({ state: "connecting" });
export const samples = signal<readonly Sample[]>([]);
/** What the documents cannot be read for, if they cannot. */
export const broken = signal<string | null>(null);

/** While it is paused: the documents up to then, and which of them is looked at. */
export const paused = signal<{ past: Status[]; index: number } | null>(null);

/** What is looked at: the newest document, or while paused the chosen one. */
export const shown = computed<Status | null>(() => {
  const back = paused.value;
  return back ? back.past[back.index]! : newest.value;
});

/** The document that rates are counted from: the one RATED before, or the first after that. */
function base(documents: readonly Status[], at: number): Status | null {
  return documents.find((one) => one.at >= at - RATED && one.at < at) ?? null;
}

/** The rates at the time that is looked at. */
export const rated = computed(() => {
  const now = shown.value;
  if (!now) return null;
  const earlier = base(paused.value?.past ?? recent, now.at);
  return earlier ? rates(earlier, now) : null;
});

function deliver(text: string): void {
  let status: Status;
  try {
    status = JSON.parse(text) as Status;
  } catch {
    broken.value = "a status document cannot be read";
    return;
  }
  broken.value = null;
  // A stream that is opened anew repeats the document that is here already.
  if (newest.peek()?.at === status.at) return;
  const { shared, fresh } = share(newest.peek(), status);
  status = shared;
  history.add({ status, fresh });
  samples.value = [...samples.peek().slice(1 - SAMPLES), sample(base(recent, status.at), status)];
  recent = [...recent.filter((one) => one.at >= status.at - RATED), status];
  newest.value = status;
}

export function pause(): void {
  const past = history.all();
  if (past.length > 0) paused.value = { past, index: past.length - 1 };
}

export function resume(): void {
  paused.value = null;
}

export function lookAt(index: number): void {
  const back = paused.peek();
  if (!back) return;
  paused.value = { past: back.past, index: Math.min(Math.max(index, 0), back.past.length - 1) };
}

/** The ids of all agents, ascending. The same set as long as the network has as many: what depends on it does not change with every document. */
let ids: number[] = [];
export const agentIds = computed<number[]>(() => {
  const now = (shown.value?.agents ?? []).map((agent) => agent.id);
  if (now.length !== ids.length || now.some((id, index) => id !== ids[index])) ids = now;
  return ids;
});

/** An agent that answers, to ask questions of: the wished one if it does. */
export function answering(wished: number): number | null {
  const states = newest.value?.agents.filter(answers) ?? [];
  return (states.find((agent) => agent.id === wished) ?? states[0])?.id ?? null;
}

export function begin(): Live {
  const live = new Live(BROWSER, deliver, (now) => {
    const was = connection.peek();
    if (was.state !== now.state || JSON.stringify(was) !== JSON.stringify(now)) connection.value = now;
  });
  live.start();
  return live;
}
