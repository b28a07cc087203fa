/** The space-time diagram: a line for each agent, a mark for each event, an arrow for each message. */
import type { Relation } from "../causality.ts";
import { duration } from "../format.ts";
import type { ColorName, Timeline } from "../live/documents.ts";
import { LETTER } from "../parts/mark.tsx";
import type { Window } from "../zoom.ts";

/** Of the names of the lanes, of the room right of the last event, and of the axis. */
export const LEFT = 62;
const RIGHT = 14;
const AXIS = 26;

export interface Frame {
  width: number;
  lane: number;
  height: number;
}

/** Lanes fill the room that is there, or are as narrow as can be told apart. */
export function frame(width: number, lanes: number, room: number): Frame {
  const lane = Math.max(24, Math.min(64, (room - AXIS) / Math.max(lanes, 1)));
  return { width, lane, height: Math.max(room, lanes * lane + AXIS) };
}

export function laneY(of: Frame, lane: number): number {
  return (lane + 0.5) * of.lane;
}

export function toX(of: Frame, window: Window, x: number): number {
  return LEFT + ((x - window.from) / (window.to - window.from)) * (of.width - LEFT - RIGHT);
}

export function fromX(of: Frame, window: Window, px: number): number {
  return window.from + ((px - LEFT) / (of.width - LEFT - RIGHT)) * (window.to - window.from);
}

