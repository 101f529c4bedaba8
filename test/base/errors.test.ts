/** What the operating system refuses where no caller expected it, as commands and the server report it. */
import { execFileSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { deserializeError, serializeError, ShortlistError } from '../../src/base/errors.js';
import { describeProblem } from '../../src/wire/problem.js';

const ERRORS_MODULE = fileURLToPath(new URL('../../dist/base/errors.js', import.meta.url));

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

it('an error of the operating system is io_error with its words, any other one a bug', () => {
  const missing = serializeError(thrownBy(() => openSync('/no/such/file', 'r')));
  expect(missing).toMatchObject({ code: 'io_error', details: { errno: 'ENOENT' } });
  expect(missing.message).toMatch(/^the operating system refused: ENOENT.*\/no\/such\/file/);
  expect(serializeError(new TypeError('x is not a function')).code).toBe('internal');
});

it('a process without a file left says which limit to raise', () => {
  const program = `import { openSync } from 'node:fs';
    import { serializeError } from ${JSON.stringify(ERRORS_MODULE)};
    try { for (;;) openSync('/dev/null', 'r'); } catch (error) { console.log(JSON.stringify(serializeError(error))); }`;
  const run = `ulimit -n 64; exec "$0" --input-type=module -e "$1"`;
  const printed = execFileSync('sh', ['-c', run, process.execPath, program], { encoding: 'utf8' });
  expect(JSON.parse(printed)).toMatchObject({ code: 'io_error', details: { errno: 'EMFILE' } });
  expect(printed).toContain('ulimit -n');
});

it('a client of the server does not see the message of a failure of the server: it may contain paths', () => {
  const failure = deserializeError(serializeError(thrownBy(() => openSync('/no/such/file', 'r'))));
  expect(failure.status).toBe(500);
  const problem = JSON.stringify(describeProblem(failure, 'request-1'));
  expect(problem).not.toContain('/no/such');
  expect(problem).toContain('request-1');
  expect(describeProblem(new ShortlistError('unknown_id', 'no item 5'), 'request-2').detail).toBe('no item 5');
});
