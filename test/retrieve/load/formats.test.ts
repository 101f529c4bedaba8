/**
 * Versions of both formats on disk. `format-1.json.gz` has a version that the last release of format 1 built (60 rows of
 * 8, three shards, three attributes), and what that release answered.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openIndex, type OpenIndex } from '../../../src/retrieve/library/open-index.js';
import { loadVersion } from '../../../src/retrieve/load/loaded-version.js';
import { verifyVersion } from '../../../src/retrieve/load/verify.js';
import { search } from '../../../src/retrieve/search/run-search.js';
import { buildVersion, temporaryFolder } from '../../indexes.js';
import { types, writeArrow } from '../../ingest/arrow-files.js';
import { callJson } from '../../cli/call.js';

interface Kept {
  readonly index: string;
  readonly version: string;
  readonly files: Readonly<Record<string, string>>;
  readonly asked: readonly {
    readonly id: string;
    readonly options: Parameters<OpenIndex['search']>[1];
    readonly ids: readonly string[];
    readonly scores: readonly number[];
    readonly attributes: readonly Readonly<Record<string, unknown>>[];
  }[];
}

const kept = JSON.parse(gunzipSync(readFileSync(new URL('../../version/format-1.json.gz', import.meta.url))).toString()) as Kept; // prettier-ignore
const { index: name, version } = kept;
const root = temporaryFolder();
mkdirSync(join(root, name, version), { recursive: true });
for (const [file, bytes] of Object.entries(kept.files)) writeFileSync(join(root, name, version, file), Buffer.from(bytes, 'base64')); // prettier-ignore

function expectAnswers(index: OpenIndex): void {
  expect(kept.asked.length).toBeGreaterThan(50);
  for (const { id, options, ids, scores, attributes } of kept.asked) {
    const answer = index.search(index.vector(id), options);
    expect({ ids: answer.ids, scores: [...answer.scores] }).toEqual({ ids, scores });
    expect(ids.slice(0, 2).map((each) => index.attributes(each))).toEqual(attributes);
  }
}

describe('a version of format 1', () => {
  it('is sound, and answers as the release that built it', async () => {
    expect(await verifyVersion(root, name, version)).toEqual([]);
    const index = await openIndex(root, name, { version });
    expect(index.manifest.format).toBe(1);
    expectAnswers(index);
    await index.close();
  });

  it('has the graphs, and gives the answers, of the same rows in format 2', async () => {
    const old = await openIndex(root, name, { version });
    const ids = Array.from({ length: 60 }, (_, row) => `item-${String(row).padStart(2, '0')}`);
    const attributes = ids.map((id) => old.attributes(id));
    const input = writeArrow(join(root, '.rows.arrow'), {
      id: [types.utf8, ids],
      embedding: [types.vector(8), ids.map((id) => [...old.vector(id)])],
      category: [types.utf8, attributes.map(({ category }) => category)],
      price: [types.float32, attributes.map(({ price }) => price)],
      tags: [types.strings, attributes.map(({ tags }) => tags)],
    });
    await old.close();
    const options = ['--shards', '3', '--seed', '1', '--m', '8', '--ef-construction', '40', '--no-calibrate'];
    const built = await callJson(['build', 'new', '--root', root, '--input', input, ...options]);
    expect(built.code, built.stderr).toBe(0);
    const index = await openIndex(root, 'new', { version: built.json['version'] as string });
    expect(index.manifest.format).toBe(2);
    expectAnswers(index);
    await index.close();
  });

  it('can be loaded in part', async () => {
    const some = await loadVersion(root, name, version, { shards: [0, 2] });
    expect(some.shards.map(({ ordinals }) => ordinals.length)).toEqual([0, 2].map((shard) => some.manifest.shards[shard]!.count));
    some.close();
  }); // prettier-ignore
});

describe('some shards of a version', () => {
  it('are a version of their own: the same items, scores, attributes and order as in the whole', async () => {
    const { version: built } = await buildVersion(root, 'parts', { rows: 500, shards: 5, textIds: true });
    const whole = await loadVersion(root, 'parts', built);
    await fc.assert(
      fc.asyncProperty(fc.subarray([0, 1, 2, 3, 4], { minLength: 1 }), fc.nat({ max: 499 }), async (shards, self) => {
        const some = await loadVersion(root, 'parts', built, { shards });
        const query = whole.vectorOf(self);
        const mine = new Set(shards.flatMap((shard) => [...whole.shards[shard]!.ordinals]));
        expect(some.count).toBe(mine.size);
        const sorted = [...mine].sort((a, b) => a - b);
        expect(some.inputOrdinals === null ? sorted : [...some.inputOrdinals]).toEqual(sorted);
        for (const json of [
          null,
          { price: { $lt: 90 } },
          { price: null },
          { title: { $contains: '7' } },
          { id: { $ne: whole.ids.text(self) } },
        ]) {
          const options = { k: 500, exact: true, ...(json !== null && { filter: json }) };
          const all = search(whole, query, options);
          const own = search(some, query, options);
          const expected = [...all.ordinals].filter((ordinal) => mine.has(ordinal));
          expect([...own.ordinals].map((ordinal) => some.inputOrdinals?.[ordinal] ?? ordinal)).toEqual(expected);
          expect(some.ids.texts(own.ordinals)).toEqual(whole.ids.texts(Uint32Array.from(expected)));
          for (const attribute of whole.attributes?.names ?? [])
            expect([...own.ordinals].map((each) => some.attributes!.value(attribute, each))).toEqual(expected.map((each) => whole.attributes!.value(attribute, each))); // prettier-ignore
        }
        expect(some.ordinalOf(whole.ids.text(self)) >= 0).toBe(mine.has(self));
        some.close();
      }),
      { numRuns: 15 },
    );
    whole.close();
  });

  it('need only their own files', async () => {
    const { version: built } = await buildVersion(root, 'lone', { rows: 100, shards: 4 });
    const folder = join(root, 'lone', built);
    const others = readdirSync(folder).filter((file) => /^shard-000[013]/.test(file));
    expect(others.length).toBe(12);
    for (const file of others) rmSync(join(folder, file), { force: true });
    await expect(loadVersion(root, 'lone', built)).rejects.toMatchObject({ code: 'file_missing' });
    const some = await loadVersion(root, 'lone', built, { shards: [2], hash: true });
    expect(some.ids.texts(Uint32Array.of(0)).length).toBe(1);
    some.close();
  });

  it('are what the library opens when asked', async () => {
    const { version: built } = await buildVersion(root, 'asked', { rows: 100, shards: 4 });
    const index = await openIndex(root, 'asked', { version: built, shards: [3, 1] });
    const ids = index.search(new Float32Array(8).fill(1), { k: 100, exact: true }).ids;
    const batch = await index.searchBatch(new Float32Array(8).fill(1), { k: 100 });
    expect(batch[0]!.ids).toEqual(ids);
    expect(ids.length).toBe([1, 3].reduce((sum, shard) => sum + index.manifest.shards[shard]!.count, 0));
    expect(() => index.vector(String(Array.from({ length: 100 }, (_, id) => String(id)).find((id) => !ids.includes(id))))).toThrow(/unknown|no item/); // prettier-ignore
    await index.close();
    for (const shards of [[], [1, 1], [0.5], '1']) {
      await expect(openIndex(root, 'asked', { version: built, shards: shards as number[] })).rejects.toThrow(
        /shard numbers/,
      );
    }
  });

  it('must be shards that the version has', async () => {
    await expect(loadVersion(root, name, version, { shards: [1, 3] })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/no shard 3: .* has the shards 0 to 2/) as string,
    });
  });
});
