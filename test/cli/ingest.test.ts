/** Inputs that are not all of one make, from the command line: what is built, what is refused, what is said. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/base/errors.js';
import { temporaryFolder } from '../indexes.js';
import { callJson } from './call.js';
import { MAIN } from './process.js';
import { countIds, countVectors, types, writeArrow, type TestColumn } from '../ingest/arrow-files.js';

const root = temporaryFolder();
const at = ['--root', root, '--no-calibrate'];
const write = (name: string, vectors: readonly (readonly number[])[], more: Record<string, TestColumn> = {}): string =>
  writeArrow(join(root, name), { id: [types.int64, countIds(vectors.length)], v: [types.list32, vectors], ...more });

/** Without the end marker, and without the batch before it. */
const startOfLastBatch = (stream: Buffer): number => stream.lastIndexOf(Buffer.alloc(4, 0xff), stream.length - 9);

/** One row of 3 components in front of 199 of 8. */
const mixed = write('.mixed.arrow', [[1, 2, 3], ...countVectors(199, 8)]);

describe('one row of another length in front of all others', () => {
  it('is left out, and the index has all others', async () => {
    const { code, json } = await callJson(['build', 'mixed', '--input', mixed, '--on-bad-row', 'skip', ...at]);
    expect(code).toBe(EXIT.done);
    expect(json).toMatchObject({ vectors: 199, dim: 8, rejected: 1, rejects: { wrong_length: 1 } });
    const { json: inspected } = await callJson(['inspect', `mixed@${json['version'] as string}`, '--root', root]);
    expect(inspected).toMatchObject({ options: { on_bad_row: 'skip', max_rejected: 0.01 } });
  });

  it('is more than --max-rejected 0.001 allows, and is a bad row without skip', async () => {
    const skip = ['build', 'mixed', '--input', mixed, '--on-bad-row', 'skip', ...at];
    const bounded = await callJson([...skip, '--max-rejected', '0.001']);
    expect(bounded).toMatchObject({ code: EXIT.badData, json: { error: { code: 'bad_rows' } } });
    expect(JSON.stringify(bounded.json)).toContain('1 of 200 rows (0.5 %) are bad (wrong_length 1)');
    const plain = await callJson(['build', 'mixed', '--input', mixed, ...at]);
    expect(plain).toMatchObject({ code: EXIT.badData, json: { error: { code: 'bad_rows' } } });
    expect(JSON.stringify(plain.json)).toContain('the vectors have 8 components in 199 rows');
    const other = await callJson([...skip, '--dim', '9']);
    expect(other).toMatchObject({ code: EXIT.badData, json: { error: { code: 'dimension_mismatch' } } });
    for (const share of ['2', '-1', 'x']) expect((await callJson([...skip, '--max-rejected', share])).code).toBe(EXIT.usage); // prettier-ignore
  });
});

describe('decimals and UUIDs', () => {
  const decimals = fileURLToPath(new URL('../arrow/fixtures/decimals.arrow', import.meta.url));
  const uuids = Array.from({ length: 4 }, (_, i) => new Uint8Array(16).fill(i + 1));

  it('are filtered and shown as floats with --cast-decimals', async () => {
    const built = await callJson(['build', 'decimals', '--input', decimals, '--cast-decimals', '--publish', '--min-recall', '0', ...at]); // prettier-ignore
    expect(built).toMatchObject({ code: EXIT.done, json: { published: true, vectors: 8 } });
    const search = ['query', 'decimals', '--vector', '[1, 2]', '-k', '8', '--attributes', 'decimal128', '--root', root];
    const { json } = await callJson([...search, '--filter', '{"decimal128": {"$gt": 100000}}']);
    const found = (json['candidates'] as { id: string; attributes: object }[]).map(({ id, attributes }) => [id, attributes]); // prettier-ignore
    expect(found.toSorted()).toEqual([
      ['3', { decimal128: 123456.789 }],
      ['5', { decimal128: 90071992547409.93 }],
    ]);
  });

  it('as ids are asked for by their text', async () => {
    const input = write('.uuids.arrow', countVectors(4, 2), { id: [types.bytes16, uuids] });
    const built = await callJson(['build', 'uuids', '--input', input, '--publish', '--min-recall', '0', ...at]);
    expect(built.code).toBe(EXIT.done);
    const id = '02020202-0202-0202-0202-020202020202';
    const { json } = await callJson(['query', 'uuids', '--id', id, '-k', '10', '--root', root]);
    expect((json['candidates'] as { id: string }[]).map((candidate) => candidate.id).toSorted()).toEqual([
      '01010101-0101-0101-0101-010101010101',
      '03030303-0303-0303-0303-030303030303',
      '04040404-0404-0404-0404-040404040404',
    ]);
  });
});

