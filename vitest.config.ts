import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Tests import `../src/x.js`, type-check against the sources, and run what is shipped: the compiled files in dist/.
// Worker threads, cluster workers and child processes then are the same code that the test itself has loaded.
const dist = fileURLToPath(new URL('./dist/', import.meta.url));

// `--mode soak`: minutes of load, kills and swaps against real processes, one file after the other.
export default defineConfig(({ mode }) => {
  const soak = mode === 'soak';
  return {
    resolve: { alias: [{ find: /^(?:\.\.\/)+src\/(.*)$/, replacement: `${dist}$1` }] },
    test: {
      include: soak ? ['test/soak/**/*.test.ts'] : ['test/**/*.test.ts'],
      exclude: soak ? [] : ['test/soak/**'],
      fileParallelism: !soak,
      maxWorkers: 2, // also where there are more cores: many tests start servers and threads of their own
      maxConcurrency: 2, // of tests that mostly wait: those of describe.concurrent
      pool: 'forks',
      testTimeout: soak ? 600_000 : 60_000,
      hookTimeout: 120_000,
      server: { deps: { external: [/\/dist\//] } },
    },
  };
});
