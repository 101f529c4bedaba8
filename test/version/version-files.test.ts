import { createHash } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ArrowField, Column } from '../../src/arrow/column.js';
import { shardOf } from '../../src/base/hash.js';
import { IdTableBuilder } from '../../src/base/id-table-builder.js';
import { readAttributes } from '../../src/version/sealed/attribute-store.js';
import { listVersions } from '../../src/version/state/catalog.js';
import { contentDigest } from '../../src/version/sealed/content-digest.js';
import type { Manifest } from '../../src/version/sealed/manifest.js';
import type { Lock } from '../../src/version/locks/lock.js';
import { versionPath } from '../../src/version/disk/paths.js';
import { sealJson } from '../../src/version/disk/sealed-json.js';
import { RowPlaces } from '../../src/version/sealed/row-places.js';
import { findVersionProblems } from '../../src/version/sealed/verify.js';
import {
  estimateResidentBytes,
  graphPaths,
  openVersionFiles,
  readIds,
  readOrdinals,
  readShard,
  type VersionFiles,
} from '../../src/version/sealed/version-reader.js';
import { RowsWriter } from '../../src/version/sealed/rows-writer.js';
import type { VersionWriter } from '../../src/version/sealed/version-writer.js';
import {
  copyRoot,
  DRAFT,
  failureOf,
  INDEX,
  makeRows,
  makeVersion,
  overwrite,
  snapshot,
  temporaryDirectory,
} from './versions.js';

const template = temporaryDirectory();
const manifest = await makeVersion(template, { shards: 3, rows: 40 });
const { version } = manifest;
const FILES = [0, 1, 2].flatMap((shard) =>
  ['attributes.arrow', 'ids', 'vectors'].map((part) => `shard-000${shard}.${part}`),
);

/** Where the rows of all shards are. */
async function placesOf(files: VersionFiles): Promise<RowPlaces> {
  const ordinals = await Promise.all(files.manifest.shards.map((_, shard) => readOrdinals(files, shard)));
  return RowPlaces.of(ordinals, (ordinal) => {
    throw new Error(`the ordinal ${ordinal} twice`);
  });
}

const pathIn = (root: string, name: string): string => join(versionPath(root, INDEX, version), name);

