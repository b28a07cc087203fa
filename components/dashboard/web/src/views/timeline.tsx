import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { positions, relations, step } from "../causality.ts";
import { KINDS, LIMITS, filtersOf, queryOf, toggle, type Filters } from "../filters.ts";
import { bytes, clock, count, counted, ranges } from "../format.ts";
import { withQuery } from "../live/ask.ts";
import type { Timeline, TimelineEvent } from "../live/documents.ts";
import { agentIds, paused, shown } from "../live/store.ts";
import { Timelines, upTo } from "../live/timelines.ts";
import { announce } from "../parts/announce.tsx";
import { Problem } from "../parts/problem.tsx";
import { useAsk } from "../parts/use-ask.ts";
import { useWidth } from "../parts/use-width.ts";
import { link, type Route } from "../route.ts";
import { ALL, pan, reveal, zoom, type Window } from "../zoom.ts";
import { Diagram, form, frame, fromX, laneY, toX } from "./diagram.tsx";
import { colorOf } from "./network.tsx";

/** Milliseconds from one look to the next while it follows, and the height of the diagram in CSS pixels. */
const FOLLOW = 2000;
const HEIGHT = 420;
/** Looking back reaches as far as so many events: at 500 of them every two seconds, somewhat more than a minute. */
const seen = new Timelines(20_000);
/** How near, in CSS pixels, one has to point at an event. */
const NEAR = 18;

function go(filters: Filters): void {
  location.hash = link("timeline", null, queryOf(filters));
}

function Choice<Value extends string | number>({ name, every, chosen, label, choose }: { name: string; every: readonly Value[]; chosen: Value[] | null; label: string; choose: (chosen: Value[] | null) => void }) {
  return (
    <details class="choice">
      <summary>
        {name}: {label}
      </summary>
      <fieldset>
        <legend class="unseen">{name}</legend>
        <button type="button" disabled={chosen === null} onClick={() => choose(null)}>
          All
        </button>
        {every.map((value) => (
          <label key={value}>
            <input type="checkbox" checked={chosen?.includes(value) ?? false} onChange={() => choose(toggle(chosen, value, every))} /> {value}
          </label>
        ))}
      </fieldset>
    </details>
  );
}

