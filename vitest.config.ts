import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { concernedTests } from './test/concerned-tests.js';

const project = fileURLToPath(new URL('.', import.meta.url));

// Tests import `../src/x.js`, type-check against the sources, and run the compiled files in dist/, which are shipped. Threads,
// cluster workers and child processes can run nothing else. A test that loaded the sources beside them would test other code
// than they run, and would hold two copies of every module: of its caches, its addons, its classes of errors.
//
// test/global-setup.ts compiles before the first test, so that dist/ is what the sources are now. That takes a tenth of a second
// where nothing has changed. A tsc that watches beside vitest would be quicker after an edit, but tests could start before it
// has ended.
//
// dist/ is loaded by Node itself, so vite does not know what imports what there. Watch mode learns it from
// test/concerned-tests.ts, and does not look at what the compiler writes: its tests would run twice. Each run starts new
// processes: none has an old file of dist/ in memory.
const dist = `${project}dist/`;

// `--mode long`: what tries everything: each operation of a file system failing, each kind of kill, thousands of odd inputs.
// `--mode soak`: minutes of load, kills and swaps against real processes, one file after the other.
const LONG = 'test/**/*.long.test.ts';
const SOAK = 'test/soak/**/*.test.ts';

export default defineConfig(({ mode }) => {
  const soak = mode === 'soak';
  return {
    resolve: { alias: [{ find: /^(?:\.\.\/)+src\/(.*)$/, replacement: `${dist}$1` }] },
    server: { watch: { ignored: ['dist', 'build'].map((folder) => `${project}${folder}/**`) } },
    test: {
      include: soak ? [SOAK] : mode === 'long' ? [LONG] : ['test/**/*.test.ts'],
      exclude: soak ? [] : mode === 'long' ? [SOAK] : [SOAK, LONG],
      fileParallelism: !soak,
      isolate: false, // files share their process: to start one for each and to load all again takes a fifth of the time
      maxWorkers: 2, // also where there are more cores: many tests start servers and threads of their own
      globalSetup: 'test/global-setup.ts',
      watchTriggerPatterns: [{ pattern: /\/src\/.*\.ts$/, testsToRun: (file) => concernedTests(project, file) }],
      maxConcurrency: 2, // of tests that mostly wait: those of describe.concurrent
      pool: 'forks',
      testTimeout: soak ? 600_000 : 60_000,
      hookTimeout: 120_000,
      server: { deps: { external: [/\/dist\//] } },
    },
  };
});
