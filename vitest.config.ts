import { defineConfig } from 'vitest/config';
import { fileURLToPath } from 'node:url';

// Tests import `../src/x.js`, type-check against the sources, and run what is shipped: the compiled files in dist/.
// Worker threads, cluster workers and child processes then are the same code that the test itself has loaded.
const dist = fileURLToPath(new URL('./dist/', import.meta.url));

export default defineConfig({
  resolve: { alias: [{ find: /^(?:\.\.\/)+src\/(.*)$/, replacement: `${dist}$1` }] },
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 120_000,
    server: { deps: { external: [/\/dist\//] } },
  },
});
