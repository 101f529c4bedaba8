/** Builds that are interrupted or killed, and the next build of the same input. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { ShortlistError } from '../../src/base/errors.js';
import { buildIndex } from '../../src/builder/build-index.js';
import type { BuildOptions } from '../../src/builder/build-options.js';
import { readCalibration } from '../../src/retrieve/load/calibration.js';
import type { Checkpoint } from '../../src/version/sealed/checkpoint.js';
import { buildOptions, makeVectors, temporaryFolder, writeCatalog } from '../indexes.js';
import { spawnShortlist, shortlistJson } from '../cli/process.js';

const [ROWS, DIM, SHARDS] = [3_000, 32, 4];
const root = temporaryFolder();
const input = join(root, '.items.arrow');
const vectors = makeVectors(ROWS, DIM, 1);
vectors.fill(0, 5 * DIM, 6 * DIM); // one bad row
let unbroken = '';

/** `threads` is 1, so that graphs are finished one after the other. */
const optionsOf = (index: string, more: Partial<BuildOptions> = {}): BuildOptions =>
  buildOptions(root, index, [input], { shards: SHARDS, onBadRow: 'skip', maxRejected: 0.1, ...more });

const stagingOf = (index: string): string => join(root, index, '.staging');

function checkpointOf(index: string): Checkpoint | null {
  try {
    return JSON.parse(readFileSync(join(stagingOf(index), 'CHECKPOINT.json'), 'utf8')) as Checkpoint;
  } catch {
    return null;
  }
}

const graphsIn = (checkpoint: Checkpoint | null): number =>
  checkpoint?.graphs.filter((graph) => graph !== null).length ?? -1;

/** Builds until so many graphs are finished, and then interrupts it. @returns its error */
async function interruptAfter(
  index: string,
  graphs: number,
  more: Partial<BuildOptions> = {},
): Promise<ShortlistError> {
  const abort = new AbortController();
  const reason = new ShortlistError('interrupted', 'shortlist build was interrupted by SIGINT');
  const watch = setInterval(() => graphsIn(checkpointOf(index)) >= graphs && abort.abort(reason), 1);
  const error: unknown = await buildIndex(optionsOf(index, { ...more, signal: abort.signal })).catch(
    (error: unknown) => error,
  );
  clearInterval(watch);
  return error as ShortlistError;
}

beforeAll(async () => {
  writeCatalog(input, { vectors, dim: DIM });
  unbroken = (await buildIndex(optionsOf('unbroken'))).manifest.content;
}); // prettier-ignore

