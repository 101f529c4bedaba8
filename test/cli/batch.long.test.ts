/** `batch`: files of any size, pipes, parts of an array job, and runs that go on after they were killed. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import { Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import { beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/base/errors.js';
import { openIndex } from '../../src/retrieve/library/open-index.js';
import { partOf } from '../../src/cli/query-part.js';
import { makeVectors, publishVersion, temporaryFolder, writeCatalog } from '../indexes.js';
import { callJson } from './call.js';
import { randomMoments, runAndKill, timeOf } from './kill.js';
import { MAIN, shortlistJson, spawnShortlist } from './process.js';

const DIM = 16;
const QUERIES = 3_000;
const root = temporaryFolder();
const queries = join(root, 'queries.arrow');
const vectors = makeVectors(QUERIES, DIM, 2);
const at = ['--root', root];
const batch = ['batch', 'items', '--queries', queries, ...at];

beforeAll(async () => {
  await publishVersion(root, 'items', { rows: 2_000, dim: DIM });
  writeCatalog(queries, { vectors, dim: DIM });
});

interface Row {
  readonly query: number;
  readonly id: bigint;
  readonly score: number;
}

function rowsOf(bytes: Uint8Array): Row[] {
  return tableFromIPC(bytes).toArray().map(({ query, id, score }: Row) => ({ query, id, score })); // prettier-ignore
}

async function answers(out: string, ...more: string[]): Promise<Buffer> {
  const path = join(root, out);
  const { code } = await callJson([...batch, '--out', path, ...more]);
  expect(code).toBe(EXIT.done);
  return readFileSync(path);
}

/** Many record batches, and each takes a while. */
const SLOW = ['-k', '300', '--ef', '2000', '--threads', '1'];

/** Runs a command and interrupts it when it has written answers, so that it leaves a partial file. */
async function interruptMidway(args: readonly string[], partial: string): Promise<void> {
  for (;;) {
    const child = spawnShortlist(args);
    const closed = new Promise((resolve) => child.on('close', resolve));
    const watch = setInterval(() => {
      if (!existsSync(partial) || statSync(partial).size < 2_000) return;
      clearInterval(watch);
      child.kill('SIGINT');
    }, 5);
    await closed;
    clearInterval(watch);
    if (existsSync(partial)) return; // it may have ended before the signal
  }
}

function flipByte(bytes: Buffer, at: number): Buffer {
  bytes[at]! ^= 1;
  return bytes;
}

