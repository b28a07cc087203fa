import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { clock, elapsed } from "./format.ts";
import { broken, connection, lookAt, newest, pause, paused, rated, resume, shown } from "./live/store.ts";
import { announce, Announcer } from "./parts/announce.tsx";
import { link, parseRoute, type View } from "./route.ts";
import { kind, sentence } from "./sentence.ts";
import { AgentView } from "./views/agent.tsx";
import { EGraphView } from "./views/egraph.tsx";
import { Network } from "./views/network.tsx";
import { Performance } from "./views/performance.tsx";
import { TimelineView } from "./views/timeline.tsx";
import { Try } from "./views/try.tsx";

const TITLES: Record<View, string> = { network: "Network", agent: "Agent", timeline: "Timeline", performance: "Performance", egraph: "E-graph", try: "Try it" };
/** Milliseconds between two things that are read out of themselves. */
const CALM = 5000;

const route = signal(parseRoute(location.hash));
addEventListener("hashchange", () => (route.value = parseRoute(location.hash)));

function Nav() {
  const at = route.value;
  return (
    <nav aria-label="Views">
      <ul>
        {(Object.keys(TITLES) as View[]).map((view) => (
          <li key={view}>
            <a href={view === "agent" ? link("agent", at.view === "agent" ? at.agent : 0) : link(view)} aria-current={at.view === view ? "page" : undefined}>
              {TITLES[view]}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** Live, or lost: in words, beside a sign. */
function ConnectionTag() {
  const now = connection.value;
  const [sign, text] =
    now.state === "live"
      ? (["●", now.by === "stream" ? "live" : "live, by polling"] as const)
      : now.state === "connecting"
        ? (["○", "connecting …"] as const)
        : (["×", `${now.why}: trying again every ${Math.max(1, Math.round(now.retryIn / 1000))} s`] as const);
  return (
    <span class={`connection ${now.state}`} data-connection={now.state} data-by={now.state === "live" ? now.by : undefined}>
      <span aria-hidden="true">{sign}</span> {text}
    </span>
  );
}

/** Pausing, and looking back. Its room is there from the start, so nothing moves when it is used. */
function Time() {
  const back = paused.value;
  const status = shown.value;
  const last = back ? back.past.length - 1 : 0;
  const ago = back && newest.value ? newest.value.at - back.past[back.index]!.at : 0;
  return (
    <div class="time" role="group" aria-label="Time">
      <span class="at">
        {back && status ? (
          <>
            <b>{clock(status.at)}</b>, {elapsed(ago)} ago
          </>
        ) : (
          <ConnectionTag />
        )}
      </span>
      <button type="button" class="pause" disabled={!back && !status} onClick={() => (back ? resume() : pause())}>
        {back ? "▶ Resume" : "❚❚ Pause"}
      </button>
      <input
        type="range"
        aria-label="Look back"
        aria-valuetext={back && status ? `${clock(status.at)}, ${elapsed(ago)} before the newest` : "now"}
        min={0}
        max={last}
        value={back ? back.index : last}
        disabled={!back || last === 0}
        onInput={(event) => lookAt(Number(event.currentTarget.value))}
      />
    </div>
  );
}

/** Reads out when the network's state changes in kind, or the connection does; the latest only, and not more often than every few seconds. */
function useAnnouncements(): void {
  const spoken = useRef({ text: "", at: 0 });
  const status = newest.value;
  const now = connection.value;
  const text = now.state === "lost" ? `Connection lost: ${now.why}. It is tried again.` : status && now.state === "live" ? `The network: ${kind(status)}.` : "";
  useEffect(() => {
    if (text === "" || text === spoken.current.text) return;
    const wait = Math.max(0, spoken.current.at + CALM - performance.now());
    const timer = setTimeout(() => {
      // What is so from the start is on the page; only changes are read out.
      if (spoken.current.text !== "") announce(text);
      spoken.current = { text, at: performance.now() };
    }, wait);
    return () => clearTimeout(timer);
  }, [text]);
}

function Shown() {
  const at = route.value;
  switch (at.view) {
    case "network":
      return <Network />;
    case "agent":
      return <AgentView key={at.agent} route={at} />;
    case "timeline":
      return <TimelineView route={at} />;
    case "performance":
      return <Performance route={at} />;
    case "egraph":
      return <EGraphView route={at} />;
    case "try":
      return <Try />;
  }
}

export function App() {
  const at = route.value;
  const status = shown.value;
  const now = connection.value;
  const title = at.view === "agent" ? `Agent ${at.agent}` : TITLES[at.view];
  const heading = useRef<HTMLHeadingElement>(null);
  const first = useRef(true);
  useAnnouncements();
  useEffect(() => {
    document.title = `${title} · eqmesh`;
    // A view that is newly opened is where one goes on reading; the page itself begins at its top.
    if (!first.current) heading.current?.focus({ preventScroll: true });
    first.current = false;
  }, [at.view, title]);
  return (
    <>
      <header>
        <a
          class="skip"
          href={location.hash || "#/network"}
          onClick={(event) => {
            event.preventDefault();
            heading.current?.focus();
          }}
        >
          Skip to the view
        </a>
        <div class="top">
          <h1>
            <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
              <path class="mesh" d="M16 6 25 24H7Z" />
              <circle class="form red" cx="16" cy="6" r="5" />
              <rect class="form blue" x="2.5" y="19.5" width="9" height="9" rx="1.5" />
              <path class="form green" d="m25 18 6 11H19Z" />
            </svg>
            eqmesh
          </h1>
          <Nav />
        </div>
        <div class="state">
          <p class="sentence" id="sentence">
            {status ? sentence(status, rated.value?.all ?? null) : now.state === "lost" ? `Nothing is known of the network: ${now.why}.` : "Asking the agents …"}
          </p>
          <Time />
        </div>
        {paused.value && now.state === "lost" ? (
          <p class="note">
            <ConnectionTag />
          </p>
        ) : null}
        {broken.value ? (
          <p class="problem" role="alert">
            {broken.value}: reload the page; it may be of another version than the network.
          </p>
        ) : null}
      </header>
      <main id="view" data-view={at.view}>
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <Shown />
      </main>
      <footer>
        <p>
          Every number on this page is the agents’ own. For machines: <a href="/status">status</a>, <a href="/openapi.json">interface</a>.
        </p>
      </footer>
      <Announcer />
    </>
  );
}