describe('a build that is interrupted', () => {
  it('keeps what is finished, says so, and the next one continues it to the same bytes', async () => {
    const error = await interruptAfter('interrupted', 2);
    expect(error).toMatchObject({ code: 'interrupted' });
    expect(error.message).toMatch(/^shortlist build was interrupted by SIGINT; the rows and \d of 4 graphs are kept/);
    const notes: string[] = [];
    const { manifest, resumed, rejectsPath } = await buildIndex(optionsOf('interrupted', { onNote: (note) => notes.push(note) })); // prettier-ignore
    expect(resumed).toBe(true);
    expect(manifest.content).toBe(unbroken);
    expect(manifest.rejects).toEqual({ total: 1, kinds: { zero_vector: 1 } });
    expect(readFileSync(rejectsPath!, 'utf8')).toContain('zero_vector');
    expect(notes.join()).toMatch(
      /continuing an unfinished build of less than a minute ago: the rows and [23] of 4 graphs/,
    );
    expect(existsSync(stagingOf('interrupted'))).toBe(false);
    expect((await buildIndex(optionsOf('interrupted'))).resumed).toBe(false);
  });

  it('starts over if the input was written to', async () => {
    await interruptAfter('touched', 1);
    const now = new Date();
    utimesSync(input, now, now);
    const notes: string[] = [];
    const { manifest, resumed } = await buildIndex(optionsOf('touched', { onNote: (note) => notes.push(note) }));
    expect({ resumed, content: manifest.content }).toEqual({ resumed: false, content: unbroken });
    expect(notes).toEqual([expect.stringContaining('had other input or options; starting over')]);
  });

  it('starts over if the ids that come from another file were written to', async () => {
    const [array, ids] = [join(root, '.vectors.fbin'), join(root, '.ids.txt')];
    const head = Buffer.from(Uint32Array.of(ROWS, DIM).buffer);
    writeFileSync(array, Buffer.concat([head, Buffer.from(vectors.buffer, vectors.byteOffset, vectors.byteLength)]));
    const write = (prefix: string): void =>
      writeFileSync(ids, Array.from({ length: ROWS }, (_, row) => `${prefix}${row}\n`).join(''));
    write('a');
    const options = { inputs: [array], ids: [ids] };
    await interruptAfter('other-ids', 1, options);
    write('b');
    const { manifest, resumed } = await buildIndex(optionsOf('other-ids', options));
    expect(resumed).toBe(false);
    expect(manifest.content).toBe((await buildIndex(optionsOf('other-ids-unbroken', options))).manifest.content);
  });

  it('starts over with other options, or when it is told to', async () => {
    await interruptAfter('optional', 1);
    expect((await buildIndex(optionsOf('optional', { resume: false }))).resumed).toBe(false);
    await interruptAfter('optional', 1);
    const parameters = { m: 9, efConstruction: 60, seed: 42 };
    const { manifest, resumed } = await buildIndex(optionsOf('optional', { parameters }));
    expect(resumed).toBe(false);
    expect(manifest.content).not.toBe(unbroken);
  });

  it.each([
    ['a graph that was cut', /\.graph$/, true],
    ['rows that were cut', /0001\.vectors$/, false],
    ['ids that were cut', /0000\.ids$/, false],
    ['attributes that were cut', /0001\.attributes\.arrow$/, false],
  ])('does not trust %s', async (what, pattern, resumes) => {
    const index = what.replaceAll(' ', '-');
    await interruptAfter(index, 2);
    const directory = join(stagingOf(index), checkpointOf(index)!.directory);
    const name = readdirSync(directory).find((name) => pattern.test(name))!;
    truncateSync(join(directory, name), 4096);
    const { manifest, resumed } = await buildIndex(optionsOf(index));
    expect({ resumed, content: manifest.content }).toEqual({ resumed: resumes, content: unbroken });
  });

  it.each([
    ['shard-0001.vectors', 'a folder in place of rows'],
    ['shard-0000.ids', 'a folder in place of ids'],
  ])('starts over where %s is %s', async (name, what) => {
    const index = what.replaceAll(' ', '-');
    await interruptAfter(index, 1);
    const directory = join(stagingOf(index), checkpointOf(index)!.directory);
    rmSync(join(directory, name));
    mkdirSync(join(directory, name));
    const { manifest, resumed } = await buildIndex(optionsOf(index));
    expect({ resumed, content: manifest.content }).toEqual({ resumed: false, content: unbroken });
  });

  it('does not take the ids of another build, however whole they are', async () => {
    const other = join(root, '.other.arrow');
    const prices = makeVectors(ROWS, DIM, 2);
    writeCatalog(other, { vectors: prices, dim: DIM, textIds: true });
    await interruptAfter('mine', 1);
    await interruptAfter('other', 1, { inputs: [other] });
    const idsOf = (index: string): string => join(stagingOf(index), checkpointOf(index)!.directory, 'shard-0000.ids');
    copyFileSync(idsOf('other'), idsOf('mine'));
    const { manifest, resumed } = await buildIndex(optionsOf('mine'));
    expect({ resumed, content: manifest.content }).toEqual({ resumed: false, content: unbroken });
  });

  it('starts over if the list of rejected rows was written to', async () => {
    await interruptAfter('rejects', 1);
    const path = join(stagingOf('rejects'), 'rejects.jsonl');
    writeFileSync(path, readFileSync(path, 'utf8').replace('zero_vector', 'zerO_vector'));
    const { manifest, resumed, rejectsPath } = await buildIndex(optionsOf('rejects'));
    expect({ resumed, content: manifest.content }).toEqual({ resumed: false, content: unbroken });
    expect(readFileSync(rejectsPath!, 'utf8')).toContain('zero_vector');
  });

  it('copies the list of rejected rows to the path that was named, and leaves nothing beside it', async () => {
    const folder = temporaryFolder();
    const rejectsPath = join(folder, 'rejects.jsonl');
    await interruptAfter('named', 1, { rejectsPath });
    expect(readdirSync(folder)).toEqual([]);
    expect((await buildIndex(optionsOf('named', { rejectsPath }))).resumed).toBe(true);
    expect(readdirSync(folder)).toEqual(['rejects.jsonl']);
    expect(readFileSync(rejectsPath, 'utf8')).toContain('zero_vector');
  });

  it('removes what it did not finish, and ignores a checkpoint that is damaged', async () => {
    await interruptAfter('odd', 1);
    const directory = join(stagingOf('odd'), checkpointOf('odd')!.directory);
    writeFileSync(join(directory, 'shard-0003.graph'), 'half a graph');
    expect((await buildIndex(optionsOf('odd'))).manifest.content).toBe(unbroken);
    await interruptAfter('odd', 1);
    writeFileSync(join(stagingOf('odd'), 'CHECKPOINT.json'), '{"key": "00"}');
    const { manifest, resumed } = await buildIndex(optionsOf('odd'));
    expect({ resumed, content: manifest.content }).toEqual({ resumed: false, content: unbroken });
  });
});

