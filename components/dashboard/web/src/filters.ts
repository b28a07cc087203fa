/** Which events of the timeline are asked for. */

export const KINDS = ["sent", "received", "refused", "acknowledged", "sync-started", "sync-completed", "heartbeat", "step", "certified", "converged"] as const;
export const LIMITS = [200, 500, 1000, 2000] as const;
export const DEFAULT_LIMIT = 500;

export interface Filters {
  /** Null is all. */
  agents: number[] | null;
  /** Null is all. */
  kinds: string[] | null;
  /** Null is any. */
  rule: string | null;
  limit: number;
}

/** From a query. What cannot be read counts as not given. */
export function filtersOf(query: URLSearchParams): Filters {
  const list = (name: string) => query.get(name)?.split(",").filter((one) => one !== "") ?? null;
  const agents = list("agents")?.filter((one) => /^\d{1,5}$/.test(one)).map(Number) ?? null;
  const kinds = list("kinds")?.filter((one) => (KINDS as readonly string[]).includes(one)) ?? null;
  const limit = Number(query.get("limit"));
  return {
    agents: agents?.length ? agents : null,
    kinds: kinds?.length ? kinds : null,
    rule: query.get("rule") || null,
    limit: (LIMITS as readonly number[]).includes(limit) ? limit : DEFAULT_LIMIT,
  };
}

/** As a query that `filtersOf` reads, and that `GET /view/timeline` understands. */
export function queryOf(filters: Filters): Record<string, string | number | null> {
  return {
    agents: filters.agents?.join(",") ?? null,
    kinds: filters.kinds?.join(",") ?? null,
    rule: filters.rule,
    limit: filters.limit,
  };
}

/** With `value` taken in or out. Nothing chosen is null, which asks for all; so does everything. */
export function toggle<Value>(chosen: readonly Value[] | null, value: Value, every: readonly Value[]): Value[] | null {
  const now = new Set(chosen ?? []);
  if (!now.delete(value)) now.add(value);
  return now.size === 0 || now.size === every.length ? null : every.filter((one) => now.has(one));
}
