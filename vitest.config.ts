import { defineConfig } from "vitest/config";

// Tests start real servers and child processes: two workers keep a two-core machine honest about time.
export default defineConfig({
  test: { include: ["test/**/*.test.ts"], pool: "forks", maxWorkers: 2, testTimeout: 20_000, hookTimeout: 30_000 },
});
