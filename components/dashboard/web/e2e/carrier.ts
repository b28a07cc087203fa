/** Carries messages between the agents of a network over HTTP, as the gateway does, except for those that cross a cut. */
import type { Network } from "./network.ts";

interface Worked {
  outbox: string[];
  last: number;
}

/** To whom a message goes; null is everybody else. The envelope is described in docs/wire-format.md: magic number and version, kind, then as varints id, sender and, from 1, receiver. */
export function receiver(message: Buffer): number | null {
  if (message.subarray(0, 4).toString("latin1") !== "eqm\u0001") throw new Error(`no message of this version: ${message.toString("hex").slice(0, 32)}`);
  let at = 5;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error("a message ends in its envelope");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  varint();
  varint();
  const to = varint();
  return to === 0n ? null : Number((to - 1n) & 0xffffn);
}

export class Carrier {
  /** Up to which message each agent's outbox was published. */
  #published: number[];
  /** Whom each agent is cut off from. */
  #cut: (from: number, to: number) => boolean = () => false;
  #running = true;
  #done: Promise<void>;
  /** Messages that were not delivered. */
  dropped = 0;
  /** What went wrong last, for whoever looks for why nothing happens. */
  failed: string | null = null;

  constructor(
    readonly network: Network,
    readonly agents: number[],
  ) {
    this.#published = [];
    this.#done = this.#carry();
  }

  /** From now on nothing passes between these agents and the others. */
  partition(apart: number[]): void {
    const side = new Set(apart);
    this.#cut = (from, to) => side.has(from) !== side.has(to);
  }

  heal(): void {
    this.#cut = () => false;
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  /** In turns, each beginning with the next agent, so that all have as many; a few at a time, since that is what the machine can do. */
  async #carry(): Promise<void> {
    let next = 0;
    const busy = new Set<number>();
    const worker = async () => {
      while (this.#running) {
        const agent = this.agents[next++ % this.agents.length]!;
        if (busy.has(agent)) continue;
        busy.add(agent);
        // One that is at work, or that the program's end has interrupted, has its turn again.
        await this.#step(agent).catch((error: unknown) => (this.failed = String(error)));
        busy.delete(agent);
      }
    };
    await Promise.all([worker(), worker(), worker()]);
  }

  async #post(path: string, body: unknown): Promise<Response> {
    const response = await fetch(this.network.url + path, { method: "POST", headers: { "content-type": "application/json", accept: "application/json" }, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response;
  }

  async #step(agent: number): Promise<void> {
    const worked = (await (await this.#post(`/agent/${agent}/step?ms=200&published=${this.#published[agent] ?? 0}`, {})).json()) as Worked;
    const mail = new Map<number, string[]>();
    for (const message of worked.outbox) {
      const to = receiver(Buffer.from(message, "base64"));
      for (const other of to === null ? this.agents.filter((one) => one !== agent) : [to]) {
        if (this.#cut(agent, other)) this.dropped += 1;
        else mail.set(other, [...(mail.get(other) ?? []), message]);
      }
    }
    await Promise.all([...mail].map(([to, messages]) => this.#post(`/agent/${to}/message`, { messages })));
    // Only now: what did not arrive comes once more, and whoever has it already takes no harm.
    this.#published[agent] = worked.last;
  }
}
