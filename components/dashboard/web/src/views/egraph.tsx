import { useEffect, useRef, useState } from "preact/hooks";
import { count, counted, shorten } from "../format.ts";
import { ask, AskError, withQuery } from "../live/ask.ts";
import type { Carried, EClass, Explanation, Found, Neighbourhood } from "../live/documents.ts";
import { agentIds } from "../live/store.ts";
import { announce } from "../parts/announce.tsx";
import { ExplanationPath } from "../parts/explanation.tsx";
import { LETTER, Swatch } from "../parts/mark.tsx";
import { Problem } from "../parts/problem.tsx";
import { useAsk } from "../parts/use-ask.ts";
import { link, type Route } from "../route.ts";

const CLASSES = [10, 20, 40, 80] as const;
const SCALES = [0.5, 0.75, 1, 1.5, 2] as const;
/** Milliseconds after the last key before it searches. */
const PAUSE = 250;

interface Place {
  agent: number;
  term: string | null;
  expand: string[];
  classes: number;
}

function placeOf(query: URLSearchParams): Place {
  const agent = Number(query.get("agent"));
  const classes = Number(query.get("classes"));
  return {
    agent: Number.isInteger(agent) && agent >= 0 ? agent : 0,
    term: query.get("term") || null,
    expand: query.getAll("expand"),
    classes: (CLASSES as readonly number[]).includes(classes) ? classes : 40,
  };
}

function to(place: Place): string {
  return link("egraph", null, { ...place });
}

function Search({ place }: { place: Place }) {
  const [text, setText] = useState("");
  const [asked, setAsked] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setAsked(text.trim()), PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  const { document: found, error } = useAsk<Found>(asked === "" ? null : withQuery("/view/search", { agent: place.agent, q: asked, limit: 20 }));
  return (
    <form
      class="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() !== "") location.hash = to({ ...place, term: text.trim(), expand: [] });
      }}
    >
      <label class="grow">
        Term or part of one <input type="search" value={text} placeholder="(Add a b)" spellcheck={false} autocapitalize="off" onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <button type="submit">Go to the term</button>
      <div class="found" aria-live="polite">
        <Problem error={error} doing="Searching" />
        {asked === "" ? (
          <p class="note">Search for classes by what stands in them.</p>
        ) : found ? (
          <>
            <ul>
              {found.classes.map(({ id, label }) => (
                <li key={id}>
                  <a href={to({ ...place, term: id, expand: [] })} title={id}>
                    <code>{label}</code>
                  </a>
                </li>
              ))}
            </ul>
            <p class="note">{found.shown === 0 ? "No class has a node with that." : found.more ? `The first ${counted(found.shown, "class", "classes")}; there are more.` : `${counted(found.shown, "class", "classes")}.`}</p>
          </>
        ) : (
          <p class="note">…</p>
        )}
      </div>
    </form>
  );
}

/** Where texts stand in a class's box, in the units of the layout: from its sides, and the middle of its first and last line. */
const PADDING = 10;
const HEAD = 18;

function letters(carried: readonly Carried[]): string {
  return carried.map((one) => (one === "certified" ? "✓" : LETTER[one])).join("");
}

function Swatches({ of, named = false }: { of: readonly Carried[]; named?: boolean }) {
  return (
    <>
      {of.map((one) => (one === "certified" ? <span key={one}> ✓{named ? " certified" : <span class="unseen"> certified</span>}</span> : <Swatch key={one} color={one} named={named} />))}
    </>
  );
}

