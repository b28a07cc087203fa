import { duration, perSecond, ranges } from "./format.ts";
import type { Health, Status } from "./live/documents.ts";
import type { Rate } from "./live/rates.ts";

/** One sentence on how the network is: the component's, with the rate and the latency of the slowest agent where they are known. */
export function sentence(status: Status, rate: Rate | null): string {
  const parts = [status.summary];
  if (rate) parts.push(`${perSecond(rate.received)} messages/s`);
  if (status.latency.count > 0) parts.push(`p95 ${duration(status.latency.p95)}`);
  return parts.join(" · ");
}

/** What kind of state the network is in: it changes only when there is something to say. */
export function kind(status: Status): string {
  const of = (health: Health) => status.agents.filter((agent) => agent.health === health).map((agent) => agent.id);
  const parts: string[] = [];
  if (of("silent").length > 0) parts.push(`no answer from ${ranges(of("silent"))}`);
  if (of("suspected").length > 0) parts.push(`suspected: ${ranges(of("suspected"))}`);
  if (status.groups.length > 1) parts.push(`partitioned into ${status.groups.length} groups`);
  parts.push(status.converged ? "converged" : "not converged");
  return parts.join("; ");
}