describe('a version', () => {
  it('gives back every row, in the shard of its id, in input order', async () => {
    const data = makeRows({ rows: 40 });
    const files = await openVersionFiles(template, INDEX, version);
    const ids = await readIds(files);
    const attributes = await readAttributes(files, { places: await placesOf(files) });
    const found: number[] = [];
    for (let shard = 0; shard < 3; shard++) {
      const { count, ordinals, vectors } = await readShard(files, shard);
      expect(vectors.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect([...ordinals]).toEqual([...ordinals].sort((x, y) => x - y));
      for (let row = 0; row < count; row++) {
        const ordinal = ordinals[row]!;
        expect(shardOf(ids.hash(ordinal), 3)).toBe(shard);
        expect([...vectors.subarray(row * 4, row * 4 + 4)]).toEqual([
          ...data.vectors.subarray(ordinal * 4, ordinal * 4 + 4),
        ]);
        expect(ids.text(ordinal)).toBe(String(1000 + ordinal));
        expect(attributes!.value('title', ordinal)).toBe(data.titles[ordinal]);
        expect(attributes!.value('price', ordinal)).toBe(data.prices[ordinal]);
        found.push(ordinal);
      }
    }
    expect(found.sort((x, y) => x - y)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  it('is sound', async () => {
    const progress: number[] = [];
    const onProgress = (done: number, total: number): number => progress.push(done / total);
    expect(await findVersionProblems(template, INDEX, version, { onProgress })).toEqual([]);
    expect(progress.at(-1)).toBe(1);
  });

  it('says in its manifest what is in it', () => {
    expect(manifest).toMatchObject({ format: 2, index: INDEX, dim: 4, count: 40, ...DRAFT, stages: { read: 0.5 } });
    expect(manifest.files.map((file) => file.name)).toEqual(FILES);
    for (const { name, bytes, sha256 } of manifest.files) {
      const content = readFileSync(pathIn(template, name));
      expect([bytes, sha256]).toEqual([content.length, createHash('sha256').update(content).digest('hex')]);
    }
    expect(manifest.attributes).toEqual([
      { name: 'title', type: 'utf8', label: 'string', nullable: true },
      { name: 'price', type: 'float32', label: 'float', nullable: false },
    ]);
  });

  it('has files that nobody may write to, and a directory that can be deleted', () => {
    for (const name of [...FILES, 'MANIFEST.json']) expect(statSync(pathIn(template, name)).mode & 0o222).toBe(0);
    expect(statSync(versionPath(template, INDEX, version)).mode & 0o200).toBe(0o200);
  });

  it('of equal rows is equal in every byte but the manifest, however its build was timed', async () => {
    const [one, two] = [temporaryDirectory(), temporaryDirectory()];
    const first = await makeVersion(one, { now: () => new Date('2026-01-01T00:00:00Z') });
    const second = await makeVersion(two, { now: () => new Date('2027-01-01T00:00:00Z') });
    const [left, right] = [
      snapshot(versionPath(one, INDEX, first.version)),
      snapshot(versionPath(two, INDEX, second.version)),
    ];
    expect({ ...left, 'MANIFEST.json': '' }).toEqual({ ...right, 'MANIFEST.json': '' });
    const varying = { version: '', created_at: '', stages: {} };
    expect({ ...first, ...varying }).toEqual({ ...second, ...varying });
    expect(first.content).toBe(second.content);
  });

  it('may have no attributes, and shards without a row', async () => {
    const root = temporaryDirectory();
    const small = await makeVersion(root, { rows: 2, shards: 8, attributes: false });
    const files = await openVersionFiles(root, INDEX, small.version);
    expect(await readAttributes(files)).toBeNull();
    expect(small.shards.filter((shard) => shard.count === 0).length).toBeGreaterThanOrEqual(6);
    expect(await findVersionProblems(root, INDEX, small.version)).toEqual([]);
  });

  it('holds the rows of any build, in any batches and shards', async () => {
    const spec = fc.record({
      rows: fc.integer({ min: 1, max: 60 }),
      dim: fc.integer({ min: 1, max: 9 }),
      shards: fc.integer({ min: 1, max: 5 }),
      batch: fc.integer({ min: 1, max: 20 }),
      attributes: fc.boolean(),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(spec, async (choice) => {
        const root = temporaryDirectory();
        const made = await makeVersion(root, choice);
        const files = await openVersionFiles(root, INDEX, made.version);
        const { vectors } = makeRows(choice);
        for (let shard = 0; shard < choice.shards; shard++) {
          const part = await readShard(files, shard);
          part.ordinals.forEach((ordinal, row) => {
            const stored = part.vectors.subarray(row * choice.dim, (row + 1) * choice.dim);
            expect([...stored]).toEqual([...vectors.subarray(ordinal * choice.dim, (ordinal + 1) * choice.dim)]);
          });
        }
        expect(await findVersionProblems(root, INDEX, made.version)).toEqual([]);
      }),
      { seed: 6, numRuns: 25 },
    );
  });

  it('tells what it will take in memory before it is loaded', () => {
    const estimate = estimateResidentBytes(manifest);
    expect(estimate.vectors).toBeGreaterThanOrEqual(40 * 4 * 4 + 40 * 4);
    expect(estimate.vectors + estimate.ids + estimate.attributes + estimate.graphs + estimate.places).toBe(
      estimate.total,
    );
    expect(estimate.places).toBe(4 * 40);
    expect(estimate.graphs).toBe(0);
  });
});

/** A file of the version changed, and what must be said of it. */
async function expectRefused(root: string, name: string, code: string): Promise<void> {
  const wanted = { code, file: pathIn(root, name) };
  expect(await failureOf(openVersionFiles(root, INDEX, version)), name).toMatchObject(wanted);
  const problems = await findVersionProblems(root, INDEX, version);
  expect(
    problems.map((problem) => ({ code: problem.code, file: problem.details['file'] })),
    name,
  ).toEqual([wanted]);
}

describe('a version is refused, with the name of the file,', () => {
  it('with one byte flipped, at either end or anywhere in a file', async () => {
    for (const name of [...FILES, 'MANIFEST.json']) {
      const bytes = readFileSync(pathIn(template, name));
      const places = [
        0,
        1,
        bytes.length - 1,
        ...Array.from({ length: 8 }, (_, i) => Math.floor((bytes.length * (i + 0.5)) / 8)),
      ];
      const root = copyRoot(template);
      for (const at of places) {
        const flipped = Buffer.from(bytes);
        flipped[at]! ^= 0x10;
        overwrite(pathIn(root, name), flipped);
        await expectRefused(root, name, name === 'MANIFEST.json' ? 'manifest_corrupt' : 'file_corrupt');
      }
    }
  });

  it.each(FILES)('with %s missing, shorter, longer, empty, or no regular file', async (name) => {
    const bytes = readFileSync(pathIn(template, name));
    const root = copyRoot(template);
    rmSync(pathIn(root, name));
    await expectRefused(root, name, 'file_missing');
    for (const other of [bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.alloc(1)]), Buffer.alloc(0)]) {
      overwrite(pathIn(root, name), other);
      await expectRefused(root, name, 'file_corrupt');
    }
    rmSync(pathIn(root, name));
    symlinkSync(pathIn(template, name), pathIn(root, name));
    await expectRefused(root, name, 'file_corrupt');
  });

  it('with a file added, hidden or not', async () => {
    for (const name of ['extra.bin', '.hidden', 'shard-0003.vectors']) {
      const root = copyRoot(template);
      writeFileSync(pathIn(root, name), 'x');
      await expectRefused(root, name, 'file_unexpected');
    }
  });

  it('with two files swapped', async () => {
    const root = copyRoot(template);
    renameSync(pathIn(root, 'shard-0000.vectors'), pathIn(root, 'x'));
    renameSync(pathIn(root, 'shard-0001.vectors'), pathIn(root, 'shard-0000.vectors'));
    renameSync(pathIn(root, 'x'), pathIn(root, 'shard-0001.vectors'));
    const problems = await findVersionProblems(root, INDEX, version);
    expect(problems.map((problem) => problem.details['file'])).toEqual(
      ['shard-0000.vectors', 'shard-0001.vectors'].map((name) => pathIn(root, name)),
    );
  });

  it('with no manifest, which makes it no version, by the name of the file that is missing', async () => {
    const root = copyRoot(template);
    rmSync(pathIn(root, 'MANIFEST.json'));
    await expectRefused(root, 'MANIFEST.json', 'file_missing');
    expect((await listVersions(root, INDEX).catch(() => [])).map((entry) => entry.version)).not.toContain(version);
  });

  it('with all problems at once, in verify', async () => {
    const root = copyRoot(template);
    rmSync(pathIn(root, 'shard-0000.ids'));
    overwrite(pathIn(root, 'shard-0000.attributes.arrow'), 'x');
    writeFileSync(pathIn(root, 'extra'), 'x');
    const problems = await findVersionProblems(root, INDEX, version);
    expect(problems.map((problem) => problem.code)).toEqual(['file_corrupt', 'file_missing', 'file_unexpected']);
  });
});

describe('a version with right digests over wrong contents', () => {
  it.each<[string, string, (root: string) => void]>([
    ["shards that have each other's rows", 'shard-0000.ids', (root) => swapShards(root)],
    [
      'attributes of other rows',
      'shard-0000.attributes.arrow',
      (root) => takeFrom(root, { rows: 30 }, 'shard-0000.attributes.arrow'),
    ],
    ['ids of fewer rows', 'shard-0000.ids', (root) => takeFrom(root, { rows: 10 }, 'shard-0000.ids')],
    [
      'a shard of another dimension',
      'shard-0001.vectors',
      (root) => takeFrom(root, { rows: 40, dim: 3 }, 'shard-0001.vectors'),
    ],
    [
      'ids where a shard should be',
      'shard-0002.vectors',
      (root) => overwrite(pathIn(root, 'shard-0002.vectors'), readFileSync(pathIn(root, 'shard-0000.ids'))),
    ],
    [
      'attributes that are no Arrow file',
      'shard-0000.attributes.arrow',
      (root) => overwrite(pathIn(root, 'shard-0000.attributes.arrow'), 'not Arrow at all'),
    ],
  ])('is found out: %s', async (_, name, damage) => {
    const root = copyRoot(template);
    damage(root);
    const resealed = reseal(root);
    const problems = await findVersionProblems(root, INDEX, resealed);
    expect(problems.length).toBeGreaterThan(0);
    for (const problem of problems) expect(problem.code).toBe('file_corrupt');
    expect(problems.map((problem) => problem.details['file'])).toContain(
      join(versionPath(root, INDEX, resealed), name),
    );
  });
});

const others = new Map<string, string>();
for (const spec of [{ rows: 30 }, { rows: 10 }, { rows: 40, dim: 3 }]) {
  const root = temporaryDirectory();
  others.set(JSON.stringify(spec), versionPath(root, INDEX, (await makeVersion(root, { shards: 3, ...spec })).version));
}

function takeFrom(root: string, spec: object, name: string): void {
  overwrite(pathIn(root, name), readFileSync(join(others.get(JSON.stringify(spec))!, name)));
}

/** The counts of the manifest follow, so that only the ids tell. */
function swapShards(root: string): void {
  for (const part of ['vectors', 'ids', 'attributes.arrow']) {
    const [first, second] = [0, 1].map((shard) => readFileSync(pathIn(root, `shard-000${shard}.${part}`)));
    overwrite(pathIn(root, `shard-0000.${part}`), second!);
    overwrite(pathIn(root, `shard-0001.${part}`), first!);
  }
  const path = pathIn(root, 'MANIFEST.json');
  const document = JSON.parse(readFileSync(path, 'utf8')) as { shards: { count: number }[] };
  const [one, two] = document.shards.map((shard) => shard.count);
  document.shards[0]!.count = two!;
  document.shards[1]!.count = one!;
  overwrite(path, sealJson(document));
}

/** Makes sizes, digests and name right for what the files now hold. */
function reseal(root: string): string {
  const path = pathIn(root, 'MANIFEST.json');
  const document = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  const files = document.files.map(({ name }) => {
    const content = readFileSync(pathIn(root, name));
    return { name, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  });
  const content = contentDigest(files);
  const name = `${version.slice(0, -8)}${content.slice(0, 8)}`;
  overwrite(path, sealJson({ ...document, files, content: `sha256:${content}`, version: name }));
  renameSync(versionPath(root, INDEX, version), versionPath(root, INDEX, name));
  return name;
}

describe('a writer', () => {
  const held = { assertHeld: () => Promise.resolve() };

  it('names the file that an engine did not write, or that nobody was to write', async () => {
    const root = temporaryDirectory();
    const writer = await writeOneRow(root, held);
    rmSync(join(writer.directory, 'shard-0000.ids'));
    expect((await failureOf(writer.seal(DRAFT))).code).toBe('file_missing');
    writeFileSync(join(writer.directory, 'shard-0000.ids'), 'x');
    writeFileSync(join(writer.directory, 'extra'), 'x');
    expect(await failureOf(writer.seal(DRAFT))).toMatchObject({
      code: 'file_unexpected',
      file: join(writer.directory, 'extra'),
    });
    rmSync(join(writer.directory, 'extra'));
    const graph = writer.graphPath(0, 'hnsw');
    expect(await failureOf(writer.seal(DRAFT))).toMatchObject({ code: 'file_missing', file: graph });
    writeFileSync(graph, 'x');
    expect(await failureOf(writer.seal(DRAFT))).toMatchObject({
      code: 'file_corrupt',
      file: join(writer.directory, 'shard-0000.ids'),
    });
    await writer.abort();
    expect(Object.keys(snapshot(root))).toEqual([]);
  });

  it('finds out when what it wrote is not what is read back', async () => {
    const root = temporaryDirectory();
    const attributes = [
      { name: 'n', type: { kind: 'int', bits: 8, signed: true }, nullable: false, label: 'int8' },
    ] as const;
    const column = {
      shape: 'numbers',
      type: attributes[0].type,
      rows: 1,
      valid: null,
      values: Int8Array.of(1),
    } as const;
    const writer = await writeOneRow(root, held, attributes, [column]);
    const path = join(writer.directory, 'shard-0000.attributes.arrow');
    const bytes = readFileSync(path);
    bytes[100]! ^= 1;
    writeFileSync(path, bytes);
    expect(await failureOf(writer.seal(DRAFT))).toMatchObject({ code: 'file_corrupt', file: path });
    await writer.abort();
  });

  it('gives no name to a version under a lock that it has lost', async () => {
    const root = temporaryDirectory();
    const lost = { assertHeld: () => Promise.reject(new Error('lost')) };
    const writer = await writeOneRow(root, lost);
    await expect(writer.seal(DRAFT)).rejects.toThrow('lost');
    await writer.abort();
    expect(snapshot(root)).toEqual({});
  });

  it('puts what an engine wrote beside its shard, and what it found out into the manifest', async () => {
    const root = temporaryDirectory();
    const writer = await writeOneRow(root, held);
    writeFileSync(writer.graphPath(0, 'hnsw'), 'a graph');
    const figures = { code_recall: 0.5 };
    await writer.finishGraph(0, figures);
    const sealed = await writer.seal(DRAFT);
    expect(sealed.shards).toEqual([
      { files: ['shard-0000.vectors', 'shard-0000.ids', 'shard-0000.hnsw'], count: 1, figures },
    ]);
    const files = await openVersionFiles(root, INDEX, sealed.version);
    expect(graphPaths(files, 0)).toEqual([join(versionPath(root, INDEX, sealed.version), 'shard-0000.hnsw')]);
    expect(estimateResidentBytes(sealed).graphs).toBe('a graph'.length);
  });

  it('clears away what earlier builds have left', async () => {
    const root = temporaryDirectory();
    const abandoned = await writeOneRow(root, held);
    const writer = await writeOneRow(root, held);
    expect(existsSync(abandoned.directory)).toBe(false);
    await writer.seal(DRAFT);
    expect(readdirSync(join(root, INDEX))).toHaveLength(1);
  });
});

/** A version that only needs to be sealed. */
async function writeOneRow(
  root: string,
  lock: Lock,
  attributes: readonly ArrowField[] = [],
  columns: readonly Column[] = [],
): Promise<VersionWriter> {
  const rows = await RowsWriter.create({ root, index: INDEX, shards: 1, attributes, lock });
  const builder = new IdTableBuilder({ kind: 'int', bits: 64, signed: true });
  builder.addInteger(7, 0);
  const hashes = Uint32Array.of(builder.lastHash);
  await rows.append({ rows: 1, firstOrdinal: 0, dim: 1, vectors: Float32Array.of(1), hashes, attributes: columns });
  return rows.finish(builder.finish());
}