function Class({ of, center, selected, select, expand }: { of: EClass; center: boolean; selected: boolean; select: () => void; expand: () => void }) {
  const cut = of.nodes_total - of.nodes.length;
  // What is seen is its name; this says what that means.
  const meaning = `a class with ${counted(of.nodes_total, "node")}, best ${shorten(of.best, 60)}, cost ${of.cost}${center ? ", the center" : ""}`;
  return (
    <g
      class={`eclass${center ? " center" : ""}${selected ? " selected" : ""}`}
      role="button"
      tabindex={0}
      aria-description={meaning}
      aria-pressed={selected}
      data-class={of.id}
      onClick={select}
      onDblClick={expand}
      onKeyDown={(event) => {
        if (event.key === "Enter" || event.key === " ") select();
        else if (event.key === "e") expand();
        else return;
        event.preventDefault();
      }}
    >
      <title>{of.id}</title>
      <rect class="box" x={of.x} y={of.y} width={of.w} height={of.h} rx={7} />
      <text class="head" x={of.x + PADDING} y={of.y + HEAD}>
        {`${of.label} `}
      </text>
      <text class="letters" x={of.x + of.w - PADDING} y={of.y + HEAD}>
        {`${of.cost} `}
      </text>
      {of.nodes.map((node, index) => (
        <g key={index} class={`enode${node.best ? " best" : ""}`}>
          <rect x={node.x} y={node.y + 1} width={node.w} height={node.h - 2} rx={4} />
          <text x={node.x + 6} y={node.y + node.h / 2}>
            {`${node.label} `}
          </text>
          <text class="letters" x={node.x + node.w - 4} y={node.y + node.h / 2}>
            {`${node.best ? "★" : ""}${letters(node.colors)} `}
          </text>
        </g>
      ))}
      {cut > 0 ? (
        <text class="letters" x={of.x + of.w - PADDING} y={of.y + of.h - HEAD}>
          {`${of.nodes.length} of ${count(of.nodes_total)}`}
        </text>
      ) : null}
    </g>
  );
}

function Drawing({ graph, scale, selected, select, expand }: { graph: Neighbourhood; scale: number; selected: string | null; select: (id: string) => void; expand: (id: string) => void }) {
  const path = (best: boolean) =>
    graph.edges
      .filter((edge) => edge.best === best)
      .map(({ points }) => `M${points.map(([x, y]) => `${x} ${y}`).join("L")}`)
      .join("");
  return (
    <svg width={graph.width * scale} height={graph.height * scale} viewBox={`0 0 ${graph.width} ${graph.height}`} role="group" aria-label={`${graph.note}, around ${shorten(graph.center, 80)}`}>
      <path class="edge" d={path(false)} />
      <path class="edge best" d={path(true)} />
      {graph.classes.map((one) => (
        <Class key={one.id} of={one} center={one.id === graph.center} selected={one.id === selected} select={() => select(one.id)} expand={() => expand(one.id)} />
      ))}
    </svg>
  );
}

function Details({ one, place, explain }: { one: EClass; place: Place; explain: (a: string, b: string) => void }) {
  const expanded = place.expand.includes(one.id);
  return (
    <section class="card" data-selected={one.id}>
      <h3>The class</h3>
      <dl class="digests">
        <dt>Least term</dt>
        <dd>
          <code>{one.id}</code>
        </dd>
        <dt>Best term, cost {one.cost}</dt>
        <dd>
          <code class="best">★ {one.best}</code>
        </dd>
        <dt>Colors</dt>
        <dd>{one.colors.length === 0 ? "none" : <Swatches of={one.colors} named />}</dd>
        <dt>
          Nodes: {count(one.nodes.length)} of {count(one.nodes_total)}
        </dt>
        <dd>
          <ul class="nodes">
            {one.nodes.map((node, index) => (
              <li key={index}>
                <code>
                  {node.best ? "★ " : ""}
                  {node.text}
                </code>{" "}
                <Swatches of={node.colors} />
                {node.hidden > 0 ? <span class="note"> {counted(node.hidden, "argument")} not shown</span> : null}
              </li>
            ))}
          </ul>
        </dd>
      </dl>
      <p class="row">
        <a class="button" href={to({ ...place, expand: expanded ? place.expand.filter((id) => id !== one.id) : [...place.expand, one.id] })}>
          {expanded ? "Fold" : "Expand"}
        </a>
        <a class="button" href={to({ ...place, term: one.id, expand: [] })}>
          Make it the center
        </a>
        {one.id === one.best ? null : (
          <button type="button" onClick={() => explain(one.id, one.best)}>
            Why is the best term equal?
          </button>
        )}
      </p>
    </section>
  );
}

