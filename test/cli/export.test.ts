import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/base/errors.js';
import type { ExportDescription } from '../../src/export/export-version.js';
import { openHnswlibFile } from '../engine/hnswlib/hnswlib-files.js';
import { publishVersion, temporaryFolder } from '../indexes.js';
import { call, callJson } from './call.js';

const root = temporaryFolder();
const outside = temporaryFolder();
const at = ['--root', root];
let version: string;

beforeAll(async () => {
  ({ version } = await publishVersion(root, 'items', { rows: 800, dim: 10, shards: 2 }));
});

describe('export', () => {
  it('writes files that hnswlib-node opens, and says which', async () => {
    const out = join(outside, 'items');
    const { code, json } = await callJson(['export', 'items', '--format', 'hnswlib', '--out', out, ...at]);
    expect(code).toBe(EXIT.done);
    expect(json).toMatchObject({ index: 'items', version, format: 'hnswlib' });
    const files = json['files'] as { path: string; bytes: number }[];
    expect(files.map(({ path }) => path).sort()).toEqual(readdirSync(out).map((name) => join(out, name)).sort()); // prettier-ignore
    for (const { path, bytes } of files) expect(statSync(path).size).toBe(bytes);

    const { space, dim, shards } = JSON.parse(readFileSync(join(out, 'export.json'), 'utf8')) as ExportDescription;
    for (const { graph, ids } of shards) {
      const index = openHnswlibFile(join(out, graph), space, dim, 200);
      const idOf = tableFromIPC(readFileSync(join(out, ids))).getChild('id')!;
      for (const label of [0, index.getCurrentCount() - 1]) {
        const args = ['query', 'items', '--vector', JSON.stringify(index.getPoint(label)), '-k', '1', ...at];
        const { json: answer } = await callJson(args);
        const [first] = answer['candidates'] as { id: string; score: number }[];
        expect(first).toEqual({ id: String(idOf.get(label)), score: 1 });
      }
    }
  });

  it('takes an alias or a version, and tells people how to load what it wrote', async () => {
    expect((await call(['alias', 'items', 'canary', version, ...at])).code).toBe(EXIT.done);
    const out = join(outside, 'canary');
    const { code, stdout } = await call(['export', 'items@canary', '--out', out, ...at]);
    expect(code).toBe(EXIT.done);
    expect(stdout).toContain(`exported items@${version} to ${out}`);
    expect(stdout).toContain("space 'cosine' and dim 10");
  });

  it('refuses a folder with something in it, other formats and unknown names', async () => {
    const out = join(outside, 'mine');
    mkdirSync(out);
    writeFileSync(join(out, 'file'), 'mine');
    const full = await callJson(['export', 'items', '--out', out, ...at]);
    expect(full).toMatchObject({ code: EXIT.usage, json: { error: { code: 'usage', file: out } } });
    expect(readdirSync(out)).toEqual(['file']);
    const next = join(outside, 'next');
    const format = await callJson(['export', 'items', '--format', 'faiss', '--out', next, ...at]);
    expect(format).toMatchObject({ code: EXIT.usage, json: { error: { code: 'usage' } } });
    const index = await callJson(['export', 'itmes', '--out', next, ...at]);
    expect(index).toMatchObject({ code: EXIT.badIndex, json: { error: { code: 'index_not_found' } } });
    expect(existsSync(next)).toBe(false);
  });
});
