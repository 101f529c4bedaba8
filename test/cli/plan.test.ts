/** `shortlist plan` as people read it: numbers that explain each other. */
import { describe, expect, it } from 'vitest';
import { join } from 'node:path';
import { EXIT } from '../../src/base/errors.js';
import { buildVersion, makeVectors, temporaryFolder, writeCatalog } from '../indexes.js';
import { call, callJson } from './call.js';

const at = ['--root', temporaryFolder()];

async function plan(rows: string, memory: string): Promise<string> {
  return (await call(['plan', '--rows', rows, '--dim', '128', '--threads', '2', '--memory', memory, ...at])).stdout;
}

describe('the plan of a build', () => {
  it.each([
    ['8.2B', 8_200_000_000],
    ['2,500,000', 2_500_000],
    ['100K', 100_000],
  ])('takes %s for a number of rows', async (text, rows) => {
    const { json } = await callJson(['plan', '--rows', text, '--dim', '128', ...at]);
    expect(json).toMatchObject({ rows });
  });

  it.each(['1,0,0', '1.5', '0', 'many', '1T'])('refuses %s as a number of rows', async (text) => {
    expect((await call(['plan', '--rows', text, '--dim', '128', ...at])).code).toBe(EXIT.usage);
  });

  it('of an index starts from its newest version, and of files from what they hold', async () => {
    const root = temporaryFolder();
    const here = ['--root', root];
    await buildVersion(root, 'items', { rows: 300, dim: 8 });
    const newest = (await callJson(['plan', 'items', ...here])).json;
    expect(newest).toMatchObject({ rows: 300, dim: 8, m: 8, shards: 1 });
    writeCatalog(join(root, '.more.arrow'), { vectors: makeVectors(500, 16, 1), dim: 16 });
    const files = ['--input', join(root, '.more.arrow')];
    expect((await callJson(['plan', 'items', ...files, ...here])).json).toMatchObject({ rows: 500, dim: 16, m: 8 });
    expect((await callJson(['plan', 'new', ...files, ...here])).json).toMatchObject({ rows: 500, dim: 16, m: 16 });
    expect((await callJson(['plan', 'new', ...here])).json['error']).toMatchObject({ code: 'usage' });
    const wrong = await callJson(['plan', ...files, '--id-column', 'sku', ...here]);
    expect(wrong.json['error']).toMatchObject({ code: 'column_missing' });
  });

  it('larger than the memory, which fits since mapped files can be dropped, says so, and that no server fits', async () => {
    const text = await plan('100M', '64GiB');
    expect(text).toMatch(/^ {2}of it mapped +[\d.]+ GiB/m);
    expect(text).toMatch(
      /^the build fits into 64\.0 GiB of memory with \d+ shards, but not all files that it maps do/m,
    );
    expect(text).toMatch(/^a server needs [\d.]+ GiB, more than 64\.0 GiB/m);
  });

  it('that is small asks for more free memory than it will take, without calling it the least it takes', async () => {
    const text = await plan('10k', '8GiB');
    expect(text).toMatch(/^free at the start .* a cautious estimate$/m);
    expect(text).toMatch(/^the build fits into 8\.00 GiB of memory with 1 shard$/m);
    expect(text).not.toMatch(/of it mapped|at least|server needs/);
  });

  it('whose server fits once, but not twice, says what a swap needs', async () => {
    expect(await plan('10M', '12GiB')).toContain('a server fits into 12.0 GiB, but not with two versions');
  });
});
