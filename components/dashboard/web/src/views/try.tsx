import { signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { count, counted, elapsed } from "../format.ts";
import { ask, AskError, withQuery } from "../live/ask.ts";
import { answers, type Checked, type Example, type Explanation, type Mistake, type Question, type Taken, type Terms } from "../live/documents.ts";
import { agentIds, answering, newest } from "../live/store.ts";
import { announce } from "../parts/announce.tsx";
import { Editor } from "../parts/editor.tsx";
import { ExplanationPath } from "../parts/explanation.tsx";
import { Problem } from "../parts/problem.tsx";
import { useAsk } from "../parts/use-ask.ts";
import { link } from "../route.ts";
import { questionsOf } from "../term.ts";

/** What the editor holds outlives the view, so that one can look at the network meanwhile. */
const program = signal("");
const chosen = signal<string | null>(null);
const run = signal<Run | null>(null);

interface Run {
  agent: number;
  taken: Taken;
  /** Milliseconds since 1970, by this machine's clock, since only differences are shown. */
  since: number;
  questions: Question[];
  /** When all agents had converged on it. */
  done: number | null;
}

function key(question: Question): string {
  return JSON.stringify(question);
}

/** One question: asked again whenever the e-graph it was answered from has changed. Whether something holds is asked only when all is known: before, terms may not be there yet. */
function Answer({ agent, question, digest, settled }: { agent: number; question: Question; digest: string; settled: boolean }) {
  const base = `/agent/${agent}`;
  const url =
    question.kind === "extract"
      ? withQuery(`${base}/extract`, { term: question.term })
      : question.kind === "check"
        ? withQuery(`${base}/check`, { facts: question.facts })
        : withQuery(`${base}/explain`, { a: question.a, b: question.b });
  const { document: answer, error } = useAsk<Terms | Checked | Explanation>(settled || question.kind === "extract" ? url : null, digest);
  return (
    <li data-question={question.kind}>
      <p>
        <span class="kind">{question.kind}</span> <code>{question.kind === "extract" ? question.term : question.kind === "check" ? question.facts : `${question.a} = ${question.b}`}</code>
      </p>
      <Problem error={error} doing="Asking" />
      {settled || question.kind === "extract" ? null : <p class="note">Asked when all agents have converged.</p>}
      {answer === null || error ? null : "results" in answer ? (
        answer.results.map(({ term, cost }) => (
          <p key={term} class="answer">
            <code>{term}</code> <span class="note">cost {count(cost)}</span>
          </p>
        ))
      ) : "holds" in answer ? (
        <p class="answer">{answer.holds ? "✓ holds" : "✗ does not hold, as far as is known"}</p>
      ) : (
        <ExplanationPath from={question.kind === "explain" ? question.a : ""} explanation={answer} />
      )}
    </li>
  );
}

/** How far the network is with what was submitted: every bar is an agent's e-nodes, by the one that has most. */
function Progress({ of }: { of: Run }) {
  const status = newest.value;
  const states = status?.agents.filter(answers) ?? [];
  const [began] = useState(() => Math.max(1, ...states.map((state) => state.enodes)));
  const most = Math.max(began, 1, ...states.map((state) => state.enodes));
  const facts = Math.max(0, ...states.map((state) => state.facts));
  const ready = states.filter((state) => state.converged).length;
  const limited = states.some((state) => state.limited);
  return (
    <section class="card progress" data-done={of.done !== null}>
      <h3>{of.done !== null ? `Saturated after ${elapsed(of.done - of.since)}` : "It saturates …"}</h3>
      <p>
        {counted(of.taken.facts, "fact")} taken by agent {of.agent} · now {counted(facts, "fact")}, <b data-field="enodes">{count(most)}</b> e-nodes · {ready} of {counted(status?.agents.length ?? 0, "agent")} converged
      </p>
      <ul class="columns" aria-label="E-nodes by agent">
        {states.map((state) => (
          <li key={state.id}>
            <svg viewBox="0 0 10 60" width="22" height="60" preserveAspectRatio="none" aria-hidden="true">
              <rect class="track" width="10" height="60" />
              <rect class={`form ${state.color ?? "all"}`} y={60 - (60 * state.enodes) / most} width="10" height={(60 * state.enodes) / most} />
            </svg>
            <span class="unseen">agent </span>
            {state.id}
            <span class="unseen">: {count(state.enodes)} e-nodes,</span> <span class="sign">{state.converged ? "✓" : "…"}</span>
            <span class="unseen">{state.converged ? "converged" : "at work"}</span>
          </li>
        ))}
      </ul>
      {limited ? <p class="note">The e-graph is as large as is allowed (`node_limit`): nothing is derived any more, and it will not converge.</p> : null}
      {of.taken.skipped.length > 0 ? (
        <p class="note">
          Agents run rules all the time, so they skip commands: {of.taken.skipped.map(({ line, command }) => `${command} (line ${line})`).join(", ")}. Questions among them are asked below.
        </p>
      ) : null}
    </section>
  );
}

/** Any other question about what the network knows now. */
function AskMore({ add }: { add: (question: Question) => void }) {
  const [kind, setKind] = useState<Question["kind"]>("extract");
  const [first, setFirst] = useState("");
  const [second, setSecond] = useState("");
  return (
    <form
      class="tools"
      onSubmit={(event) => {
        event.preventDefault();
        add(kind === "extract" ? { kind, term: first } : kind === "check" ? { kind, facts: first } : { kind, a: first, b: second });
      }}
    >
      <label>
        Ask{" "}
        <select value={kind} onChange={(event) => setKind(event.currentTarget.value as Question["kind"])}>
          <option value="extract">extract</option>
          <option value="check">check</option>
          <option value="explain">explain</option>
        </select>
      </label>
      <label class="grow">
        <span class="unseen">{kind === "check" ? "Facts" : "Term"}</span>
        <input type="text" required value={first} placeholder={kind === "check" ? "(= a b)" : "term"} spellcheck={false} autocapitalize="off" onInput={(event) => setFirst(event.currentTarget.value)} />
      </label>
      {kind === "explain" ? (
        <label class="grow">
          <span class="unseen">Other term</span>
          <input type="text" required value={second} placeholder="other term" spellcheck={false} autocapitalize="off" onInput={(event) => setSecond(event.currentTarget.value)} />
        </label>
      ) : null}
      <button type="submit">Ask</button>
    </form>
  );
}

/** A program goes to the network, and one watches what becomes of it. */
export function Try() {
  const { document: examples, error: noExamples } = useAsk<Example[]>("/view/examples");
  const [agent, setAgent] = useState(0);
  const [mistakes, setMistakes] = useState<Mistake[]>([]);
  const [error, setError] = useState<AskError | null>(null);
  const [busy, setBusy] = useState(false);
  const status = newest.value;
  const now = run.value;

  useEffect(() => {
    if (examples?.[0] && program.peek() === "" && chosen.peek() === null) choose(examples[0]);
  }, [examples]);
  const choose = (example: Example) => {
    chosen.value = example.name;
    program.value = example.text;
    setMistakes([]);
    setError(null);
  };

  // It is done when every agent that there is says so of a graph that has what was submitted.
  useEffect(() => {
    if (!status || !now || now.done !== null) return;
    const settled = status.converged && status.agents.every((one) => answers(one) && one.facts >= now.taken.state.facts);
    if (!settled || status.at <= now.taken.state.updated_at) return;
    run.value = { ...now, done: Date.now() };
    announce("All agents have converged: the answers are there.");
  }, [status, now]);

  const submit = async () => {
    const text = program.peek();
    const to = answering(agent) ?? agent;
    setBusy(true);
    setMistakes([]);
    setError(null);
    try {
      const taken = await ask<Taken>(`/agent/${to}/program`, { method: "POST", headers: { "content-type": "text/plain" }, body: text });
      const own = questionsOf(text);
      const example = examples?.find((one) => one.name === chosen.peek() && one.text === text);
      const questions = [...new Map([...(example?.questions ?? []), ...own].map((question) => [key(question), question])).values()];
      run.value = { agent: to, taken, since: Date.now(), questions, done: null };
      announce(`Agent ${to} has taken ${counted(taken.facts, "fact")}.`);
    } catch (failed) {
      const told = failed instanceof AskError ? failed : new AskError(null, String(failed));
      setMistakes(told.problem?.errors ?? []);
      setError(told);
    }
    setBusy(false);
  };

  const digest = useMemo(() => status?.agents.filter(answers).find((one) => one.id === now?.agent)?.state_digest ?? "", [status, now?.agent]);
  const settled = now !== null && (now.done !== null || (status?.agents.some((one) => answers(one) && one.limited) ?? false));
  return (
    <div class="two even try">
      <section class="card" aria-label="Editor">
        <div class="tools">
          <label class="grow">
            Example{" "}
            <select
              value={chosen.value ?? ""}
              onChange={(event) => {
                const example = examples?.find((one) => one.name === event.currentTarget.value);
                if (example) choose(example);
              }}
            >
              {chosen.value === null ? <option value="">…</option> : null}
              {examples?.map((example) => (
                <option key={example.name} value={example.name}>
                  {example.title}
                </option>
              ))}
            </select>
          </label>
          <label>
            To agent{" "}
            <select value={agent} onChange={(event) => setAgent(Number(event.currentTarget.value))}>
              {(agentIds.value.length > 0 ? agentIds.value : [agent]).map((id) => (
                <option key={id} value={id}>
                  {id}
                </option>
              ))}
            </select>
          </label>
        </div>
        <Problem error={noExamples} doing="Asking for the examples" />
        <Editor
          text={program.value}
          edit={(text) => {
            program.value = text;
            setMistakes([]);
          }}
          mistakes={mistakes}
        />
        <Problem error={error} doing="Submitting" />
        <p class="row">
          <button type="button" class="main" disabled={busy || program.value.trim() === ""} onClick={() => void submit()}>
            {busy ? "Submitting …" : "Submit"}
          </button>
          <span class="note">Programs add up: what a network has been told it keeps.</span>
        </p>
      </section>
      <div class="results">
        {now === null ? (
          <section class="card">
            <h3>Nothing submitted yet</h3>
            <p class="note">Submit a program: one agent takes it, tells the others, and all of them apply its rules until nothing new is found. The answers appear here.</p>
          </section>
        ) : (
          <>
            <Progress of={now} key={now.since} />
            <section class="card answers">
              <h3>{now.done !== null ? "Answers" : "Answers so far"}</h3>
              <ul>
                {now.questions.map((question) => (
                  <Answer key={key(question)} agent={now.agent} question={question} digest={digest} settled={settled} />
                ))}
              </ul>
              {now.questions.length === 0 ? <p class="note">The program asks for nothing: (extract t), (check (= a b)) and (explain a b) would.</p> : null}
              <AskMore
                add={(question) => {
                  run.value = { ...now, questions: [...now.questions.filter((one) => key(one) !== key(question)), question] };
                }}
              />
              <p class="row">
                <a href={link("egraph", null, { agent: now.agent })}>See the e-graph</a>
                <a href={link("network")}>See the network</a>
              </p>
            </section>
          </>
        )}
      </div>
    </div>
  );
}
