/** Where in the page one is: the part of the address after `#`, so that every view has a link. `#/timeline?agents=0,1` is the view `timeline` with a query. */

export const VIEWS = ["network", "agent", "timeline", "performance", "egraph", "try"] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  /** Of the view `agent`: which one. */
  agent: number;
  query: URLSearchParams;
}

/** What is not known leads to the network. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [name, agent] = path.split("/");
  const view = VIEWS.find((one) => one === name) ?? "network";
  return { view, agent: agent !== undefined && /^\d{1,5}$/.test(agent) ? Number(agent) : 0, query: new URLSearchParams(query) };
}

/** Empty values are left out; arrays are repeated. */
export function link(view: View, agent?: number | null, query: Record<string, string | number | string[] | null | undefined> = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") parameters.append(name, String(one));
    }
  }
  const text = parameters.toString();
  return `#/${view}${agent === undefined || agent === null ? "" : `/${agent}`}${text === "" ? "" : `?${text}`}`;
}
