import { describe, expect, it } from "vitest";
import { rates } from "../src/live/rates.ts";
import { columns, sample } from "../src/live/samples.ts";
import { state, status } from "./documents.ts";

const before = status(1000, [state({ id: 0, messages_sent: 10, messages_received: 20, bytes_sent: 100, bytes_received: 200 }), state({ id: 1, messages_sent: 5, messages_received: 5 })]);

describe("rates", () => {
  it("are differences by the time between, for each agent and for all", () => {
    const after = status(3000, [state({ id: 0, messages_sent: 14, messages_received: 40, bytes_sent: 300, bytes_received: 200 }), state({ id: 1, messages_sent: 6, messages_received: 5 })]);
    const rated = rates(before, after)!;
    expect(rated.agents.get(0)).toEqual({ sent: 2, received: 10, bytesSent: 100, bytesReceived: 0 });
    expect(rated.all).toEqual({ sent: 2.5, received: 10, bytesSent: 100, bytesReceived: 0 });
  });

  it("are not known of an agent that was started anew, or did not answer", () => {
    const after = status(3000, [state({ id: 0, incarnation: 1, messages_sent: 50 }), { id: 1, error: "503", health: "silent" }]);
    const rated = rates(before, after)!;
    expect(rated.agents.size).toBe(0);
    expect(rated.all).toBeNull();
  });

  it("are not known of counters that went back", () => {
    expect(rates(before, status(3000, [state({ id: 0, messages_sent: 1 })]))!.agents.has(0)).toBe(false);
  });

  it("are not known of one document alone", () => {
    expect(rates(before, before)).toBeNull();
  });
});

describe("samples", () => {
  it("leave out what was not measured, and tell each agent's lag", () => {
    const now = status(2000, [state({ id: 0, facts: 7, enodes: 3, eclasses: 2 }), state({ id: 1, facts: 4, enodes: 9, eclasses: 5, latency: { count: 2, p50: 1, p95: 2, p99: 3, max: 4 } })], { lag: 3 });
    const one = sample(null, now);
    expect(one.all).toEqual({ rate: null, p50: null, p95: null, p99: null, lag: 3, enodes: 9, eclasses: 5 });
    expect(one.agents.get(0)!.lag).toBe(0);
    expect(one.agents.get(1)).toMatchObject({ lag: 3, p95: 2 });
  });

  it("become columns, with gaps where an agent is not known", () => {
    const samples = [sample(null, status(1000, [state({ id: 0, enodes: 4 })])), sample(null, status(2000, [{ id: 0, error: "no", health: "silent" }]))];
    expect(columns(samples, 0, [(numbers) => numbers.enodes])).toEqual([[1, 2], [4, null]]);
    expect(columns(samples, 7, [(numbers) => numbers.enodes])).toEqual([[1, 2], [null, null]]);
  });
});
