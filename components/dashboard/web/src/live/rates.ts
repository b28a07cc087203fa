import { answers, type Agent, type AgentState, type Status } from "./documents.ts";

/** Messages and bytes a second. */
export interface Rate {
  sent: number;
  received: number;
  bytesSent: number;
  bytesReceived: number;
}

/** Seconds from the one document to the other, or null if there are none. */
function seconds(earlier: Status, later: Status): number | null {
  const between = (later.at - earlier.at) / 1000;
  return between > 0 ? between : null;
}

/** What an agent has sent and received between two documents. Null if it did not answer both times, or was started anew between them: its counters then say nothing. */
export function rateOf(before: Agent | undefined, after: Agent | undefined, between: number): Rate | null {
  if (!before || !after || !answers(before) || !answers(after)) return null;
  if (before.incarnation !== after.incarnation) return null;
  const each = (of: (state: AgentState) => number) => (of(after) - of(before)) / between;
  const rate = {
    sent: each((state) => state.messages_sent),
    received: each((state) => state.messages_received),
    bytesSent: each((state) => state.bytes_sent),
    bytesReceived: each((state) => state.bytes_received),
  };
  return Object.values(rate).every((value) => value >= 0) ? rate : null;
}

/** The rates of all agents, by id, and their sum over those that have one. Null if the documents are of the same time. */
export function rates(earlier: Status, later: Status): { all: Rate | null; agents: Map<number, Rate> } | null {
  const between = seconds(earlier, later);
  if (between === null) return null;
  const before = new Map(earlier.agents.map((agent) => [agent.id, agent]));
  const agents = new Map<number, Rate>();
  let all: Rate | null = null;
  for (const agent of later.agents) {
    const rate = rateOf(before.get(agent.id), agent, between);
    if (!rate) continue;
    agents.set(agent.id, rate);
    all = all
      ? {
          sent: all.sent + rate.sent,
          received: all.received + rate.received,
          bytesSent: all.bytesSent + rate.bytesSent,
          bytesReceived: all.bytesReceived + rate.bytesReceived,
        }
      : rate;
  }
  return { all, agents };
}
