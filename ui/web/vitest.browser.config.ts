import { defineConfig } from 'vitest/config';

// One file at a time: the tests share one machine's Chromium, and each starts a server and a browser of its own.
export default defineConfig({
  test: { include: ['tests/browser/**/*.test.ts'], environment: 'node', fileParallelism: false, testTimeout: 60_000, hookTimeout: 60_000 },
});
