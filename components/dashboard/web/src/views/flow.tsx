import { useEffect, useRef, useState } from "preact/hooks";
import { count } from "../format.ts";
import { ask, withQuery } from "../live/ask.ts";
import type { ColorName, Timeline } from "../live/documents.ts";
import { newest, paused } from "../live/store.ts";
import { moving, thin, type Moving } from "../moving.ts";
import { still } from "../parts/motion.ts";
import type { Point } from "../ring.ts";

/** Milliseconds from one look at the timeline to the next, and how long a message is on its way on the screen. */
const LOOK = 1000;
const TRAVEL = 800;
/** How many messages move at a time, and how many events are asked for at a time. */
const DOTS = 240;
const EVENTS = 1000;

/**
 * Messages on their way: a dot for each reception that has newly come to an agent's timeline, from its sender to its receiver. Who wants nothing to move sees lines between those who have exchanged
 * messages instead. Dots are moved by hand: 200 of them sixty times a second are no work for a virtual tree.
 */
export function Flow({ places, colors, tell }: { places: Map<number, Point>; colors: Map<number, ColorName | null>; tell: (text: string) => void }) {
  const group = useRef<SVGGElement>(null);
  const [lines, setLines] = useState<Moving[]>([]);
  const held = useRef({ places, colors });
  held.current = { places, colors };
  const halted = paused.value !== null;
  const quiet = still.value;

  useEffect(() => {
    if (halted) {
      tell("Paused: no messages are shown.");
      setLines([]);
      return;
    }
    const svg = "http://www.w3.org/2000/svg";
    const controller = new AbortController();
    let after: number | null = null;
    let timer = 0;
    let frame = 0;
    let under: { start: number; from: Point; to: Point; dot: SVGCircleElement }[] = [];
    const spare: SVGCircleElement[] = [];

    const draw = (now: number) => {
      const left: typeof under = [];
      for (const one of under) {
        const share = (now - one.start) / TRAVEL;
        if (share >= 1) {
          one.dot.remove();
          spare.push(one.dot);
          continue;
        }
        left.push(one);
        if (share < 0) continue;
        if (!one.dot.parentNode) group.current?.append(one.dot);
        one.dot.setAttribute("cx", (one.from.x + (one.to.x - one.from.x) * share).toFixed(1));
        one.dot.setAttribute("cy", (one.from.y + (one.to.y - one.from.y) * share).toFixed(1));
      }
      under = left;
      frame = under.length > 0 ? requestAnimationFrame(draw) : 0;
    };

    const launch = (messages: Moving[]) => {
      const first = messages[0]?.at ?? 0;
      const span = Math.max((messages.at(-1)?.at ?? 0) - first, 1);
      const now = performance.now();
      for (const { from, to, at } of messages) {
        const start = held.current.places.get(from);
        const end = held.current.places.get(to);
        if (!start || !end) continue;
        const dot = spare.pop() ?? document.createElementNS(svg, "circle");
        dot.setAttribute("r", "3.5");
        dot.setAttribute("class", `dot ${held.current.colors.get(from) ?? "all"}`);
        // As far apart as they were, or closer if that took longer than until the next look.
        under.push({ start: now + ((at - first) / span) * Math.min(LOOK, span / 1000), from: start, to: end, dot });
      }
      if (frame === 0 && under.length > 0) frame = requestAnimationFrame(draw);
    };

    const look = async () => {
      const asked = performance.now();
      after ??= ((newest.peek()?.at ?? Date.now()) - LOOK) * 1000;
      try {
        const timeline = await ask<Timeline>(withQuery("/view/timeline", { after, kinds: "received", limit: EVENTS }), { signal: controller.signal });
        const messages = moving(timeline);
        after = Math.max(after, ...timeline.events.map((event) => event.at));
        const room = thin(messages, Math.max(DOTS - under.length, 0));
        if (quiet) setLines(thin(messages, DOTS));
        else launch(room);
        const all = Math.max(timeline.total, messages.length);
        const drawn = quiet ? Math.min(messages.length, DOTS) : room.length;
        tell(drawn === all ? `${count(all)} messages have newly arrived.` : `${count(drawn)} of ${count(all)} newly arrived messages are drawn.`);
      } catch {
        if (controller.signal.aborted) return;
        tell("The timeline does not answer: no messages are shown.");
      }
      // A network that takes long to answer is asked less often.
      timer = window.setTimeout(() => void look(), Math.max(LOOK, performance.now() - asked));
    };
    void look();
    return () => {
      controller.abort();
      clearTimeout(timer);
      cancelAnimationFrame(frame);
      for (const { dot } of under) dot.remove();
      setLines([]);
    };
  }, [halted, quiet]);

  return (
    <g ref={group} class="flow">
      {lines.map(({ from, to }) => {
        const start = places.get(from);
        const end = places.get(to);
        return start && end ? <line class={`recent ${colors.get(from) ?? "all"}`} x1={start.x} y1={start.y} x2={end.x} y2={end.y} /> : null;
      })}
    </g>
  );
}
