import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ShortlistError } from '../../../src/base/errors.js';
import {
  listIndexes,
  listVersions,
  readAliases,
  readCurrent,
  readHistory,
  resolveVersion,
  surveyVersions,
} from '../../../src/version/state/catalog.js';
import { nodeFiles } from '../../../src/version/disk/files.js';
import { readManifest } from '../../../src/version/sealed/manifest-file.js';
import {
  notesDirectory,
  readBinaryNote,
  readNote,
  writeBinaryNote,
  writeNote,
} from '../../../src/version/state/notes.js';
import { indexPath, versionPath } from '../../../src/version/disk/paths.js';
import { publish, setAlias } from '../../../src/version/state/publish.js';
import { copyRoot, failureOf, INDEX, makeVersion, overwrite, temporaryDirectory } from '../versions.js';

const template = temporaryDirectory();
const names: string[] = [];
for (const seed of [1, 2]) {
  names.push((await makeVersion(template, { seed, rows: 2, shards: 1, attributes: false })).version);
}
const [a, b] = names as [string, string];

describe('the indexes of a root', () => {
  it('are the directories with a version, sorted; a root that does not exist has none', async () => {
    const root = copyRoot(template);
    mkdirSync(join(root, 'empty'));
    mkdirSync(join(root, 'building', '.staging', 'x'), { recursive: true });
    mkdirSync(join(root, 'Upper'));
    writeFileSync(join(root, 'README.md'), 'x');
    expect(await listIndexes(root)).toEqual([INDEX]);
    expect(await listIndexes(join(root, 'nothing'))).toEqual([]);
  });

  it('may be links to directories elsewhere', async () => {
    const [root, elsewhere] = [temporaryDirectory(), copyRoot(template)];
    symlinkSync(indexPath(elsewhere, INDEX), join(root, INDEX));
    expect(await listIndexes(root)).toEqual([INDEX]);
    expect(await listVersions(root, INDEX)).toHaveLength(2);
  });
});

describe('the versions of an index', () => {
  it('come oldest first, with their manifests', async () => {
    const found = await listVersions(template, INDEX);
    expect(found.map(({ version }) => version)).toEqual([a, b]);
    expect(found[0]!.manifest).toEqual(await readManifest(template, INDEX, a));
  });

  it('are not staging directories, directories without a manifest, or names that are none', async () => {
    const root = copyRoot(template);
    const index = indexPath(root, INDEX);
    mkdirSync(join(index, '.staging', 'x'), { recursive: true });
    mkdirSync(join(index, '20300101T000000Z-00000000'));
    mkdirSync(join(index, `${a}.old`));
    writeFileSync(join(index, '20300101T000001Z-00000000'), 'a file');
    const survey = await surveyVersions(root, INDEX);
    expect(survey.versions.map(({ version }) => version)).toEqual([a, b]);
    expect(survey.damaged).toEqual([]);
  });

  it('are told from damaged ones', async () => {
    const root = copyRoot(template);
    overwrite(join(versionPath(root, INDEX, a), 'MANIFEST.json'), '{}');
    const survey = await surveyVersions(root, INDEX);
    expect(survey.versions.map(({ version }) => version)).toEqual([b]);
    expect(survey.damaged.map(({ version, error }) => [version, error.code])).toEqual([[a, 'manifest_corrupt']]);
  });
});

