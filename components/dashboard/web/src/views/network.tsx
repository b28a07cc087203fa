import { useMemo, useState } from "preact/hooks";
import { count, counted, perSecond, ranges } from "../format.ts";
import { answers, type Agent, type ColorName, type Status } from "../live/documents.ts";
import { rated, shown } from "../live/store.ts";
import { Form, HealthTag, MEANING, SIGN, Swatch } from "../parts/mark.tsx";
import { groupNames, labels, points, radius, SIDE, type Point } from "../ring.ts";
import { link } from "../route.ts";
import { Flow } from "./flow.tsx";

/** What color an agent has. One that does not answer is asked of the others, who know it as a member. */
export function colorOf(status: Status, id: number): ColorName | null {
  const agent = status.agents.find((one) => one.id === id);
  if (agent && answers(agent)) return agent.color;
  for (const other of status.agents) {
    const member = answers(other) ? other.members.find((one) => one.id === id) : undefined;
    if (member) return member.color;
  }
  return null;
}

/** As text, links are the longest part of the picture: 4,950 for a hundred agents. They seldom change. */
function Links({ links, places }: { links: Status["links"]; places: Map<number, Point> }) {
  const path = (up: boolean) =>
    links
      .filter((one) => one.up === up)
      .map(({ from, to }) => {
        const start = places.get(from);
        const end = places.get(to);
        return start && end ? `M${start.x.toFixed(1)} ${start.y.toFixed(1)}L${end.x.toFixed(1)} ${end.y.toFixed(1)}` : "";
      })
      .join("");
  return useMemo(
    () => (
      <>
        <path class={links.length > 200 ? "link up many" : "link up"} d={path(true)} />
        <path class="link down" d={path(false)} />
      </>
    ),
    [links, places],
  );
}

