/** What is wrong with a call to the addon is an error of JavaScript, whatever it is: the process goes on. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { ERRORS } from '../../../src/base/errors.js';
import { makeFolder } from '../graphs.js';

const ADDON = fileURLToPath(new URL('../../../src/engine/native/build/Release/shortlist_native.node', import.meta.url));
const PROGRAM = fileURLToPath(new URL('./hostile-calls.ts', import.meta.url));
const folder = makeFolder();
afterAll(() => folder.remove());

/** Wrong by the looks of it, but a value that the argument may have. */
const ALLOWED = [
  'build with seed: 2^32',
  'build with path: a number as text',
  'build with a progress that builds',
  'build of NaN',
  'build of Infinity',
  'build of -Infinity',
  'open with path: a number as text',
  'scan with queries: no floats',
  'scan with queries: detached floats',
  'scan with k: 2^32',
  'scan with allow: undefined',
  'a scan on a pool that nobody holds',
  'export with path: a number as text',
  'export with factor: a fraction',
  'export with factor: 2^32',
  'export with factor: 2^64',
  'check with argument 0: a number as text',
  'map with argument 0: a number as text',
  'search with argument 2: undefined',
  'search with a detached list',
  'search with a list of rows out of the set',
  'search with a list of rows which is empty',
  'search with a set that says more than it has',
  'search with a set that says less than it has',
  'search with bits beyond the rows',
];

/** Ends of a call that are an answer to what was wrong with it. */
const REFUSALS = new Set(['TypeError', 'its own error', 'cancelled', ...Object.keys(ERRORS)]);

describe('the addon', () => {
  it('refuses more than a thousand wrong calls one by one, and goes on', async () => {
    const program = ['--expose-gc', '--import', 'tsx', PROGRAM, ADDON, folder.path];
    const { stdout } = await promisify(execFile)(process.execPath, program).catch((error: unknown) => {
      const { signal, stderr } = error as { signal: string; stderr: string };
      throw new Error(`ended by ${signal} in: ${readFileSync(join(folder.path, 'call.txt'), 'utf8')}\n${stderr}`);
    });
    const calls = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as [string, string]);
    expect(calls.pop()).toEqual(['the row nearest to row 0 after all that', '0']);
    expect(calls.length).toBeGreaterThan(1000);
    expect(calls.filter(([, end]) => end === 'done').map(([name]) => name).sort()).toEqual([...ALLOWED].sort()); // prettier-ignore
    expect(calls.filter(([, end]) => end !== 'done' && !REFUSALS.has(end))).toEqual([]);
  });

  /** Starts a scan of seconds. */
  const SCAN = `
    const { createRequire } = require('node:module');
    const { ScanPool } = require(${JSON.stringify(ADDON)});
    const shape = { metric: 2, dim: 64, count: 50_000, k: 10, allow: undefined };
    const values = new Float32Array(50_000 * 64).fill(0.5), queries = new Float32Array(4096 * 64).fill(0.25);
    const cancel = new Int32Array(new SharedArrayBuffer(4));
    const pool = new ScanPool(2);
    const scan = pool.scan({ ...shape, values, queries, cancel });
    scan.then(() => console.log('ended'), () => console.log('cancelled'));`;

  it.each([
    ['a thread ends', `const { Worker } = require('node:worker_threads');
      const worker = new Worker(${JSON.stringify(`${SCAN} require('node:worker_threads').parentPort.postMessage('scans');`)}, { eval: true });
      worker.once('message', () => worker.terminate().then(() => console.log('terminated')));`, 'terminated\n'],
    ['the process ends', `${SCAN} setTimeout(() => process.exit(), 50);`, ''],
    ['its pool closes', `${SCAN} setTimeout(() => pool.close(), 50);`, 'cancelled\n'],
    ['nobody holds anything of it', `${SCAN} setTimeout(() => { cancel[0] = 1; gc(); }, 50);`, 'cancelled\n'],
  ])('survives that %s while a scan is under way', async (_, program, printed) => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '-e', program]);
    expect(stdout).toBe(printed);
  }); // prettier-ignore
});