/** Each kind has its own form. */
export function form(kind: string, x: number, y: number): string {
  const at = (dx: number, dy: number) => `${(x + dx).toFixed(1)} ${(y + dy).toFixed(1)}`;
  const ring = (r: number) => `M${at(-r, 0)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
  switch (kind) {
    case "sent":
      return `M${at(-4, -5)}L${at(5, 0)}L${at(-4, 5)}Z`;
    case "received":
      return ring(4.5);
    case "refused":
      return `M${at(-5, -5)}L${at(5, 5)}M${at(5, -5)}L${at(-5, 5)}`;
    case "acknowledged":
      return `M${at(-5, 0)}L${at(-1, 4)}L${at(5, -5)}`;
    case "sync-started":
      return `M${at(4, -5)}L${at(-4, -5)}L${at(-4, 5)}L${at(4, 5)}`;
    case "sync-completed":
      return `M${at(-4, -5)}L${at(4, -5)}L${at(4, 5)}L${at(-4, 5)}`;
    case "heartbeat":
      return ring(2);
    case "step":
      return `M${at(0, -6)}L${at(5, 0)}L${at(0, 6)}L${at(-5, 0)}Z`;
    case "certified":
      return `M${at(0, -6)}L${at(5.5, 5)}L${at(-5.5, 5)}Z`;
    case "converged":
      return ring(6) + ring(2.5);
    default:
      return `M${at(-3, -3)}L${at(3, -3)}L${at(3, 3)}L${at(-3, 3)}Z`;
  }
}

export interface Drawn {
  timeline: Timeline;
  colors: Map<number, ColorName | null>;
  of: Frame;
  window: Window;
  relation: Relation[] | null;
}

/** Times stand under events that happened then, since between them the axis is not even. */
function Ticks({ timeline, of, window }: Drawn) {
  const first = timeline.events[0]?.at ?? 0;
  const wished = Math.max(1, Math.floor((of.width - LEFT) / 130));
  const ticks: { x: number; text: string }[] = [];
  for (let index = 0; index <= wished; index += 1) {
    const goal = window.from + ((window.to - window.from) * index) / wished;
    let nearest: number | null = null;
    timeline.events.forEach((event, at) => {
      if (event.x < window.from || event.x > window.to) return;
      if (nearest === null || Math.abs(event.x - goal) < Math.abs(timeline.events[nearest]!.x - goal)) nearest = at;
    });
    if (nearest === null) continue;
    const event = timeline.events[nearest]!;
    const x = toX(of, window, event.x);
    if (ticks.every((tick) => Math.abs(tick.x - x) > 84)) ticks.push({ x, text: `+${duration(event.at - first)}` });
  }
  return (
    <g class="ticks">
      {ticks.map(({ x, text }) => (
        <>
          <line x1={x} x2={x} y1={0} y2={of.height - AXIS + 5} />
          <text x={Math.min(Math.max(x, LEFT + 24), of.width - 30)} y={of.height - 7}>
            {text}
          </text>
        </>
      ))}
    </g>
  );
}

/** Marks by the classes that they have, in the order in which these first occur. Thousands of elements of their own took some 0.2 s to be drawn anew; as many strokes of a few dozen paths take a tenth of it. */
type Looks = Map<string, { path: string; ids: string[] }>;

function draw(looks: Looks, look: string, path: string, id: string): void {
  const marks = looks.get(look);
  if (marks) {
    marks.path += path;
    marks.ids.push(id);
  } else looks.set(look, { path, ids: [id] });
}

/** What lies above what: the picked event above its past and future, these above the others. */
const ABOVE: Record<Relation, number> = { concurrent: 0, past: 1, future: 1, picked: 2 };

/** All of it: O(events + arrows). Kept by the view while nothing of it changes. `data-events` and `data-arrows` say which ones a path draws. */
export function Diagram(drawn: Drawn) {
  const { timeline, colors, of, window, relation } = drawn;
  const x = timeline.events.map((event) => toX(of, window, event.x));
  const seen = (index: number) => x[index]! >= LEFT - 8 && x[index]! <= of.width;
  const colorOf = timeline.lanes.map((lane) => colors.get(lane.agent) ?? "all");
  const lit = (index: number) => relation === null || relation[index] !== "concurrent";
  const arrows: Looks = new Map();
  for (const { from, to } of timeline.arrows) {
    if (Math.max(x[from]!, x[to]!) < LEFT || Math.min(x[from]!, x[to]!) > of.width) continue;
    const start = timeline.events[from]!;
    const end = timeline.events[to]!;
    const path = `M${x[from]!.toFixed(1)} ${laneY(of, start.lane)}L${x[to]!.toFixed(1)} ${laneY(of, end.lane)}`;
    draw(arrows, `arrow ${colorOf[start.lane]!}${lit(from) && lit(to) ? "" : " dim"}`, path, `${start.id}>${end.id}`);
  }
  const layers: Looks[] = [new Map(), new Map(), new Map()];
  timeline.events.forEach((event, index) => {
    if (!seen(index)) return;
    const to = relation?.[index];
    const look = `event ${event.kind} ${colorOf[event.lane]!}${to ? ` ${to}` : ""}`;
    draw(layers[to ? ABOVE[to] : 1]!, look, form(event.kind, x[index]!, laneY(of, event.lane)), event.id);
  });
  return (
    <>
      <Ticks {...drawn} />
      {timeline.lanes.map((_, index) => (
        <line key={index} class="lane" x1={LEFT} x2={of.width} y1={laneY(of, index)} y2={laneY(of, index)} />
      ))}
      <g class="arrows">
        {[...arrows].map(([look, { path, ids }]) => (
          <path key={look} class={look} d={path} data-arrows={ids.join(" ")} />
        ))}
      </g>
      {layers.map((layer, index) => (
        <g key={index}>
          {[...layer].map(([look, { path, ids }]) => (
            <path key={look} class={look} d={path} data-events={ids.join(" ")} />
          ))}
        </g>
      ))}
      <rect class="cover" x={0} y={0} width={LEFT - 8} height={of.height} />
      {timeline.lanes.map((lane, index) => (
        <text key={index} class={`name ${colorOf[index]!}`} x={4} y={laneY(of, index) + 4}>
          {LETTER[colorOf[index]!]} {lane.incarnation === 0 ? lane.agent : `${lane.agent}.${lane.incarnation}`}
        </text>
      ))}
    </>
  );
}
