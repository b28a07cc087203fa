import type { ComponentChildren } from "preact";
import { bytes, clock, count, counted, duration, perSecond } from "../format.ts";
import { withQuery } from "../live/ask.ts";
import { answers, type AgentState, type ColorName, type Timeline } from "../live/documents.ts";
import { agentIds, paused, rated, shown } from "../live/store.ts";
import { HealthTag, LETTER, Swatch } from "../parts/mark.tsx";
import { Problem } from "../parts/problem.tsx";
import { useAsk } from "../parts/use-ask.ts";
import { link, type Route } from "../route.ts";
import { colorOf } from "./network.tsx";

const COLORS: ColorName[] = ["red", "blue", "green"];
/** How many messages are listed. */
const RECENT = 30;

function Facts({ of }: { of: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Bar({ share, color }: { share: number; color: string }) {
  return (
    <svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" width="100" height="8" />
      <rect class={`form ${color}`} width={(100 * share).toFixed(2)} height="8" />
    </svg>
  );
}

/** E-nodes by color. One that carries several colors counts for each. */
function Colors({ state }: { state: AgentState }) {
  return (
    <section class="card">
      <h3>E-nodes by color</h3>
      <table class="bars">
        <tbody>
          {COLORS.map((color) => (
            <tr key={color}>
              <th scope="row">
                <Swatch color={color} named />
              </th>
              <td class="number" data-color={color}>
                {count(state.colors[color])}
              </td>
              <td class="wide">
                <Bar share={state.enodes === 0 ? 0 : state.colors[color] / state.enodes} color={color} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="note">
        Of {counted(state.enodes, "e-node")} in {counted(state.eclasses, "e-class", "e-classes")}. An e-node that carries several colors counts for each; {count(state.colors.certified)} were checked again by a green agent.
      </p>
    </section>
  );
}

function Version({ state }: { state: AgentState }) {
  const entries = Object.entries(state.version);
  const most = Math.max(1, ...entries.map(([, upTo]) => upTo));
  return (
    <section class="card">
      <h3>Version vector</h3>
      {entries.length === 0 ? (
        <p class="note">No facts yet.</p>
      ) : (
        <div class="tall" role="region" aria-label="Version vector" tabIndex={0}>
          <table class="bars">
            <tbody>
              {entries.map(([agent, upTo]) => (
                <tr key={agent}>
                  <th scope="row">agent {agent}</th>
                  <td class="number" data-version={agent}>
                    {count(upTo)}
                  </td>
                  <td class="wide">
                    <Bar share={upTo / most} color="plain" />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** What its timeline counts: events of each kind, and rules that its latest steps applied. */
function Counts({ state }: { state: AgentState }) {
  const rules = new Map<string, number>();
  for (const step of state.steps) for (const [rule, times] of Object.entries(step.rules)) rules.set(rule, (rules.get(rule) ?? 0) + times);
  const list = (entries: [string, number][]) => (
    <table class="bars">
      <tbody>
        {entries.map(([name, times]) => (
          <tr key={name}>
            <th scope="row" class="name">
              {name}
            </th>
            <td class="number">{count(times)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
  return (
    <section class="card">
      <h3>Events so far</h3>
      {list(Object.entries(state.counts).filter(([, times]) => times > 0))}
      <h3 class="next">Rules of its latest steps</h3>
      {rules.size === 0 ? (
        <p class="note">None are listed any more.</p>
      ) : (
        <div class="tall" role="region" aria-label="Rules of its latest steps" tabIndex={0}>
          {list([...rules].sort(([, one], [, other]) => other - one))}
        </div>
      )}
    </section>
  );
}

function Members({ state }: { state: AgentState }) {
  return (
    <section class="card">
      <h3>Members, as it sees them</h3>
      <div class="tall" role="region" aria-label="Members" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Agent</th>
              <th scope="col">State</th>
              <th scope="col" class="number">
                Incarnation
              </th>
            </tr>
          </thead>
          <tbody>
            {state.members.map((member) => (
              <tr key={member.id}>
                <th scope="row">
                  <Swatch color={member.color} /> {member.id}
                </th>
                <td>{member.state}</td>
                <td class="number">{member.incarnation}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Wrong({ state }: { state: AgentState }) {
  return (
    <section class="card">
      <h3>Last errors</h3>
      {state.errors.length === 0 ? <p class="note">None.</p> : <ul class="errors">{state.errors.map((error) => <li>{error}</li>)}</ul>}
      <h3>Refused facts</h3>
      {state.refused.length === 0 ? (
        <p class="note">None.</p>
      ) : (
        <ul class="errors">
          {state.refused.map((one) => (
            <li>
              {one.agent}#{one.sequence}: {one.reason}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Messages({ id }: { id: number }) {
  const until = paused.value && shown.value ? shown.value.at * 1000 : null;
  const { document: timeline, error } = useAsk<Timeline>(withQuery("/view/timeline", { agents: id, kinds: "sent,received,refused", until, limit: RECENT }), null, until ? null : 2000);
  return (
    <section class="card messages">
      <h3>Recent messages</h3>
      <Problem error={error} doing="Asking for the messages" />
      <div class="tall" role="region" aria-label="Recent messages" tabIndex={0}>
        <ol class="list" reversed>
          {[...(timeline?.events ?? [])].reverse().map((event) => (
            <li key={event.id} data-event={event.id}>
              <time>{clock(event.at / 1000)}</time> {event.text}
            </li>
          ))}
        </ol>
      </div>
      <p class="note">
        {timeline ? `${count(timeline.shown)} of ${count(timeline.total)} that its timeline holds. ` : "… "}
        <a href={link("timeline", null, { agents: id })}>See them in the timeline</a>
      </p>
    </section>
  );
}

function Inspector({ state }: { state: AgentState }) {
  const rate = rated.value?.agents.get(state.id);
  return (
    <>
      <section class="card">
        <h3>State</h3>
        <Facts
          of={[
            ["Health", <HealthTag health={state.health} />],
            ["Life", state.life],
            ["Converged", state.converged ? "yes" : "no"],
            ["Limited", state.limited ? "yes: as large as is allowed" : "no"],
            ["Color", <Swatch color={state.color} named />],
            ["Incarnation", state.incarnation],
            ["Region", state.region],
            ["Facts", <span data-field="facts">{count(state.facts)}</span>],
            ["E-nodes", <span data-field="enodes">{count(state.enodes)}</span>],
            ["E-classes", <span data-field="eclasses">{count(state.eclasses)}</span>],
          ]}
        />
      </section>
      <section class="card">
        <h3>Load</h3>
        <Facts
          of={[
            ["Inbox", <span data-field="inbox">{counted(state.queue.inbox, "message")}</span>],
            ["Outbox", counted(state.queue.outbox, "message")],
            ["At work now", state.queue.working ? "yes" : "no"],
            ["Last work", `${duration(state.work_micros)}, at ${clock(state.updated_at)}`],
            ["Received", `${count(state.messages_received)} · ${bytes(state.bytes_received)}`],
            ["Sent", `${count(state.messages_sent)} · ${bytes(state.bytes_sent)}`],
            ["Rate", rate ? `${perSecond(rate.received)} in, ${perSecond(rate.sent)} out a second` : "not known yet"],
            ["Latency", state.latency.count > 0 ? `p50 ${duration(state.latency.p50)} · p95 ${duration(state.latency.p95)} · p99 ${duration(state.latency.p99)}` : "nothing measured"],
            ["Stored", bytes(state.stored_bytes)],
          ]}
        />
      </section>
      <Colors state={state} />
      <Version state={state} />
      <section class="card">
        <h3>Digests</h3>
        <dl class="digests">
          <dt>State: covers the facts</dt>
          <dd>
            <code data-field="state_digest">{state.state_digest}</code>
          </dd>
          <dt>Meaning: covers the closed e-graph</dt>
          <dd>
            <code data-field="meaning_digest">{state.meaning_digest}</code>
          </dd>
        </dl>
      </section>
      <Members state={state} />
      <Counts state={state} />
      <Wrong state={state} />
    </>
  );
}

/** One agent: all that it tells of itself. */
export function AgentView({ route }: { route: Route }) {
  const status = shown.value;
  const ids = agentIds.value;
  const agent = status?.agents.find((one) => one.id === route.agent);
  const index = ids.indexOf(route.agent);
  return (
    <>
      <div class="tools">
        <label>
          Agent{" "}
          <select value={route.agent} onChange={(event) => (location.hash = link("agent", Number(event.currentTarget.value)))}>
            {index < 0 ? <option value={route.agent}>{route.agent}</option> : null}
            {ids.map((id) => (
              <option key={id} value={id}>
                {id} {status ? `(${LETTER[colorOf(status, id) ?? "all"]})` : ""}
              </option>
            ))}
          </select>
        </label>
        <a class="button" href={link("agent", ids.at(index - 1) ?? 0)} aria-label="Previous agent">
          ←
        </a>
        <a class="button" href={link("agent", ids[(index + 1) % Math.max(ids.length, 1)] ?? 0)} aria-label="Next agent">
          →
        </a>
        <a href={link("egraph", null, { agent: route.agent })}>Its e-graph</a>
        <a href={`/agent/${route.agent}/state`}>JSON</a>
      </div>
      {!status ? null : !agent ? (
        <div class="problem" role="alert">
          <strong>There is no agent {route.agent}</strong>
          <p>This network has {counted(ids.length, "agent")}: choose one above.</p>
        </div>
      ) : !answers(agent) ? (
        <div class="problem" role="alert">
          <strong>Agent {agent.id} does not answer</strong>
          <p>{agent.error}</p>
        </div>
      ) : (
        <div class="cards" data-agent={agent.id}>
          <Inspector state={agent} />
          <Messages id={agent.id} />
        </div>
      )}
    </>
  );
}
