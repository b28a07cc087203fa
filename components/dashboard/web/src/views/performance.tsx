import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { bytes, clock, count, counted, duration, elapsed, perSecond } from "../format.ts";
import { answers } from "../live/documents.ts";
import { columns, type Numbers } from "../live/samples.ts";
import { agentIds, paused, rated, samples, shown } from "../live/store.ts";
import { Swatch } from "../parts/mark.tsx";
import { dark } from "../parts/motion.ts";
import { link, type Route } from "../route.ts";

/** CSS pixels. */
const HEIGHT = 170;

interface Line {
  name: string;
  read: (numbers: Numbers) => number | null;
}

interface Drawing {
  title: string;
  lines: Line[];
  format: (value: number) => string;
  /** There is nothing between 1 and 2 of it. */
  whole?: true;
}

const DRAWINGS: Drawing[] = [
  {
    title: "Messages a second",
    format: perSecond,
    lines: [
      { name: "received", read: (numbers) => numbers.rate?.received ?? null },
      { name: "sent", read: (numbers) => numbers.rate?.sent ?? null },
    ],
  },
  {
    title: "Bytes a second",
    format: bytes,
    lines: [
      { name: "received", read: (numbers) => numbers.rate?.bytesReceived ?? null },
      { name: "sent", read: (numbers) => numbers.rate?.bytesSent ?? null },
    ],
  },
  {
    title: "Latency of messages",
    format: duration,
    lines: [
      { name: "p50", read: (numbers) => numbers.p50 },
      { name: "p95", read: (numbers) => numbers.p95 },
      { name: "p99", read: (numbers) => numbers.p99 },
    ],
  },
  { title: "Lag: facts that are lacking", format: count, whole: true, lines: [{ name: "lag", read: (numbers) => numbers.lag }] },
  {
    title: "The e-graph",
    format: count,
    whole: true,
    lines: [
      { name: "e-nodes", read: (numbers) => numbers.enodes },
      { name: "e-classes", read: (numbers) => numbers.eclasses },
    ],
  },
];

/** From one mark of an axis to the next, where there are only whole numbers. */
const WHOLE = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();

/** Lines differ by color and by dashes. */
const STYLES = [
  { variable: "--line-1", dash: [] },
  { variable: "--line-2", dash: [6, 4] },
  { variable: "--line-3", dash: [2, 3] },
];

/** A color of the style sheet as a canvas takes it: resolved for the scheme of the element. */
function css(element: HTMLElement, name: string): string {
  element.style.color = `var(${name})`;
  const { color } = getComputedStyle(element);
  element.style.color = "";
  return color;
}