describe('files that are joined or cut', () => {
  const file = write('.file.arrow', countVectors(50, 4));
  const stream = writeArrow(join(root, '.stream.arrow'), { id: [types.int64, countIds(50)], v: [types.vector(4), countVectors(50, 4)] }, { format: 'stream', batchRows: 20 }); // prettier-ignore

  it('two files by cat are refused with the bytes that no batch covers', async () => {
    const joined = join(root, '.joined.arrow');
    writeFileSync(joined, Buffer.concat([readFileSync(file), readFileSync(file)]));
    const { code, json } = await callJson(['build', 'joined', '--input', joined, ...at]);
    expect(code).toBe(EXIT.badData);
    expect(json).toMatchObject({ error: { code: 'input_corrupt', file: joined } });
    expect(JSON.stringify(json)).toMatch(/covers the bytes from \d+ to \d+/);
  });

  it('a stream without its end marker is built with a warning, as input and as queries', async () => {
    const open = join(root, '.open.arrow');
    writeFileSync(open, readFileSync(stream).subarray(0, -8));
    const built = await callJson(['build', 'open', '--input', open, '--publish', '--min-recall', '0', ...at]);
    expect(built).toMatchObject({ code: EXIT.done, json: { vectors: 50 } });
    expect(built.stderr).toContain(`warning: ${open}: the stream ends without its end-of-stream marker`);
    const asked = await callJson(['query', 'open', '--queries', open, '-k', '1', '--root', root]);
    expect(asked.code).toBe(EXIT.done);
    expect(asked.stderr).toContain('the stream ends without its end-of-stream marker');
    const answers = ['--queries', open, '-k', '1', '--out', join(root, 'answers.arrow')];
    const batch = await callJson(['batch', 'open', ...answers, '--root', root]);
    const warning = `${open}: the stream ends without its end-of-stream marker: its writer may have been interrupted; 50 rows were read`; // prettier-ignore
    expect(batch).toMatchObject({ code: EXIT.done, json: { queries: 50, warnings: [warning] } });
    expect(batch.stderr).toContain(`warning: ${warning}`);
  });

  it('a pipe that ends between two batches is answered with a warning, and the file format is refused', () => {
    const run = (input: Buffer) => spawnSync(process.execPath, [MAIN, 'batch', 'open', '--queries', '-', '-k', '1', '--out', join(root, 'piped.arrow'), '--root', root, '--json'], { input, encoding: 'utf8' }); // prettier-ignore
    const bytes = readFileSync(stream);
    const whole = run(bytes);
    expect(JSON.parse(whole.stdout)).toMatchObject({ queries: 50, warnings: [] });
    const cut = run(bytes.subarray(0, startOfLastBatch(bytes)));
    const warning = 'stdin: the stream ends without its end-of-stream marker: its writer may have been interrupted; 40 rows were read'; // prettier-ignore
    expect([cut.status, JSON.parse(cut.stdout)]).toMatchObject([EXIT.done, { queries: 40, warnings: [warning] }]);
    expect(cut.stderr).toContain(`warning: ${warning}`);
    const asFile = run(Buffer.concat([Buffer.from('ARROW1\0\0'), bytes.subarray(0, startOfLastBatch(bytes))]));
    expect(JSON.parse(asFile.stdout)).toMatchObject({ error: { code: 'input_corrupt' } });
  });
});

describe('an input whose length is not that of the live version', () => {
  it('is built with a warning, or refused with --dim', async () => {
    const [old, now] = [write('.old.arrow', countVectors(20, 4)), write('.now.arrow', countVectors(20, 6))];
    const publish = ['--publish', '--min-recall', '0', ...at];
    expect((await callJson(['build', 'moved', '--input', old, ...publish])).code).toBe(EXIT.done);
    const warned = await callJson(['build', 'moved', '--input', now, ...at]);
    expect(warned).toMatchObject({ code: EXIT.done, json: { dim: 6 } });
    expect(warned.stderr).toContain('the vectors have 6 components, but those of the published version have 4');
    const held = await callJson(['build', 'moved', '--input', now, '--dim', '4', ...at]);
    expect(held).toMatchObject({ code: EXIT.badData, json: { error: { code: 'dimension_mismatch' } } });
  });
});
