import { defineConfig } from "vitest/config";

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  test: {
    projects: [
      { extends: true, test: { name: "unit", include: ["test/**/*.test.ts"] } },
      // One file after the other: all of them use the two cores of a small machine fully.
      { extends: true, test: { name: "e2e", include: ["e2e/**/*.test.ts"], globalSetup: "e2e/setup.ts", fileParallelism: false, testTimeout: 60_000, hookTimeout: 90_000 } },
    ],
  },
});