function FilterBar({ filters, rules }: { filters: Filters; rules: string[] }) {
  return (
    <div class="tools">
      <Choice name="Agents" every={agentIds.value} chosen={filters.agents} label={filters.agents ? ranges(filters.agents) : "all"} choose={(agents) => go({ ...filters, agents })} />
      <Choice name="Kinds" every={KINDS} chosen={filters.kinds as (typeof KINDS)[number][] | null} label={filters.kinds ? (filters.kinds.length === 1 ? filters.kinds[0]! : `${filters.kinds.length} of ${KINDS.length}`) : "all"} choose={(kinds) => go({ ...filters, kinds })} />
      <label>
        Rule{" "}
        <input type="text" list="rules" placeholder="any" value={filters.rule ?? ""} onChange={(event) => go({ ...filters, rule: event.currentTarget.value.trim() || null })} />
      </label>
      <datalist id="rules">
        {rules.map((rule) => (
          <option key={rule} value={rule} />
        ))}
      </datalist>
      <label>
        Newest{" "}
        <select value={filters.limit} onChange={(event) => go({ ...filters, limit: Number(event.currentTarget.value) })}>
          {LIMITS.map((limit) => (
            <option key={limit} value={limit}>
              {count(limit)}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function Picked({ timeline, index, past, future, pick }: { timeline: Timeline; index: number; past: number; future: number; pick: (index: number) => void }) {
  const event = timeline.events[index]!;
  const cause = event.cause === null ? -1 : timeline.events.findIndex((one) => one.id === event.cause);
  return (
    <>
      <p class="event-text">{event.text}</p>
      <dl class="facts">
        {(
          [
            ["When", `${clock(event.at / 1000)}.${String(event.at % 1_000_000).padStart(6, "0")}`],
            ["Kind", event.kind],
            ["Peer", event.peer === null ? "–" : `agent ${event.peer}`],
            ["Message", event.message ?? "–"],
            ["Size", event.bytes > 0 ? bytes(event.bytes) : "–"],
            ["Fact", event.fact ?? "–"],
            ["Rules", Object.entries(event.rules).map(([rule, times]) => `${rule} × ${count(times)}`).join(", ") || "–"],
            ["Phase", event.phase],
            ["Its past", `${counted(past, "event")} of those shown`],
            ["Its future", `${counted(future, "event")} of those shown`],
          ] as const
        ).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {cause >= 0 ? (
        <button type="button" onClick={() => pick(cause)}>
          Go to its cause
        </button>
      ) : event.cause !== null ? (
        <p class="note">Its cause is not among the events shown.</p>
      ) : null}
    </>
  );
}

function Key() {
  return (
    <ul class="key" aria-label="Forms of events">
      {KINDS.map((kind) => (
        <li key={kind}>
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
            <path class={`event ${kind} all`} d={form(kind, 8, 8)} />
          </svg>
          {kind}
        </li>
      ))}
    </ul>
  );
}

function nearest(timeline: Timeline, at: (event: TimelineEvent) => { x: number; y: number }, x: number, y: number): number | null {
  let best: number | null = null;
  let least = NEAR;
  timeline.events.forEach((event, index) => {
    const place = at(event);
    const distance = Math.hypot(place.x - x, place.y - y);
    if (distance < least) [best, least] = [index, distance];
  });
  return best;
}

/** What happened, and what caused what. */
export function TimelineView({ route }: { route: Route }) {
  const text = route.query.toString();
  const filters = useMemo(() => filtersOf(route.query), [text]);
  const query = queryOf(filters);
  const [picked, setPicked] = useState<string | null>(null);
  const [following, follow] = useState(true);
  const [again, setAgain] = useState(0);
  const [window, setWindow] = useState<Window>(ALL);
  const [box, width] = useWidth<HTMLDivElement>();
  const svg = useRef<SVGSVGElement>(null);
  const halted = paused.value !== null;
  // What one looks at must not move away: it follows only while nothing is picked or enlarged.
  const moves = following && !halted && picked === null && window === ALL;
  const status = shown.value;
  // While it is paused: the moment that is looked at. What was seen of it is not asked for again.
  const moment = halted && status ? status.at * 1000 : null;
  const held = useMemo(() => (moment === null ? null : seen.at(text, moment)), [text, moment]);
  const { document, error } = useAsk<Timeline>(held ? null : withQuery("/view/timeline", { ...query, until: moment }), again, moves ? FOLLOW : null);
  useEffect(() => {
    if (document) seen.add(text, moment ?? document.events.at(-1)?.at ?? 0, document);
  }, [document]);
  const timeline = useMemo(() => held ?? (document && moment !== null ? upTo(document, moment) : document), [held, document, moment]);
  const ids = agentIds.value;
  const colors = useMemo(() => new Map(ids.map((id) => [id, status ? colorOf(status, id) : null])), [ids, status === null]);
  const place = useMemo(() => positions(timeline?.events ?? []), [timeline]);
  const index = useMemo(() => (picked === null ? -1 : (timeline?.events.findIndex((event) => event.id === picked) ?? -1)), [timeline, picked]);
  const relation = useMemo(() => (timeline && index >= 0 ? relations(timeline.events, place, index) : null), [timeline, place, index]);
  const of = useMemo(() => frame(width, timeline?.lanes.length ?? ids.length, HEIGHT), [width, timeline?.lanes.length ?? ids.length]);
  const rules = useMemo(() => [...new Set(timeline?.events.flatMap((event) => Object.keys(event.rules)) ?? [])].sort(), [timeline]);

  // The same tree again is not looked at: each status document renders this view, and few of them change the diagram.
  const diagram = useMemo(
    () => (timeline && width > 0 ? <Diagram timeline={timeline} colors={colors} of={of} window={window} relation={relation} /> : null),
    [timeline, colors, of, window, relation],
  );

  const pick = (to: number | null) => {
    if (!timeline || to === null) return;
    const event = timeline.events[to]!;
    setPicked(event.id);
    announce(event.text);
    setWindow((now) => (now === ALL ? now : reveal(now, event.x)));
    const scroll = box.current;
    if (scroll) {
      const y = laneY(of, event.lane);
      if (y < scroll.scrollTop + of.lane) scroll.scrollTop = y - of.lane;
      else if (y > scroll.scrollTop + scroll.clientHeight - of.lane) scroll.scrollTop = y - scroll.clientHeight + of.lane;
    }
  };
  const unpick = () => {
    setPicked(null);
    announce("No event is picked.");
  };
  const enlarge = (factor: number, at?: number) =>
    setWindow((now) => {
      const next = zoom(now, factor, at);
      return next.to - next.from >= 1 ? ALL : next;
    });
  const centre = () => (index >= 0 && timeline ? timeline.events[index]!.x : undefined);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !timeline || timeline.events.length === 0) return;
    const arrow = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" } as const;
    const key = arrow[event.key as keyof typeof arrow];
    if (key) {
      const next = index < 0 ? timeline.events.length - 1 : step(timeline.events, timeline.lanes.length, index, key);
      if (next === null) announce(key === "left" || key === "right" ? "No further event of this agent is shown." : "No further agent is shown.");
      else pick(next);
    } else if (event.key === "Home") pick(0);
    else if (event.key === "End") pick(timeline.events.length - 1);
    else if (event.key === "+" || event.key === "=") enlarge(2, centre());
    else if (event.key === "-") enlarge(0.5, centre());
    else if (event.key === "0") setWindow(ALL);
    else if (event.key === "Escape") unpick();
    else if (event.key === "c" && index >= 0) {
      const cause = timeline.events[index]!.cause;
      const at = timeline.events.findIndex((one) => one.id === cause);
      if (at >= 0) pick(at);
      else announce(cause === null ? "No message caused this event." : "Its cause is not among the events shown.");
    } else return;
    event.preventDefault();
  };

  // Wheels with ctrl (which a pinch on a touchpad is, too) enlarge; sideways wheels move. The page itself scrolls as ever.
  const latest = useRef({ of, window });
  latest.current = { of, window };
  useEffect(() => {
    const element = svg.current;
    if (!element) return;
    const onWheel = (event: WheelEvent) => {
      const { of: size, window: now } = latest.current;
      const at = fromX(size, now, event.clientX - element.getBoundingClientRect().left);
      if (event.ctrlKey || event.metaKey) {
        enlarge(Math.exp(-event.deltaY / 200), at);
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        setWindow((before) => (before === ALL ? before : pan(before, (event.deltaX || event.deltaY) / size.width)));
      } else return;
      event.preventDefault();
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, []);

  // One pointer moves, two enlarge, and one that stays where it is picks.
  const pointers = useRef(new Map<number, { x: number; y: number }>());
  const dragged = useRef(0);
  const onPointerDown = (event: PointerEvent) => {
    pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.current.size === 1) dragged.current = 0;
  };
  const onPointerMove = (event: PointerEvent) => {
    const before = pointers.current.get(event.pointerId);
    if (!before) return;
    const dx = event.clientX - before.x;
    dragged.current += Math.abs(dx) + Math.abs(event.clientY - before.y);
    if (dragged.current < 4) return;
    svg.current?.setPointerCapture(event.pointerId);
    const others = [...pointers.current].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    if (others[0]) {
      const factor = Math.max(Math.abs(event.clientX - others[0].x), 1) / Math.max(Math.abs(before.x - others[0].x), 1);
      enlarge(factor);
    } else {
      setWindow((now) => (now === ALL ? now : pan(now, -dx / of.width)));
    }
    pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
  };
  const onPointerUp = (event: PointerEvent) => {
    pointers.current.delete(event.pointerId);
    if (event.type === "pointercancel" || dragged.current >= 4 || !timeline || !svg.current) return;
    const rect = svg.current.getBoundingClientRect();
    const near = nearest(timeline, (one) => ({ x: toX(of, window, one.x), y: laneY(of, one.lane) }), event.clientX - rect.left, event.clientY - rect.top);
    if (near === null) unpick();
    else pick(near);
  };

  const extent = timeline
    ? `${count(timeline.shown)} of ${counted(timeline.total, "event")}${timeline.left_out > 0 ? `; ${count(timeline.left_out)} more have happened, and the agents no longer list them` : ""}${timeline.silent.length > 0 ? `; none of ${ranges(timeline.silent)}, without an answer` : ""}.`
    : "…";

  return (
    <>
      <FilterBar filters={filters} rules={rules} />
      <Problem error={error} doing="Asking for the timeline" />
      <div class="tools">
        <div class="joined" role="group" aria-label="Zoom and pan">
          <button type="button" aria-label="Zoom in" onClick={() => enlarge(2, centre())}>
            +
          </button>
          <button type="button" aria-label="Zoom out" disabled={window === ALL} onClick={() => enlarge(0.5, centre())}>
            −
          </button>
          <button type="button" aria-label="Earlier" disabled={window.from <= 0} onClick={() => setWindow((now) => pan(now, -0.5))}>
            ←
          </button>
          <button type="button" aria-label="Later" disabled={window.to >= 1} onClick={() => setWindow((now) => pan(now, 0.5))}>
            →
          </button>
          <button type="button" disabled={window === ALL} onClick={() => setWindow(ALL)}>
            All
          </button>
        </div>
        <label>
          <input type="checkbox" checked={following} onChange={(event) => follow(event.currentTarget.checked)} /> Follow
        </label>
        <button type="button" onClick={() => setAgain((before) => before + 1)}>
          Ask again
        </button>
        <span class="exports">
          Export{" "}
          {(["json", "perfetto", "svg"] as const).map((format) => (
            <a key={format} href={withQuery("/view/timeline", { ...query, until: moment, format })} download={`timeline.${format === "perfetto" ? "perfetto.json" : format}`}>
              {format === "json" ? "JSON" : format === "svg" ? "SVG" : "Perfetto"}
            </a>
          ))}
        </span>
      </div>
      <p class="told" id="timeline-told">
        {`${extent} ${halted ? `Paused: this is what had happened up to ${status ? clock(status.at) : "now"}.` : moves ? "Follows." : following ? "Stands still while an event is picked or the time is enlarged." : "Stands still."}`}
      </p>
      <div
        ref={box}
        class="diagram"
        role="application"
        aria-roledescription="space-time diagram"
        aria-label="Events of the agents"
        aria-describedby="timeline-keys"
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        <svg ref={svg} width={width || "100%"} height={of.height} aria-hidden="true" onPointerDown={onPointerDown} onPointerMove={onPointerMove} onPointerUp={onPointerUp} onPointerCancel={onPointerUp}>
          {diagram}
        </svg>
      </div>
      <p class="note" id="timeline-keys">
        Arrow keys walk the events and read them out, <kbd>c</kbd> goes to the cause, <kbd>+</kbd> <kbd>−</kbd> <kbd>0</kbd> zoom, <kbd>Esc</kbd> lets go. Distances grow with the logarithm of the time.
      </p>
      <div class="two even">
        <section class="card picked" data-picked={index >= 0 ? picked : undefined}>
          <h3>{index >= 0 ? "The event" : "No event is picked"}</h3>
          {timeline && index >= 0 && relation ? (
            <Picked timeline={timeline} index={index} past={relation.filter((one) => one === "past").length} future={relation.filter((one) => one === "future").length} pick={pick} />
          ) : (
            <p class="note">{picked === null ? "Point at one, or walk there with the arrow keys: what could have caused it, and what it could have caused, lights up." : "The event that was picked is no longer among those shown."}</p>
          )}
        </section>
        <section class="card">
          <h3>Forms</h3>
          <Key />
        </section>
      </div>
    </>
  );
}