describe('a reference', () => {
  it('is a version, an alias, or nothing for what is published', async () => {
    const root = copyRoot(template);
    expect((await failureOf(resolveVersion(root, INDEX))).message).toContain('no published version');
    await publish(root, INDEX, a);
    await setAlias(root, INDEX, 'canary', b);
    expect(await resolveVersion(root, INDEX)).toBe(a);
    expect(await resolveVersion(root, INDEX, b)).toBe(b);
    expect(await resolveVersion(root, INDEX, 'canary')).toBe(b);
  });

  it('to what is not there lists what is, with a guess', async () => {
    const root = copyRoot(template);
    await setAlias(root, INDEX, 'canary', b);
    const error = await resolveVersion(root, INDEX, 'canery').catch((thrown: unknown) => thrown as ShortlistError);
    expect(error).toBeInstanceOf(ShortlistError);
    const { code, message, details } = error as ShortlistError;
    expect(code).toBe('version_not_found');
    expect(message).toBe(`index 'listings' has no alias 'canery'; there are canary, ${b}, ${a}; did you mean canary?`);
    expect(details).toMatchObject({ index: INDEX, ref: 'canery', known: ['canary', b, a] });
    const wrong = await failureOf(resolveVersion(root, INDEX, '20200101T000000Z-00000000'));
    expect(wrong.message).toContain(`there are canary, ${b}`);
  });

  it('to an index that is not there lists those that are', async () => {
    const failure = await failureOf(resolveVersion(template, 'listigns'));
    expect(failure.code).toBe('index_not_found');
    expect(failure.message).toContain('it has listings; did you mean listings?');
    expect((await failureOf(resolveVersion(temporaryDirectory(), INDEX))).message).toContain('it has none');
  });

  it('of CURRENT or an alias to a version that was deleted by hand says so', async () => {
    const root = copyRoot(template);
    await publish(root, INDEX, a);
    await setAlias(root, INDEX, 'canary', a);
    rmSync(versionPath(root, INDEX, a), { recursive: true });
    expect((await failureOf(resolveVersion(root, INDEX))).message).toContain(`${a} is published and does not exist`);
    expect((await failureOf(resolveVersion(root, INDEX, 'canary'))).message).toContain(
      `names ${a}, which does not exist`,
    );
  });

  it.each(['..', '../listings', 'a/b', '', '.', 'CURRENT', 'x\0y'])('is never %j', async (name) => {
    expect((await failureOf(resolveVersion(template, name))).code).toBe('usage');
    expect((await failureOf(resolveVersion(template, INDEX, name))).code).toBe('usage');
    expect((await failureOf(readCurrent(template, name))).code).toBe('usage');
    expect((await failureOf(readHistory(template, name))).code).toBe('usage');
    expect((await failureOf(readAliases(template, name))).code).toBe('usage');
  });
});

describe('a note', () => {
  it('is kept beside the version, JSON or bytes', async () => {
    const root = copyRoot(template);
    expect(await readNote(root, INDEX, a, 'gate')).toBeNull();
    await writeNote(root, INDEX, a, 'gate', { pass: true, checks: [{ name: 'verify', value: 0 }] });
    await writeNote(root, INDEX, a, 'gate', { pass: false });
    expect(await readNote(root, INDEX, a, 'gate')).toEqual({ pass: false });
    expect(await readBinaryNote(root, INDEX, a, 'truth-1', 100)).toBeNull();
    await writeBinaryNote(root, INDEX, a, 'truth-1', Uint8Array.of(1, 2, 3));
    expect(await readBinaryNote(root, INDEX, a, 'truth-1', 100)).toEqual(Uint8Array.of(1, 2, 3));
    expect((await failureOf(readBinaryNote(root, INDEX, a, 'truth-1', 2))).code).toBe('file_corrupt');
    expect(await nodeFiles.list(notesDirectory(root, INDEX, a))).toMatchObject([
      { name: 'gate.json' },
      { name: 'truth-1.bin' },
    ]);
  });

  it('that is damaged names its file', async () => {
    const root = copyRoot(template);
    const path = join(notesDirectory(root, INDEX, a), 'gate.json');
    overwrite(path, '{"pass": true}');
    expect(await failureOf(readNote(root, INDEX, a, 'gate'))).toMatchObject({ code: 'state_corrupt', file: path });
  });

  it('is named plainly, of a version that is named as one', async () => {
    expect((await failureOf(readNote(template, INDEX, a, '../x'))).code).toBe('usage');
    expect((await failureOf(readNote(template, INDEX, '..', 'gate'))).code).toBe('usage');
  });
});