/** A form that asks why two terms are equal, and the answer. `wish` is filled in from outside, and asked at once. */
function Explain({ agent, wish }: { agent: number; wish: { a: string; b: string } | null }) {
  const [a, setA] = useState("");
  const [b, setB] = useState("");
  const [answer, setAnswer] = useState<{ from: string; explanation: Explanation } | null>(null);
  const [error, setError] = useState<AskError | null>(null);
  const [busy, setBusy] = useState(false);
  const asking = useRef(0);
  const explain = async (from: string, goal: string) => {
    const round = (asking.current += 1);
    setBusy(true);
    setError(null);
    setAnswer(null);
    try {
      const explanation = await ask<Explanation>(withQuery(`/agent/${agent}/explain`, { a: from, b: goal }));
      if (round !== asking.current) return;
      setAnswer({ from, explanation });
      announce(`They are equal: ${counted(explanation.steps.length, "step")}.`);
    } catch (failed) {
      if (round !== asking.current) return;
      setError(failed instanceof AskError ? failed : new AskError(null, String(failed)));
    }
    setBusy(false);
  };
  useEffect(() => {
    if (!wish) return;
    setA(wish.a);
    setB(wish.b);
    void explain(wish.a, wish.b);
  }, [wish]);
  return (
    <section class="card explain">
      <h3>Why are two terms equal?</h3>
      <form
        class="tools"
        onSubmit={(event) => {
          event.preventDefault();
          void explain(a.trim(), b.trim());
        }}
      >
        <label class="grow">
          One <input type="text" required value={a} spellcheck={false} autocapitalize="off" onInput={(event) => setA(event.currentTarget.value)} />
        </label>
        <label class="grow">
          Other <input type="text" required value={b} spellcheck={false} autocapitalize="off" onInput={(event) => setB(event.currentTarget.value)} />
        </label>
        <button type="submit" disabled={busy}>
          Explain
        </button>
      </form>
      <Problem error={error} doing="Explaining" />
      {answer ? <ExplanationPath from={answer.from} explanation={answer.explanation} /> : null}
    </section>
  );
}

/** A part of the e-graph, around one class. */
export function EGraphView({ route }: { route: Route }) {
  const place = placeOf(route.query);
  const [again, setAgain] = useState(0);
  const [scale, setScale] = useState(2);
  const [selected, select] = useState<string | null>(null);
  const [wish, setWish] = useState<{ a: string; b: string } | null>(null);
  const { document: graph, error, busy } = useAsk<Neighbourhood>(withQuery("/view/egraph", { agent: place.agent, term: place.term, expand: place.expand, classes: place.classes }), again);
  const one = graph?.classes.find((candidate) => candidate.id === selected) ?? graph?.classes.find((candidate) => candidate.id === graph.center) ?? null;
  const expand = (id: string) => {
    if (!place.expand.includes(id)) location.hash = to({ ...place, expand: [...place.expand, id] });
  };
  return (
    <>
      <div class="tools">
        <label>
          As agent{" "}
          <select value={place.agent} onChange={(event) => (location.hash = to({ ...place, agent: Number(event.currentTarget.value) }))}>
            {(agentIds.value.length > 0 ? agentIds.value : [place.agent]).map((id) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </select>{" "}
          has it
        </label>
        <label>
          At most{" "}
          <select value={place.classes} onChange={(event) => (location.hash = to({ ...place, classes: Number(event.currentTarget.value) }))}>
            {CLASSES.map((classes) => (
              <option key={classes} value={classes}>
                {classes} classes
              </option>
            ))}
          </select>
        </label>
        <div class="joined" role="group" aria-label="Size">
          <button type="button" aria-label="Smaller" disabled={scale === 0} onClick={() => setScale(scale - 1)}>
            −
          </button>
          <button type="button" aria-label="Larger" disabled={scale === SCALES.length - 1} onClick={() => setScale(scale + 1)}>
            +
          </button>
        </div>
        <button type="button" onClick={() => setAgain(again + 1)}>
          Ask again
        </button>
        {place.term !== null || place.expand.length > 0 ? <a href={to({ ...place, term: null, expand: [] })}>Back to the start</a> : null}
      </div>
      <Search place={place} />
      <Problem error={error} doing="Asking for the e-graph" />
      <p class="told" data-note={graph?.note} aria-busy={busy}>
        {graph ? (
          <>
            <b>{graph.note}</b>, of an e-graph with {counted(graph.enodes, "e-node")} in {counted(graph.eclasses, "class", "classes")}.
          </>
        ) : (
          "…"
        )}
      </p>
      <div class="canvas" role="region" aria-label="Classes and nodes" tabIndex={0}>
        {graph ? <Drawing graph={graph} scale={SCALES[scale]!} selected={one?.id ?? null} select={select} expand={expand} /> : null}
      </div>
      <p class="note">Beside a class’s name stands the cost of its best term; ★ marks the node that this begins with. R, B and G are the colors that a node carries, ✓ that a green agent has checked it again.</p>
      <div class="two even">
        {one ? <Details one={one} place={place} explain={(a, b) => setWish({ a, b })} /> : <section class="card"><h3>The class</h3><p class="note">No class is shown.</p></section>}
        <Explain agent={place.agent} wish={wish} />
      </div>
    </>
  );
}
