/** One network for all tests that need no faults: nine agents that have come to an end with `deploy/sums.egg`. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { answers, type Status } from "../src/live/documents.ts";
import { eventually, Network, ROOT } from "./network.ts";

declare module "vitest" {
  export interface ProvidedContext {
    url: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const network = await Network.start({ carrier: true });
  try {
    await network.submit(await readFile(join(ROOT, "deploy/sums.egg"), "utf8"));
    await eventually(
      "all agents have converged on the sums",
      async () => {
        // Not more often than needed: asking is work for nine agents.
        const status = await network.get<Status>("/status");
        return status.converged && status.agents.every((agent) => answers(agent) && agent.enodes > 20);
      },
      150_000,
      1000,
    );
  } catch (error) {
    await network.stop();
    throw error;
  }
  project.provide("url", network.url);
  return () => network.stop();
}
