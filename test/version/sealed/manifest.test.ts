import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { contentDigest } from '../../../src/version/sealed/content-digest.js';
import { FieldError, Fields } from '../../../src/version/disk/fields.js';
import { checkManifest } from '../../../src/version/sealed/manifest-check.js';
import { readManifest } from '../../../src/version/sealed/manifest-file.js';
import { versionPath } from '../../../src/version/disk/paths.js';
import { sealJson } from '../../../src/version/disk/sealed-json.js';
import { copyRoot, failureOf, INDEX, makeVersion, overwrite, temporaryDirectory } from '../versions.js';

const template = temporaryDirectory();
const manifest = await makeVersion(template);
const { version } = manifest;

type Loose = Record<string, unknown>;

function changed(change: (document: Loose) => void): Loose {
  const document = structuredClone(manifest) as unknown as Loose;
  change(document);
  return document;
}

/** The path of a member, as errors print it. */
const set = (path: string, value: unknown) => (document: Loose) => {
  const keys = path.split('.');
  const last = keys.pop()!;
  let at = document;
  for (const key of keys) at = at[key] as Loose;
  if (value === undefined) at[last] = undefined;
  else at[last] = value;
};

describe('a manifest', () => {
  it('is read as it was written, by those who know the names', async () => {
    expect(await readManifest(template, INDEX, version)).toEqual(manifest);
    expect((await failureOf(readManifest(template, INDEX, '20000101T000000Z-00000000'))).code).toBe(
      'version_not_found',
    );
    expect((await failureOf(readManifest(template, INDEX, '../listings'))).code).toBe('version_not_found');
  });

  it('has the contents that sha256sum would print', () => {
    expect(manifest.content).toBe(`sha256:${contentDigest(manifest.files)}`);
    expect(manifest.version.endsWith(contentDigest(manifest.files).slice(0, 8))).toBe(true);
  });

  it('may have members that a later release added', () => {
    expect(checkManifest(new Fields(changed(set('codes', { bits: 7 }))))).toEqual(manifest);
  });

  it('may say what the engine found out about each shard, or, as those of earlier builds, nothing', () => {
    const figures = { code_recall: 0.9975, equal_rows: 3 };
    expect(checkManifest(new Fields(changed(set('shards.1.figures', figures)))).shards[1]!.figures).toEqual(figures);
    const without = JSON.parse(JSON.stringify(changed(set('shards.0.figures', undefined)))) as unknown;
    expect(checkManifest(new Fields(without))).toEqual(manifest);
  });

  it.each<[string, unknown]>([
    ['index', 'Listings'], ['index', undefined], ['version', 'latest'], ['version', '20000101T000000Z-00000000'],
    ['created_at', 'yesterday'], ['created_at', '2026-01-01'], ['tool_version', 1], ['metric', 'euclid'],
    ['dim', 0], ['dim', 1.5], ['dim', '4'], ['dim', 16_385], ['count', 19], ['count', 0], ['count', -1], ['count', null],
    ['shards', []], ['shards', {}], ['shards.0.count', 21], ['shards.0.files', ['shard-0000.ids']], ['shards.1.files', []],
    ['shards.0.files.0', 7], ['id.type', 'float32'], ['id.column', null], ['vector.label', undefined],
    ['attributes.0.nullable', 'yes'], ['attributes', []], ['engine.name', '../x'], ['engine.parameters', []],
    ['engine.parameters.m', { deep: true }], ['seed', 0.5], ['options', null], ['sources.0.sha256', 'abc'],
    ['sources.0.rows', -1], ['files.0.name', '../shard-0000.ids'], ['files.0.name', 'MANIFEST.json'], ['files.0.sha256', ''],
    ['files.0.bytes', 2 ** 60], ['files', []], ['content', 'sha256:00'], ['content', `sha256:${'0'.repeat(64)}`],
    ['stages.read', '1'], ['shards.0.figures', []], ['shards.0.figures', { code_recall: '1' }], ['shards.0.figures', null],
    ['shards.0.figures', { 'Code recall': 1 }], ['shards.0.figures', { code_recall: Infinity }], ['rejects.total', 1], ['rejects.kinds', { null_id: -1 }], ['duplicates', -1],
  ])('is refused with %s %j', (path, value) => {
    let error: unknown;
    try {
      checkManifest(new Fields(changed(set(path, value))));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(FieldError);
  }); // prettier-ignore

  it.each<[string, unknown, string]>([
    ['dim', 0, 'dim is not a whole number from 1 to 16384'],
    ['shards.1.count', 'x', 'shards[1].count is not a whole number'],
    ['engine.parameters.m', {}, 'engine.parameters.m is not'],
    ['count', 19, 'count is not 20, the number of rows in the shards'],
  ])('with %s %j says which field is wrong', async (path, value, problem) => {
    const root = copyRoot(template);
    const file = join(versionPath(root, INDEX, version), 'MANIFEST.json');
    overwrite(file, sealJson(changed(set(path, value))));
    const failure = await failureOf(readManifest(root, INDEX, version));
    expect(failure).toMatchObject({ code: 'manifest_corrupt', file });
    expect(failure.message).toContain(problem);
  });

  it('of a later format is told from a damaged one', async () => {
    const root = copyRoot(template);
    const file = join(versionPath(root, INDEX, version), 'MANIFEST.json');
    overwrite(file, sealJson({ format: 3, everything: 'else' }));
    expect(await failureOf(readManifest(root, INDEX, version))).toMatchObject({ code: 'format_unsupported', file });
  });

  it('belongs to the index and the version where it lies', async () => {
    const root = copyRoot(template);
    const other = '20300101T000000Z-00000000';
    const text = sealJson(manifest);
    overwrite(join(versionPath(root, INDEX, other), 'MANIFEST.json'), text);
    overwrite(join(versionPath(root, 'other', version), 'MANIFEST.json'), text);
    expect((await failureOf(readManifest(root, INDEX, other))).message).toContain('version is not');
    expect((await failureOf(readManifest(root, 'other', version))).message).toContain('index is not');
  });
});
