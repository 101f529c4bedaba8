/** In watch mode an edit of a source runs the tests that it concerns: test/concerned-tests.ts finds them. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { concernedTests } from '../concerned-tests.js';
import { PROJECT } from './sources.js';

const concerned = (source: string): string[] =>
  concernedTests(PROJECT, join(PROJECT, source)).map((file) => file.slice(PROJECT.length));

it('an edit concerns the tests that import it, over other files too, and those that start programs', () => {
  const tests = concerned('src/base/float32.ts');
  expect(tests).toContain('test/base/float32.test.ts');
  expect(tests).toContain('test/serve/answer/answer-text.test.ts'); // over src/serve/answer/
  expect(tests).toContain('test/serve/primary/workers.test.ts'); // over dist/cli/main.js
  expect(tests).not.toContain('test/base/id-table.test.ts');
});

it('an edit of what runs on a thread concerns the tests of who starts it', () => {
  expect(concerned('src/builder/graph-thread.ts')).toContain('test/builder/build-index.test.ts');
  expect(concerned('src/builder/graph-thread.ts')).not.toContain('test/base/float32.test.ts');
});