describe('batch', () => {
  it('answers as the library does, to the bit', async () => {
    const rows = rowsOf(await answers('all.arrow', '-k', '7', '--filter', '{"price": {"$gt": 500}}'));
    const index = await openIndex(root, 'items');
    const expected: Row[] = [];
    for (let query = 0; query < QUERIES; query++) {
      const { ids, scores } = index.search(vectors.subarray(query * DIM, (query + 1) * DIM), { k: 7, filter: { price: { $gt: 500 } } }); // prettier-ignore
      ids.forEach((id, i) => expected.push({ query, id: BigInt(id), score: scores[i]! }));
    }
    await index.close();
    expect(rows).toEqual(expected);
  });

  it.each([[['--exact']], [['--crowding', 'generation:2']]])('with %j answers as without groups', async (more) => {
    const rows = rowsOf(await answers('more.arrow', '-k', '5', ...more));
    const index = await openIndex(root, 'items');
    const options = more[0] === '--exact' ? { exact: true } : { crowding: { attribute: 'generation', limit: 2 } };
    for (const query of [0, 1, QUERIES - 1]) {
      const { ids } = index.search(vectors.subarray(query * DIM, (query + 1) * DIM), { k: 5, ...options });
      expect(rows.filter((row) => row.query === query).map(({ id }) => String(id))).toEqual(ids);
    }
    await index.close();
  });

  it('parts joined are the whole, with the numbers of their queries', async () => {
    const whole = rowsOf(await answers('whole.arrow', '-k', '50'));
    const parts: Row[] = [];
    for (const part of ['0/3', '1/3', '2/3'])
      parts.push(...rowsOf(await answers('part.arrow', '-k', '50', '--part', part)));
    expect(parts).toEqual(whole);
  });

  it('reads and writes streams through pipes, whatever their record batches', async () => {
    const whole = await answers('piped.arrow', '-k', '50');
    const table = tableFromIPC(readFileSync(queries));
    const small = new Table(table.schema, table.batches.flatMap((one: RecordBatch) => [one.slice(0, 700), one.slice(700)])); // prettier-ignore
    const run = (input: Uint8Array, from: string) => {
      const args = [MAIN, 'batch', 'items', '--queries', from, '--out', '-', '-k', '50', ...at];
      return spawnSync(process.execPath, args, { input, maxBuffer: 2 ** 28 });
    };
    const outputs = [
      run(tableToIPC(small, 'stream'), '-'),
      run(tableToIPC(table, 'stream'), '-'),
      run(Buffer.alloc(0), queries),
    ];
    for (const { status, stdout } of outputs) {
      expect(status).toBe(0);
      expect(stdout.equals(outputs[0]!.stdout)).toBe(true);
    }
    expect(rowsOf(outputs[0]!.stdout)).toEqual(rowsOf(whole));
    // This writer's files have their schema only at the end.
    expect(String(run(readFileSync(queries), '-').stderr)).toContain('write the stream format');
    const cut = run(tableToIPC(small, 'stream').subarray(0, 20_000), '-');
    expect([cut.status, String(cut.stderr)]).toEqual([EXIT.badData, expect.stringContaining('stdin is damaged or cut short')]); // prettier-ignore
  });

  it('goes on where it was when it is killed, and writes the same bytes', { timeout: 120_000 }, async () => {
    const whole = await answers('unbroken.arrow', '-k', '10', '--ef', '2000');
    const path = join(root, 'broken.arrow');
    const args = [...batch, '-k', '10', '--ef', '2000', '--out', path];
    for (const moment of randomMoments(6, await timeOf([...args.slice(0, -1), join(root, 'timed.arrow')]), 91)) {
      await runAndKill(args, moment);
    }
    expect((await callJson(args)).code).toBe(EXIT.done);
    expect(readFileSync(path).equals(whole)).toBe(true);
    expect([existsSync(`${path}.partial`), existsSync(`${path}.partial.json`)]).toEqual([false, false]);
  });

  it.each<[string, (partial: string) => void]>([
    ['a byte is another one', (partial) => writeFileSync(partial, flipByte(readFileSync(partial), 1_000))],
    ['its end is gone', (partial) => truncateSync(partial, 100)],
    ['it is gone', (partial) => rmSync(partial)],
  ])('begins anew, and says so, if the partial file was changed: %s', async (_, change) => {
    const path = join(root, 'changed.arrow');
    const args = [...batch, ...SLOW, '--out', path];
    await interruptMidway(args, `${path}.partial`);
    change(`${path}.partial`);
    const { code, stderr } = await callJson(args);
    expect(code).toBe(EXIT.done);
    expect(stderr).toContain(`warning: ${path}.partial does not have the bytes that were written to it; all queries are answered again`); // prettier-ignore
    expect(stderr).not.toContain('continuing');
    expect(readFileSync(path).equals(await answers('unchanged.arrow', ...SLOW))).toBe(true);
  });

  it('goes on after an interruption without a warning', async () => {
    const path = join(root, 'interrupted.arrow');
    const args = [...batch, ...SLOW, '--out', path];
    await interruptMidway(args, `${path}.partial`);
    const { stderr } = await callJson(args);
    expect(stderr).toContain(`continuing ${path}.partial after`);
    expect(stderr).not.toContain('warning');
    expect(readFileSync(path).equals(await answers('unbroken.arrow', ...SLOW))).toBe(true);
  });

  it('begins anew after another request, and after damage to its checkpoint', async () => {
    const whole = await answers('new.arrow', '-k', '10');
    const partial = join(root, 'new.arrow.partial');
    for (const checkpoint of ['{', '{"format":1}', '{"format":1,"key":"other","file":{"position":3,"blocks":[]}}']) {
      writeFileSync(partial, 'abc');
      writeFileSync(`${partial}.json`, checkpoint);
      expect((await answers('new.arrow', '-k', '10')).equals(whole)).toBe(true);
    }
  });

  it('two runs to one file: one writes it, the other is told who does', async () => {
    const path = join(root, 'shared.arrow');
    const run = () => shortlistJson([...batch, '-k', '10', '--ef', '2000', '--out', path]);
    const ends = await Promise.all([run(), run(), run()]);
    expect(ends.map(({ code }) => code).sort((a, b) => a! - b!)).toEqual([EXIT.done, EXIT.busy, EXIT.busy]);
    expect(readFileSync(path).equals(await answers('alone.arrow', '-k', '10', '--ef', '2000'))).toBe(true);
  });

  it('does not replace a file of queries', async () => {
    expect((await callJson([...batch, '--out', queries])).code).toBe(EXIT.usage);
  });

  it.each([
    ['3/3', 'parts count from 0'],
    ['1', 'give the part and their number'],
    ['0/0', 'there can be 1 to'],
    ['auto/4', 'none of JOB_COMPLETION_INDEX'],
  ])('refuses the part %s', async (part, problem) => {
    const { code, json } = await callJson([...batch, '--out', join(root, 'x.arrow'), '--part', part]);
    expect([code, (json['error'] as Error).message]).toEqual([EXIT.usage, expect.stringContaining(problem)]);
  });

  it('takes the part from the variables of array jobs', () => {
    expect(partOf('auto/4', 10, { SLURM_ARRAY_TASK_ID: '3' })).toEqual({ from: 7, to: 10 });
    expect(partOf('auto/4', 10, { JOB_COMPLETION_INDEX: '0' })).toEqual({ from: 0, to: 2 });
  });

  it('a bad query is an error with its row, and leaves nothing behind', async () => {
    const bad = vectors.slice();
    bad[1_500 * DIM] = NaN;
    const path = join(root, 'bad.arrow');
    writeCatalog(path, { vectors: bad, dim: DIM });
    const out = join(root, 'none.arrow');
    const { code, json } = await callJson(['batch', 'items', '--queries', path, '--out', out, ...at]);
    expect([code, (json['error'] as Error).message]).toEqual([EXIT.badData, expect.stringContaining('row 1500')]);
    expect([existsSync(out), existsSync(`${out}.partial`)]).toEqual([false, false]);
  });
});
