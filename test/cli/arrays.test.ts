/** Arrays on the command line: as the input of a build, and as the queries of every command that takes some. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/base/errors.js';
import { temporaryFolder } from '../indexes.js';
import { callJson } from './call.js';
import { MAIN, shortlistJson } from './process.js';

const root = temporaryFolder();
const at = ['--root', root];
const file = (name: string): string => fileURLToPath(new URL(`../formats/arrays/files/${name}`, import.meta.url));
const hdf5 = file('floats.ann-benchmarks.hdf5');
const build = (input: string, ...more: string[]) => callJson(['build', 'arrays', '--input', input, ...more, '--no-calibrate', ...at]); // prettier-ignore

/** All hold the rows of the index, but for HDF5, of which the dataset `test` has the first seven. */
const QUERIES = ['floats.fortran.npy', 'floats.texmex.fvecs', 'floats.big-ann.fbin', 'floats.ann-benchmarks.hdf5'];

describe('build', () => {
  it('takes ids from --ids, and says in the manifest where they come from', async () => {
    const { code, json } = await build(hdf5, '--ids', file('names.unix.txt'));
    expect(code).toBe(EXIT.done);
    const { json: manifest } = await callJson(['inspect', `arrays@${json['version'] as string}`, ...at]);
    expect(manifest).toMatchObject({
      count: 50,
      id: { column: 'id', type: 'utf8' },
      vector: { column: 'embedding' },
      options: { ids: [file('names.unix.txt')] },
      sources: [{ path: hdf5, rows: 50 }, { path: file('names.unix.txt'), rows: 50 }],
    }); // prettier-ignore
  });

  it('warns once that ids are positions, and names --ids', async () => {
    const { code, json, stderr } = await build(file('floats.format-2.npy'));
    expect(code).toBe(EXIT.done);
    expect(stderr.match(/has no ids: the ids are the positions of the rows in the input, from 0; --ids/g)).toHaveLength(1); // prettier-ignore
    const { json: manifest } = await callJson(['inspect', `arrays@${json['version'] as string}`, ...at]);
    expect(manifest).toMatchObject({ options: { ids: 'positions' }, id: { column: 'id', type: 'int64' } });
  });

  it('reads another dataset of HDF5 with --vector-column, and lists those there are', async () => {
    expect(await build(hdf5, '--vector-column', 'test')).toMatchObject({ code: EXIT.done, json: { vectors: 7 } });
    const { code, json } = await build(hdf5, '--vector-column', 'base');
    expect(code).toBe(EXIT.badData);
    expect(json).toMatchObject({ error: { code: 'column_missing', message: expect.stringContaining('"test", "train"') as string } }); // prettier-ignore
  });

  it('says what to install if h5wasm is not there', async () => {
    const hook = `export const resolve = (name, context, next) => { if (name.startsWith('h5wasm')) { const error = new Error('no ' + name); error.code = 'ERR_MODULE_NOT_FOUND'; throw error; } return next(name, context); };`; // prettier-ignore
    const preload = join(root, '.without-h5wasm.mjs');
    writeFileSync(preload, `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)});`); // prettier-ignore
    const args = ['build', 'arrays', '--input', hdf5, '--no-calibrate', ...at];
    const { code, json } = await shortlistJson(args, { NODE_OPTIONS: `--import ${preload}` });
    expect(code).toBe(EXIT.badData);
    const message = `${hdf5} cannot be read: HDF5 needs the package h5wasm, which is not installed: npm install h5wasm`;
    expect(json).toMatchObject({ error: { code: 'input_unsupported', message } });
  });
});

describe('--queries', () => {
  let version = '';

  beforeAll(async () => {
    const ids = ['--ids', file('ids.i8.npy')];
    const first = await build(file('floats.little-f4.npy'), ...ids, '--publish', '--min-recall', '0');
    expect(first.code).toBe(EXIT.done);
    version = first.json['version'] as string;
  });

  it.each(QUERIES)('of query and batch reads %s', async (name) => {
    const count = name.endsWith('hdf5') ? 7 : 50;
    const { json: query } = await callJson(['query', 'arrays', '--queries', file(name), '-k', '1', ...at]);
    const results = query['results'] as { candidates: { id: string }[] }[];
    expect(results.map(({ candidates }) => candidates[0]!.id)).toEqual(Array.from({ length: count }, (_, i) => String(3 * i + 10))); // prettier-ignore
    const out = join(root, `.${name}.arrow`);
    const batch = await callJson(['batch', 'arrays', '--queries', file(name), '--out', out, '-k', '3', ...at]);
    expect(batch).toMatchObject({ code: EXIT.done, json: { queries: count, candidates: 3 * count } });
  });

  it.each(QUERIES)('of evaluate, diff and the gate reads %s', async (name) => {
    const queries = ['--queries', file(name)];
    const evaluated = await callJson(['evaluate', 'arrays', ...queries, '-k', '5', '--ef', '20', ...at]);
    expect(evaluated.json).toMatchObject({ queries: name.endsWith('hdf5') ? 7 : 50 });
    const diff = await callJson(['diff', 'arrays', version, version, ...queries, ...at]);
    expect(diff.code).toBe(EXIT.done);
    const gate = await callJson(['gate', 'check', `arrays@${version}`, ...queries, '--min-recall', '0', ...at]);
    expect(JSON.stringify(gate.json)).not.toContain('rows are sampled instead');
  });

  it('- takes an Arrow stream and nothing else', async () => {
    for (const name of ['floats.little-f4.npy', 'floats.big-ann.fbin', 'ids.table.parquet', 'floats.chunked.hdf5']) {
      const child = spawn(process.execPath, [MAIN, 'batch', 'arrays', '--queries', '-', '--out', '-', ...at], { stdio: 'pipe' }); // prettier-ignore
      let said = '';
      child.stderr.on('data', (text: Buffer) => (said += text.toString()));
      child.stdin.on('error', () => undefined); // it may end before it has read everything
      child.stdin.end(readFileSync(file(name)));
      const code = await new Promise((resolve) => child.on('close', resolve));
      expect([name, code]).toEqual([name, EXIT.badData]);
      expect(said).toMatch(/stdin is .*(?:Arrow|pyarrow).*\(input_format\)/);
    }
  });
});
