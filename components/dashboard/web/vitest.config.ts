import { defineConfig } from "vitest/config";

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  test: {
    projects: [
      { extends: true, test: { name: "unit", include: ["test/**/*.test.ts"] } },
      // One file after the other, and faults by themselves: a network takes the two cores of a small machine fully.
      {
        extends: true,
        test: { name: "e2e", include: ["e2e/{views,everybody,frames}.test.ts"], globalSetup: "e2e/setup.ts", fileParallelism: false, testTimeout: 60_000, hookTimeout: 240_000 },
      },
      { extends: true, test: { name: "faults", include: ["e2e/faults.test.ts"], hookTimeout: 240_000 } },
      { extends: true, test: { name: "large", include: ["e2e/large.test.ts"] } },
    ],
  },
});