/** Around each group, where there are several: agents stand on a circle, so the way from one to the next is their convex hull. */
function Groups({ status, places, room }: { status: Status; places: Map<number, Point>; room: number }) {
  if (status.groups.length < 2) return null;
  const hulls = groupNames(status.groups).map(({ agents }) => {
    const corners = agents.flatMap((id) => places.get(id) ?? []).map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`);
    return `M${corners.join("L")}Z`;
  });
  return (
    <>
      {hulls.map((hull) => [<path class="group rim" d={hull} stroke-width={room + 2} />, <path class="group" d={hull} stroke-width={room} />])}
    </>
  );
}

function Node({ agent, color, at, r, group }: { agent: Agent; color: ColorName | null; at: Point; r: number; group: string | null }) {
  const label = labels(at, r);
  const small = label.id.x !== at.x || label.id.y !== at.y;
  return (
    <g class={`node ${agent.health}`} onClick={() => (location.hash = link("agent", agent.id))}>
      <title>{`agent ${agent.id}: ${color ?? "all colors"}, ${MEANING[agent.health]}`}</title>
      <Form color={color} x={at.x} y={at.y} r={r} />
      <text class={small ? "id outside" : "id"} x={label.id.x} y={label.id.y + (color === "green" && !small ? 4 : 0)} font-size={label.id.size}>
        {agent.id}
      </text>
      {small && agent.health === "converged" ? null : (
        <text class="sign" x={label.sign.x} y={label.sign.y} font-size={label.sign.size}>
          {SIGN[agent.health]}
        </text>
      )}
      {group === null ? null : (
        <text class="member" x={label.group.x} y={label.group.y} font-size={label.group.size}>
          {group}
        </text>
      )}
    </g>
  );
}

function groupsText(status: Status): string {
  const silent = status.agents.filter((agent) => agent.health === "silent").map((agent) => agent.id);
  const down = status.links.filter((one) => !one.up).length;
  const parts =
    status.groups.length === 0
      ? ["Nobody answers."]
      : status.groups.length === 1
        ? [silent.length + down === 0 ? "One group: all hear each other." : `One group of ${counted(status.groups[0]!.length, "agent")}.`]
        : [
            `Partitioned into ${status.groups.length} groups: ${groupNames(status.groups)
              .map(({ name, agents }) => `${name} is ${ranges(agents)}`)
              .join(" · ")}.`,
          ];
  if (silent.length > 0) parts.push(`Without an answer: ${ranges(silent)}.`);
  if (down > 0) parts.push(`${count(down)} of ${counted(status.links.length, "link")} down.`);
  return parts.join(" ");
}

function Agents({ status }: { status: Status }) {
  const rates = rated.value?.agents;
  const most = Math.max(0, ...status.agents.map((agent) => (answers(agent) ? agent.facts : 0)));
  const groups = status.groups.length > 1 ? groupNames(status.groups) : [];
  const numbers = (agent: Agent) =>
    answers(agent)
      ? [agent.facts, most - agent.facts, agent.enodes, agent.eclasses, agent.queue.inbox].map((value) => <td class="number">{count(value)}</td>)
      : [
          <td colSpan={5} class="why" title={agent.error}>
            {agent.error}
          </td>,
        ];
  return (
    <div class="scroll" role="region" aria-label="Agents" tabIndex={0}>
      <table class="agents steady">
        <caption class="unseen">Agents</caption>
        <thead>
          <tr>
            <th scope="col">Agent</th>
            <th scope="col">State</th>
            {groups.length > 0 ? <th scope="col">Group</th> : null}
            {["Facts", "Lag", "E-nodes", "Classes", "Inbox", "In/s"].map((name) => (
              <th scope="col" class="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {status.agents.map((agent) => (
            <tr key={agent.id} data-agent={agent.id} data-health={agent.health}>
              <th scope="row">
                <a href={link("agent", agent.id)}>
                  <Swatch color={colorOf(status, agent.id)} /> <span class="unseen">agent </span>
                  {agent.id}
                </a>
              </th>
              <td>
                <HealthTag health={agent.health} />
              </td>
              {groups.length > 0 ? <td>{groups.find(({ agents }) => agents.includes(agent.id))?.name ?? "–"}</td> : null}
              {numbers(agent)}
              <td class="number">{rates?.has(agent.id) ? perSecond(rates.get(agent.id)!.received) : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** All agents on a ring that stays as it is, their links, and the messages between them; beside it the same as a table. */
export function Network() {
  const status = shown.value;
  const [told, tell] = useState("Waiting for the timeline.");
  const places = useMemo(() => (status ? points(status) : new Map<number, Point>()), [status?.ring]);
  const colors = useMemo(() => new Map(status?.agents.map(({ id }) => [id, colorOf(status, id)] as const)), [status]);
  if (!status) return <div class="two ring-view"><div class="ring" /></div>;
  const r = radius(status.agents.length);
  const groups = status.groups.length > 1 ? groupNames(status.groups) : [];
  return (
    <div class="two ring-view">
      <figure class="ring">
        <svg viewBox={`0 0 ${SIDE} ${SIDE}`} role="img" aria-label={`${counted(status.agents.length, "agent")} on a ring. ${groupsText(status)} The table of agents says the same.`}>
          <Groups status={status} places={places} room={2 * r + 30} />
          <Links links={status.links} places={places} />
          <Flow places={places} colors={colors} tell={tell} />
          {status.agents.map((agent) => {
            const at = places.get(agent.id);
            return at ? (
              <Node key={agent.id} agent={agent} color={colors.get(agent.id) ?? null} at={at} r={r} group={groups.find(({ agents }) => agents.includes(agent.id))?.name ?? null} />
            ) : null;
          })}
        </svg>
        <figcaption>
          <p class="groups" data-groups={status.groups.length}>
            {groupsText(status)}
          </p>
          <p class="told">{told}</p>
        </figcaption>
      </figure>
      <div class="beside">
        <Agents status={status} />
        <p class="legend">
          <Swatch color="red" named /> <Swatch color="blue" named /> <Swatch color="green" named />
          {(["converged", "active", "behind", "suspected", "silent"] as const).map((health) => (
            <HealthTag key={health} health={health} />
          ))}
        </p>
      </div>
    </div>
  );
}
