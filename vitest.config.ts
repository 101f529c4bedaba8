import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Tests import `../src/x.js`, type-check against the sources, and run what is shipped: the compiled files in dist/.
// Worker threads, cluster workers and child processes then are the same code that the test itself has loaded.
const dist = fileURLToPath(new URL('./dist/', import.meta.url));

// `--mode long`: what tries everything: each operation of a file system failing, each kind of kill, thousands of odd inputs.
// `--mode soak`: minutes of load, kills and swaps against real processes, one file after the other.
const LONG = 'test/**/*.long.test.ts';
const SOAK = 'test/soak/**/*.test.ts';

export default defineConfig(({ mode }) => {
  const soak = mode === 'soak';
  return {
    resolve: { alias: [{ find: /^(?:\.\.\/)+src\/(.*)$/, replacement: `${dist}$1` }] },
    test: {
      include: soak ? [SOAK] : mode === 'long' ? [LONG] : ['test/**/*.test.ts'],
      exclude: soak ? [] : mode === 'long' ? [SOAK] : [SOAK, LONG],
      fileParallelism: !soak,
      isolate: false, // files share their process: to start one for each and to load all again takes a fifth of the time
      maxWorkers: 2, // also where there are more cores: many tests start servers and threads of their own
      globalSetup: 'test/global-setup.ts',
      maxConcurrency: 2, // of tests that mostly wait: those of describe.concurrent
      pool: 'forks',
      testTimeout: soak ? 600_000 : 60_000,
      hookTimeout: 120_000,
      server: { deps: { external: [/\/dist\//] } },
    },
  };
});