function Chart({ drawing, agent }: { drawing: Drawing; agent: number | null }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [pointed, point] = useState<number | null>(null);
  const all = samples.value;
  // While it is paused, what came later is not drawn.
  const until = paused.value ? (shown.value?.at ?? 0) : Infinity;
  const drawn = until === Infinity ? all : all.filter((one) => one.at <= until);
  const data = columns(
    drawn,
    agent,
    drawing.lines.map(({ read }) => read),
  );
  const held = useRef(data);
  held.current = data;
  const scheme = dark.value;

  useEffect(() => {
    const element = box.current!;
    const axis: uPlot.Axis = {
      stroke: css(element, "--quiet"),
      grid: { stroke: css(element, "--grid"), width: 1 },
      ticks: { stroke: css(element, "--grid"), width: 1 },
      font: "12px system-ui, sans-serif",
    };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
        axes: [
          { ...axis, space: 84, values: (_, ticks) => ticks.map((tick) => clock(tick * 1000)) },
          { ...axis, size: 64, ...(drawing.whole ? { incrs: WHOLE } : {}), values: (_, ticks) => ticks.map((tick) => drawing.format(tick)) },
        ],
        series: [
          {},
          ...drawing.lines.map(({ name }, index) => ({
            label: name,
            stroke: css(element, STYLES[index]!.variable),
            dash: STYLES[index]!.dash,
            width: 1.75,
            points: { show: false },
          })),
        ],
        hooks: { setCursor: [(self) => point(self.cursor.idx ?? null)] },
      },
      held.current as uPlot.AlignedData,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(([entry]) => made.setSize({ width: Math.floor(entry!.contentRect.width), height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [scheme, drawing]);
  useEffect(() => plot.current?.setData(data as uPlot.AlignedData), [all, agent, until]);

  const at = pointed !== null && pointed < drawn.length ? pointed : drawn.length - 1;
  const values = drawing.lines.map(({ name, read }, index) => ({ name, value: data[index + 1]?.[at] ?? null, style: index, read }));
  const said = (value: number | null) => (value === null ? "–" : drawing.format(value));
  return (
    <section class="card chart" data-chart={drawing.title}>
      <h3>{drawing.title}</h3>
      <div ref={box} class="plot" role="img" aria-label={`${drawing.title} over time. Now: ${values.map(({ name, value }) => `${name} ${said(value)}`).join(", ")}.`} />
      <p class="values">
        {values.map(({ name, value, style }) => (
          <span key={name}>
            <svg viewBox="0 0 24 8" width="24" height="8" aria-hidden="true">
              <line class={`line-${style + 1}`} x1="0" x2="24" y1="4" y2="4" stroke-dasharray={STYLES[style]!.dash.join(" ")} />
            </svg>
            {name} <b data-line={name}>{said(value)}</b>
          </span>
        ))}
        <time>{drawn[at] ? clock(drawn[at].at) : ""}</time>
      </p>
    </section>
  );
}

/** What each agent does now, for those who want the numbers. */
function Table() {
  const status = shown.value;
  const rates = rated.value;
  if (!status) return null;
  return (
    <section class="card wide">
      <h3>By agent</h3>
      <div class="scroll" role="region" aria-label="Numbers by agent" tabIndex={0}>
        <table class="steady broad">
          <thead>
            <tr>
              <th scope="col">Agent</th>
              {["In/s", "Out/s", "Bytes in/s", "Bytes out/s", "p50", "p95", "p99", "Worst", "Measured", "Last work"].map((name) => (
                <th scope="col" class="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {status.agents.map((agent) => {
              const rate = rates?.agents.get(agent.id);
              if (!answers(agent))
                return (
                  <tr key={agent.id}>
                    <th scope="row">{agent.id}</th>
                    <td colSpan={10}>does not answer</td>
                  </tr>
                );
              const { latency } = agent;
              const time = (micros: number) => (latency.count > 0 ? duration(micros) : "–");
              return (
                <tr key={agent.id} data-agent={agent.id}>
                  <th scope="row">
                    <a href={link("performance", null, { agent: agent.id })}>
                      <Swatch color={agent.color} /> {agent.id}
                    </a>
                  </th>
                  <td class="number">{rate ? perSecond(rate.received) : "–"}</td>
                  <td class="number">{rate ? perSecond(rate.sent) : "–"}</td>
                  <td class="number">{rate ? bytes(rate.bytesReceived) : "–"}</td>
                  <td class="number">{rate ? bytes(rate.bytesSent) : "–"}</td>
                  <td class="number">{time(latency.p50)}</td>
                  <td class="number">{time(latency.p95)}</td>
                  <td class="number">{time(latency.p99)}</td>
                  <td class="number">{time(latency.max)}</td>
                  <td class="number">{count(latency.count)}</td>
                  <td class="number">{duration(agent.work_micros)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** How fast the network is, over time. */
export function Performance({ route }: { route: Route }) {
  const wished = route.query.get("agent");
  const agent = wished !== null && /^\d{1,5}$/.test(wished) ? Number(wished) : null;
  const all = samples.value;
  const span = all.length > 1 ? all.at(-1)!.at - all[0]!.at : 0;
  return (
    <>
      <div class="tools">
        <label>
          Of{" "}
          <select value={agent ?? ""} onChange={(event) => (location.hash = link("performance", null, { agent: event.currentTarget.value }))}>
            <option value="">all agents</option>
            {agentIds.value.map((id) => (
              <option key={id} value={id}>
                agent {id}
              </option>
            ))}
          </select>
        </label>
        <span class="note">
          {`${counted(all.length, "document")} in ${elapsed(span)}, since this page was opened. ${agent === null ? "Latencies are those of the agent with the greatest; e-nodes those of the agent with most." : ""}`}
        </span>
      </div>
      <div class="cards charts">
        {DRAWINGS.map((drawing) => (
          <Chart key={drawing.title} drawing={drawing} agent={agent} />
        ))}
        <Table />
      </div>
    </>
  );
}
