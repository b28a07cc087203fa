/** A really running network: the program `eqmesh serve`, on a free port of the loopback, with a state of its own. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../../../..");
const PROGRAM = resolve(ROOT, process.env.EQMESH ?? "target/debug/eqmesh");
/** 32 bytes; nothing that is delivered here is secret. */
const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
/** Milliseconds. The first start compiles the components, which takes a minute where somebody else is busy, too. */
const START = 180_000;
const STOP = 15_000;

export interface Options {
  /** Carry messages? Otherwise somebody else does. */
  carrier: boolean;
  /** The address to listen on, to come back where one was. */
  listen?: string;
  /** A folder to go on from. */
  state?: string;
  /** Agents whose components are left out of the manifest. */
  without?: number[];
  variables?: Record<string, string>;
}

function started(command: string[], environment: Record<string, string>): ChildProcess {
  if (!existsSync(PROGRAM)) {
    throw new Error(`there is no ${PROGRAM}: build it with \`cargo build -p eqmesh --features network\`, or say in EQMESH where it is`);
  }
  return spawn(PROGRAM, command, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, NO_COLOR: "1", ...environment } });
}

/** Where a program says that it listens, in a line that has come whole. Throws with what it said if it ends before, or takes too long. */
async function listening(child: ChildProcess, where: RegExp): Promise<string> {
  let said = "";
  return new Promise<string>((done, failed) => {
    const late = setTimeout(() => failed(new Error(`eqmesh does not listen after ${START / 1000} s:\n${said}`)), START);
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      const listens = where.exec(said.slice(0, said.lastIndexOf("\n") + 1));
      if (!listens) return;
      clearTimeout(late);
      done(listens[1]!);
    });
    child.once("exit", (code) => {
      clearTimeout(late);
      failed(new Error(`eqmesh ends with ${code}:\n${said}`));
    });
  }).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
}

export class Network {
  private constructor(
    readonly url: string,
    readonly state: string,
    private readonly child: ChildProcess,
  ) {}

  /** Resolves once it listens; throws with what the program said if it ends before, or takes too long. */
  static async start(options: Options): Promise<Network> {
    const state = options.state ?? (await mkdtemp(join(tmpdir(), "eqmesh-e2e-")));
    const manifest = join(state, "spin.toml");
    await writeFile(manifest, without(await readFile(join(ROOT, "spin.toml"), "utf8"), options.without ?? []));
    const variables = Object.entries(options.variables ?? {}).flatMap(([name, value]) => ["--variable", `${name}=${value}`]);
    const child = started(["serve", manifest, "--listen", options.listen ?? "127.0.0.1:0", "--state", state, ...variables, ...(options.carrier ? [] : ["--no-carrier"])], {
      SPIN_VARIABLE_WEBHOOK_SECRET: SECRET,
    });
    return new Network(await listening(child, /is served on (http:\/\/[0-9.:]+)/), state, child);
  }

  /** A program on so many agents, as `eqmesh run --serve` starts them. Its state goes away with it; the folder has the program alone. */
  static async run(program: string, agents: number): Promise<Network> {
    const state = await mkdtemp(join(tmpdir(), "eqmesh-e2e-"));
    const file = join(state, "program.egg");
    await writeFile(file, program);
    const child = started(["run", file, "--serve", "127.0.0.1:0", "--agents", String(agents), "--quiet"], { TMPDIR: state });
    return new Network(await listening(child, /the dashboard is at (http:\/\/[0-9.:]+)/), state, child);
  }

  /** Ends the program; the state stays. */
  async halt(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = new Promise<void>((done) => this.child.once("exit", () => done()));
    this.child.kill("SIGTERM");
    const late = setTimeout(() => this.child.kill("SIGKILL"), STOP);
    await ended;
    clearTimeout(late);
  }

  /** Ends the program and removes its state. */
  async stop(): Promise<void> {
    await this.halt();
    await rm(this.state, { recursive: true, force: true });
  }

  async get<Document>(path: string): Promise<Document> {
    const response = await fetch(this.url + path);
    if (!response.ok) throw new Error(`${path} is answered with ${response.status}: ${await response.text()}`);
    return (await response.json()) as Document;
  }

  /** Sends a program to agent 0; waits its turn where the agent is busy. */
  async submit(program: string): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const response = await fetch(`${this.url}/agent/0/program`, { method: "POST", headers: { "content-type": "text/plain" }, body: program });
      if (response.ok) return;
      if (response.status !== 503 || attempt === 20) throw new Error(`the program is answered with ${response.status}: ${await response.text()}`);
      await new Promise((done) => setTimeout(done, 250));
    }
  }
}

/** The manifest without the routes and components of some agents. Its tables are separated by their headings. */
function without(manifest: string, agents: number[]): string {
  const tables = manifest.split(/^(?=\[)/m);
  const gone = (table: string) =>
    agents.some((agent) => new RegExp(`^\\[component\\.agent${agent}[.\\]]`).test(table) || (table.startsWith("[[trigger.http]]") && table.includes(`component = "agent${agent}"`)));
  return tables.filter((table) => !gone(table)).join("");
}

/** Until something holds: what it answers then. Looks every so many milliseconds; throws after `within`, with what was last the case. */
export async function eventually<Value>(what: string, look: () => Promise<Value | null | undefined | false>, within = 30_000, every = 100): Promise<Value> {
  const until = performance.now() + within;
  let last: unknown = null;
  for (;;) {
    try {
      const value = await look();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > until) throw new Error(`after ${within / 1000} s still not: ${what} (${String(last)})`);
    await new Promise((done) => setTimeout(done, every));
  }
}
