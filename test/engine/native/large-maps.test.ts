/** Files beyond 4 GiB, where numbers of 32 bits end: mapped at once from Node 22 on, and refused in words where they cannot be. */
import { execFile } from 'node:child_process';
import { constants } from 'node:buffer';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { Bitset } from '../../../src/base/bitset.js';
import { NativePool } from '../../../src/engine/native/native-pool.js';
import { mapVectors } from '../../../src/engine/native/map-vectors.js';
import { makeFolder } from '../graphs.js';

const folder = makeFolder();
afterAll(() => folder.remove());

const DIM = 16_384;
/** Row 65,536 begins at byte 2^32. */
const COUNT = 65_536 + 100;
/** Each of these rows is its number in every component; all others lie in a hole of the file, and are zero. */
const ROWS = [1, 40_000, 65_535, 65_536, 65_537, COUNT - 1];

function writeSparse(): string {
  const path = join(folder.path, 'rows');
  const file = openSync(path, 'w');
  for (const row of ROWS) writeSync(file, new Float32Array(DIM).fill(row), 0, 4 * DIM, row * 4 * DIM);
  ftruncateSync(file, COUNT * DIM * 4);
  closeSync(file);
  return path;
}

describe('a file of more than 4 GiB', () => {
  const path = writeSparse();
  const isLimited = constants.MAX_LENGTH < COUNT * DIM * 4;

  it.skipIf(isLimited)('is mapped, read and scanned beyond them', async () => {
    const values = mapVectors(path, 0, COUNT * DIM);
    for (const row of ROWS) expect(values.slice(row * DIM, row * DIM + 2)).toEqual(Float32Array.of(row, row));
    const allow = new Bitset(COUNT);
    for (const row of [0, ...ROWS]) allow.add(row);
    const pool = new NativePool(2);
    const queries = new Float32Array(ROWS.length * DIM);
    ROWS.forEach((row, i) => queries.fill(row, i * DIM, (i + 1) * DIM));
    const shard = { metric: 'l2', dim: DIM, count: COUNT, values } as const;
    const found = await pool.search([shard], queries, ROWS.length, { k: 1, allow: [allow] });
    expect(found.map(([best]) => [...best!.rows])).toEqual(ROWS.map((row) => [row]));
    await pool.close();
  });

  it.runIf(isLimited)('is refused by a Node whose buffers end there, with the ways out', () => {
    expect(() => mapVectors(path, 0, COUNT * DIM)).toThrow(
      expect.objectContaining({
        code: 'insufficient_memory',
        message: expect.stringContaining('more shards') as string,
      }),
    );
  });

  it('is refused where a process has no addresses for it', async () => {
    const addon = fileURLToPath(
      new URL('../../../src/engine/native/build/Release/shortlist_native.node', import.meta.url),
    );
    const call = `try { require(${JSON.stringify(addon)}).map(${JSON.stringify(path)}, 0, 64) } catch (e) { console.log(e.code, e.message) }`;
    const limited = 'ulimit -v 4000000; exec "$0" -e "$1"';
    const { stdout } = await promisify(execFile)('bash', ['-c', limited, process.execPath, call]);
    expect(stdout).toMatch(/^insufficient_memory .*ulimit -v/);
  });
});
