/**
 * The documents that the dashboard's component and the agents answer, as far as the page reads them.
 * They are described in docs/openapi.yaml and docs/dashboard.md; fields may be added there.
 */

export type ColorName = "red" | "blue" | "green";

/** How an agent is, as the component judges it by what all agents say. */
export type Health = "converged" | "active" | "behind" | "suspected" | "silent";

/** Microseconds from the sending of messages to their reception. */
export interface Latency {
  count: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

export interface Member {
  id: number;
  color: ColorName;
  state: "joining" | "active" | "suspected" | "left";
  incarnation: number;
}

/** An agent that answers. Digests are hexadecimal; `updated_at` is in milliseconds since 1970. */
export interface AgentState {
  id: number;
  color: ColorName | null;
  region: string;
  nats_url: string;
  incarnation: number;
  life: string;
  converged: boolean;
  limited: boolean;
  facts: number;
  enodes: number;
  eclasses: number;
  state_digest: string;
  meaning_digest: string;
  version: Record<string, number>;
  members: Member[];
  messages_sent: number;
  bytes_sent: number;
  messages_received: number;
  bytes_received: number;
  refused: { agent: string; sequence: number; reason: string }[];
  errors: string[];
  stored_bytes: number;
  work_micros: number;
  updated_at: number;
  queue: { inbox: number; outbox: number; working: boolean };
  latency: Latency;
  counts: Record<string, number>;
  /** E-nodes that carry each color, and those that a green agent has checked again. */
  colors: Record<Carried, number>;
  /** What its latest steps applied, by rule. */
  steps: { index: number; rules: Record<string, number> }[];
  health: Health;
}

/** An agent that does not answer, and why. */
export interface SilentAgent {
  id: number;
  error: string;
  health: Health;
}

export type Agent = AgentState | SilentAgent;

export function answers(agent: Agent): agent is AgentState {
  return !("error" in agent);
}

/** `GET /status`, and the data of each `status` event of `GET /events`. `at` is in milliseconds since 1970. */
export interface Status {
  at: number;
  summary: string;
  converged: boolean;
  level: number;
  lag: number;
  latency: Latency;
  agents: Agent[];
  groups: number[][];
  links: { from: number; to: number; up: boolean }[];
  /** In a unit square. */
  ring: { id: number; x: number; y: number }[];
}

export interface TimelineEvent {
  id: string;
  /** Index into `lanes`. */
  lane: number;
  index: number;
  /** Microseconds since 1970, and what orders events of the same microsecond. */
  at: number;
  logical: number;
  kind: string;
  peer: number | null;
  message: number | null;
  fact: string | null;
  bytes: number;
  round: number;
  phase: string;
  /** The one that it applied most often. */
  rule: string | null;
  /** How often it applied each. */
  rules: Record<string, number>;
  /** From 0 to 1. */
  x: number;
  text: string;
  cause: string | null;
  /** For each lane, how many of its events that are shown could have caused this one. */
  clock: number[];
}

/** `GET /view/timeline`. */
export interface Timeline {
  lanes: { agent: number; incarnation: number; name: string }[];
  events: TimelineEvent[];
  /** Indexes into `events`. */
  arrows: { from: number; to: number }[];
  left_out: number;
  shown: number;
  total: number;
  /** Agents that do not answer: their events are not here. */
  silent: number[];
}

/** What a node carries: colors, and whether a green agent has checked it again. */
export type Carried = ColorName | "certified";

export interface ENode {
  /** Over the least terms of its classes. */
  text: string;
  /** The same, no longer than its box is wide. */
  label: string;
  /** How many of its arguments' classes are not shown. */
  hidden: number;
  operator: string;
  children: string[];
  colors: Carried[];
  best: boolean;
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface EClass {
  /** Its name: the least term, or `#` and a number where that is too long. */
  id: string;
  label: string;
  best: string;
  cost: number;
  colors: Carried[];
  layer: number;
  x: number;
  y: number;
  w: number;
  h: number;
  nodes_total: number;
  nodes: ENode[];
}

/** `GET /view/egraph`: the classes around one, laid out. Lengths are in the units of `width` and `height`. */
export interface Neighbourhood {
  state_digest: string;
  enodes: number;
  eclasses: number;
  center: string;
  classes: EClass[];
  edges: { from_class: string; node: number; to: string; best: boolean; points: [number, number][] }[];
  width: number;
  height: number;
  shown: number;
  total: number;
  total_is_limit?: boolean;
  note: string;
}

/** `GET /view/search`. */
export interface Found {
  classes: { id: string; label: string }[];
  shown: number;
  more: boolean;
}

export type Question =
  | { kind: "extract"; term: string }
  | { kind: "check"; facts: string }
  | { kind: "explain"; a: string; b: string };

/** An entry of `GET /view/examples`. */
export interface Example {
  name: string;
  title: string;
  text: string;
  questions: Question[];
}

export interface Step {
  before: string;
  after: string;
  reason: "rule" | "asserted" | "compacted";
  snapshot?: string;
  rule?: string;
  direction: "forward" | "backward";
  /** Which argument to go into, from 0, from the root on; empty for the root. */
  place: number[];
  substitution?: Record<string, string>;
  lemmas?: number[];
  fact?: { agent: string; sequence: number };
}

/** `GET /agent/{id}/explain`. */
export interface Explanation {
  state_digest: string;
  steps: Step[];
  lemmas: { left: string; right: string; steps: Step[] }[];
}

/** `GET /agent/{id}/extract`. */
export interface Terms {
  state_digest: string;
  results: { term: string; cost: number }[];
}

/** `GET /agent/{id}/check`. */
export interface Checked {
  state_digest: string;
  holds: boolean;
  matches: number;
}

/** `POST /agent/{id}/program`. */
export interface Taken {
  facts: number;
  state: AgentState;
  skipped: { line: number; command: string }[];
}

/** A mistake in a program. `line` and `column` count from 1, `start` and `end` are bytes of its UTF-8. */
export interface Mistake {
  code: string;
  message: string;
  help?: string;
  line: number;
  column: number;
  start: number;
  end: number;
}

/** RFC 9457. */
export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  detail: string;
  errors?: Mistake[];
}
