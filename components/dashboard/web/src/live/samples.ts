import { answers, type Agent, type Status } from "./documents.ts";
import { rates, type Rate } from "./rates.ts";

/** What is drawn over time, of one agent or of all. Null is what is not known. */
export interface Numbers {
  rate: Rate | null;
  /** Microseconds. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
  /** Facts that are lacking: of an agent to the one with most, of all the greatest. */
  lag: number | null;
  enodes: number | null;
  eclasses: number | null;
}

/** The numbers of one document. */
export interface Sample {
  /** Milliseconds since 1970. */
  at: number;
  all: Numbers;
  agents: Map<number, Numbers>;
}

function mostFacts(status: Status): number {
  return status.agents.reduce((most, agent) => (answers(agent) ? Math.max(most, agent.facts) : most), 0);
}

function ofAgent(agent: Agent, rate: Rate | null, most: number): Numbers {
  if (!answers(agent)) return { rate: null, p50: null, p95: null, p99: null, lag: null, enodes: null, eclasses: null };
  const measured = agent.latency.count > 0 ? agent.latency : null;
  return {
    rate,
    p50: measured?.p50 ?? null,
    p95: measured?.p95 ?? null,
    p99: measured?.p99 ?? null,
    lag: most - agent.facts,
    enodes: agent.enodes,
    eclasses: agent.eclasses,
  };
}

/** The numbers of `later`, its rates since `earlier`. E-nodes and e-classes of all are those of the agent that has most: every agent holds the whole graph. */
export function sample(earlier: Status | null, later: Status): Sample {
  const rated = earlier ? rates(earlier, later) : null;
  const most = mostFacts(later);
  const agents = new Map(later.agents.map((agent) => [agent.id, ofAgent(agent, rated?.agents.get(agent.id) ?? null, most)]));
  const greatest = (of: (numbers: Numbers) => number | null) =>
    [...agents.values()].reduce<number | null>((top, numbers) => {
      const value = of(numbers);
      return value === null ? top : Math.max(top ?? 0, value);
    }, null);
  const measured = later.latency.count > 0 ? later.latency : null;
  return {
    at: later.at,
    all: {
      rate: rated?.all ?? null,
      p50: measured?.p50 ?? null,
      p95: measured?.p95 ?? null,
      p99: measured?.p99 ?? null,
      lag: later.lag,
      enodes: greatest((numbers) => numbers.enodes),
      eclasses: greatest((numbers) => numbers.eclasses),
    },
    agents,
  };
}

export type Columns = [at: number[], ...values: (number | null)[][]];

/** Samples as columns: seconds since 1970, then what each of `series` reads. One series is an agent's if `agent` is a number. */
export function columns(samples: readonly Sample[], agent: number | null, series: ((numbers: Numbers) => number | null)[]): Columns {
  const of = (one: Sample) => (agent === null ? one.all : one.agents.get(agent));
  return [
    samples.map((one) => one.at / 1000),
    ...series.map((read) =>
      samples.map((one) => {
        const numbers = of(one);
        return numbers ? read(numbers) : null;
      }),
    ),
  ];
}