describe('a build that is killed', () => {
  const args = (index: string): string[] => [
    'build', index, '--root', root, '--input', input, '--shards', String(SHARDS), '--threads', '1', '--m', '8',
    '--ef-construction', '60', '--on-bad-row', 'skip', '--max-rejected', '0.1',
  ]; // prettier-ignore

  /** Runs the command until the checkpoint is so far, and kills it then. */
  async function killWhen(index: string, isReached: (checkpoint: Checkpoint | null) => boolean): Promise<void> {
    const child = spawnShortlist(args(index));
    const ended = new Promise((resolve) => child.on('close', resolve));
    while (child.exitCode === null && !isReached(checkpointOf(index))) await sleep(1);
    child.kill('SIGKILL');
    await ended;
  }

  it.each([0, 1, 2, 3, 4])('after %d of 4 graphs is continued to the same bytes', async (graphs) => {
    const index = `killed-${graphs}`;
    await killWhen(index, (checkpoint) => graphsIn(checkpoint) >= graphs);
    const { code, json } = await shortlistJson(args(index));
    expect({ code, json }).toMatchObject({ code: 0, json: { resumed: true, content: unbroken, rejected: 1 } });
    expect(readFileSync(json['rejects_file'] as string, 'utf8')).toContain('zero_vector');
  });

  it('while it is calibrated is continued with the calibration of the same version', async () => {
    await killWhen('sealed', (checkpoint) => typeof checkpoint?.version === 'string');
    const { version } = checkpointOf('sealed')!;
    const { code, json } = await shortlistJson(args('sealed'));
    expect({ code, json }).toMatchObject({ code: 0, json: { resumed: true, version, calibrated: true } });
    expect(await readCalibration(root, 'sealed', version!)).not.toBeNull();
    expect(readFileSync(json['rejects_file'] as string, 'utf8')).toContain('zero_vector');
    expect(existsSync(stagingOf('sealed'))).toBe(false);
  });

  it('after which its version was damaged starts over', async () => {
    await killWhen('damaged', (checkpoint) => typeof checkpoint?.version === 'string');
    const { version } = checkpointOf('damaged')!;
    const path = join(root, 'damaged', version!, 'shard-0000.vectors');
    chmodSync(path, 0o644);
    writeFileSync(path, readFileSync(path).fill(0xff, 5_000, 9_000));
    const { code, json } = await shortlistJson([...args('damaged'), '--no-calibrate']);
    expect({ code, json }).toMatchObject({ code: 0, json: { resumed: false, content: unbroken } });
    expect(json['version']).not.toBe(version);
  });

  it('while the gate runs is continued by the gate', async () => {
    const publishing = ['--publish', '--no-calibrate'];
    const child = spawnShortlist([...args('gated'), ...publishing]);
    const ended = new Promise((resolve) => child.on('close', resolve));
    child.stderr!.on('data', (text: Buffer) => text.includes('verify') && child.kill('SIGKILL'));
    await ended;
    const { version } = checkpointOf('gated')!;
    const { code, json } = await shortlistJson([...args('gated'), ...publishing]);
    expect({ code, json }).toMatchObject({ code: 0, json: { resumed: true, version, published: true } });
    expect(existsSync(stagingOf('gated'))).toBe(false);
  });
});
