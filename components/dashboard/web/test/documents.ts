import type { AgentState, Status, TimelineEvent } from "../src/live/documents.ts";

/** An agent's state with what a test is about. */
export function state(of: Partial<AgentState> & { id: number }): AgentState {
  return {
    color: "red",
    region: "local",
    nats_url: "",
    incarnation: 0,
    life: "active",
    converged: false,
    limited: false,
    facts: 0,
    enodes: 0,
    eclasses: 0,
    state_digest: "",
    meaning_digest: "",
    version: {},
    members: [],
    messages_sent: 0,
    bytes_sent: 0,
    messages_received: 0,
    bytes_received: 0,
    refused: [],
    errors: [],
    stored_bytes: 0,
    work_micros: 0,
    updated_at: 0,
    queue: { inbox: 0, outbox: 0, working: false },
    latency: { count: 0, p50: 0, p95: 0, p99: 0, max: 0 },
    counts: {},
    colors: { red: 0, blue: 0, green: 0, certified: 0 },
    steps: [],
    health: "active",
    ...of,
  };
}

export function status(at: number, agents: Status["agents"], of: Partial<Status> = {}): Status {
  return {
    at,
    summary: "2 of 2 agents hold the same graph · lag 0 facts · converged",
    converged: true,
    level: agents.length,
    lag: 0,
    latency: { count: 0, p50: 0, p95: 0, p99: 0, max: 0 },
    agents,
    groups: [agents.map((agent) => agent.id)],
    links: [],
    ring: [],
    ...of,
  };
}

export function event(lane: number, x: number, clock: number[], of: Partial<TimelineEvent> = {}): TimelineEvent {
  return {
    id: `${lane}.0.${x}`,
    lane,
    index: 0,
    at: x,
    logical: 0,
    kind: "step",
    peer: null,
    message: null,
    fact: null,
    bytes: 0,
    round: 0,
    phase: "live",
    rule: null,
    rules: {},
    x,
    text: "",
    cause: null,
    clock,
    ...of,
  };
}
