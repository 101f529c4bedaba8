/** Signals at any moment of any command, to real processes: what is said, with which code, and what is left. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { verifyVersion } from '../../src/retrieve/load/verify.js';
import { listIndexes, listVersions, readCurrent, readHistory } from '../../src/version/state/catalog.js';
import { buildVersion, makeVectors, openGate, publishVersion, temporaryFolder, writeCatalog } from '../indexes.js';
import { randomMoments, timeOf } from './kill.js';
import { callJson } from './call.js';
import { spawnShortlist } from './process.js';

const root = temporaryFolder();
const out = temporaryFolder(); // an export into a root is refused
const input = join(root, '.items.arrow');
const few = join(root, '.few.arrow');
const DIM = 32;
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
const SEED = 83;

interface Ended {
  /** The exit code, or the signal that ended the process. */
  readonly end: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Sends the signal once `when` says so of stderr so far, or after that many milliseconds. */
async function interrupt(
  args: readonly string[],
  signal: NodeJS.Signals,
  when: number | ((stderr: string) => boolean),
): Promise<Ended> {
  const child = spawnShortlist([...args, '--json', '--root', root]);
  let [stdout, stderr, asked] = ['', '', false];
  const timer = typeof when === 'number' ? setTimeout(() => child.kill(signal), when) : undefined;
  child.stdout!.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr!.on('data', (text: Buffer) => {
    stderr += text.toString();
    if (!asked && typeof when === 'function' && when(stderr)) asked = child.kill(signal);
  });
  const end = await new Promise<Ended['end']>((resolve) => child.on('close', (code, by) => resolve(by ?? code)));
  clearTimeout(timer);
  return { end, stdout, stderr };
}

beforeAll(async () => {
  writeCatalog(input, { vectors: makeVectors(20_000, DIM, 1), dim: DIM });
  writeCatalog(few, { vectors: makeVectors(600, DIM, 2), dim: DIM });
  for (const seed of [1, 2]) await publishVersion(root, 'items', { rows: 1000, dim: DIM, seed });
  await buildVersion(root, 'items', { rows: 1000, dim: DIM, seed: 3 });
  openGate(root, 'items');
});

/** Staging of an index is only what a build can be continued from. Null: there is none. */
function isStagingKept(index: string): boolean | null {
  const staging = join(root, index, '.staging');
  return existsSync(staging) ? existsSync(join(staging, 'CHECKPOINT.json')) : null;
}

describe('a command that is interrupted', () => {
  /** Interrupts the command once its stderr has the text. @returns the error that it tells */
  async function stop(args: readonly string[], signal: NodeJS.Signals, text: string): Promise<Record<string, string>> {
    const { end, stdout, stderr } = await interrupt(args, signal, (told) => told.includes(text));
    expect(end).toBe(75);
    expect(stderr).toContain(`${signal}: stopping shortlist ${args[0]}`);
    expect(stderr).not.toMatch(/^\s+at /m);
    const { error } = JSON.parse(stdout) as { error: Record<string, string> };
    expect(error['code']).toBe('interrupted');
    return error;
  }

  it('while it builds a graph, says so, ends with 75 and leaves what the same command continues', async () => {
    const args = ['build', 'new', '--input', input];
    const { message } = await stop(args, 'SIGTERM', 'ingest: 100%');
    expect(message).toMatch(
      /interrupted by SIGTERM; the rows and 0 of 1 graph are kept, and the same command continues/,
    );
    expect(await listIndexes(root)).toEqual(['items']);
    expect((await callJson([...args, '--no-calibrate', '--root', root])).json).toMatchObject({ resumed: true });
    expect(existsSync(join(root, 'new', '.staging'))).toBe(false);
  });

  it('while the gate runs, publishes nothing and says how to publish what it has built', async () => {
    const quick = ['--m', '8', '--ef-construction', '40', '--no-calibrate'];
    const args = ['build', 'new', '--input', input, ...quick, '--publish'];
    const { version, message } = await stop(args, 'SIGINT', 'verify: 100%');
    expect(message).toContain(`shortlist publish new@${version}`);
    expect(await verifyVersion(root, 'new', version!)).toEqual([]);
    expect(existsSync(join(root, 'new', 'CURRENT'))).toBe(false);
  });

  it('while it measures a grid, ends with 75', async () => {
    const [built] = await listVersions(root, 'new');
    await stop(['evaluate', `new@${built!.version}`, '--ef', '100,200,400,800'], 'SIGTERM', 'truth: 100%');
  });

  it('ends with 75 where nobody reads what it says', async () => {
    const child = spawnShortlist(['build', 'unheard', '--input', input, '--root', root, '--json']);
    child.stdout!.destroy();
    child.stderr!.once('data', () => {
      child.stderr!.destroy();
      child.kill('SIGTERM');
    });
    expect(await new Promise((resolve) => child.on('close', (code, by) => resolve(by ?? code)))).toBe(75);
    expect(isStagingKept('unheard')).not.toBe(false);
  });
});

describe(`a signal at random moments (seed ${SEED})`, () => {
  let made = 0;
  const version = async (position: number): Promise<string> => (await listVersions(root, 'items'))[position]!.version;

  it.each<[string, () => Promise<string[]> | string[]]>([
    ['build', () => ['build', 'items', '--input', few]],
    ['evaluate', () => ['evaluate', 'items', '--sample', '100', '--ef', '20,200']],
    ['verify', () => ['verify', 'items']],
    ['export', () => ['export', 'items', '--out', join(out, `export-${readdirSync(out).length}`)]],
    ['batch', () => ['batch', 'items', '--queries', few, '--out', join(out, 'answers.arrow')]],
    ['query', () => ['query', 'items', '--queries', few, '-k', '10']],
    ['diff', async () => ['diff', 'items', await version(0), await version(1), '--sample', '100']],
    ['publish', async () => ['publish', `items@${await version(0)}`]],
    ['rollback', () => ['rollback', 'items']],
    ['alias', async () => ['alias', 'items', 'canary', await version(1)]],
    ['list', () => ['list', 'items']],
    ['history', () => ['history', 'items']],
    ['prune', () => ['prune', 'items', '--keep', '1']],
  ])('%s: is done, or says that it was interrupted, and leaves nothing', async (_, makeArgs) => {
    const lifeMs = await timeOf([...(await makeArgs()), '--root', root]);
    for (const moment of randomMoments(2, lifeMs, SEED + made)) {
      const args = await makeArgs();
      const signal = SIGNALS[made++ % SIGNALS.length]!;
      const { end, stdout, stderr } = await interrupt(args, signal, moment);
      const told = `${signal} after ${Math.round(moment)} ms: ${stderr}`;
      expect(stderr, told).not.toMatch(/^\s+at /m);
      // Before its first line of code is run, and after it has said its result, a process ends as the system has it.
      if (end === signal && stdout === '') expect(stderr, told).toBe('');
      else if (end === signal) expect((JSON.parse(stdout) as { error?: unknown }).error, told).toBeUndefined();
      else {
        const answer = JSON.parse(stdout) as { error?: { code: string } };
        if (end === 75) expect(answer.error?.code, told).toBe('interrupted');
        else expect([end, answer.error?.code], told).toEqual([0, undefined]);
      }
      expect(
        readdirSync(out).filter((name) => name.startsWith('.tmp')),
        told,
      ).toEqual([]);
      expect(isStagingKept('items'), told).not.toBe(false);
      const current = await readCurrent(root, 'items');
      expect((await readHistory(root, 'items')).at(-1)?.version, told).toBe(current?.version);
    }
  });

  it('serve: has stopped, or says that it was interrupted', async () => {
    const args = ['serve', '--port', '0', '--workers', '1', '--drain-delay-ms', '0'];
    for (const moment of randomMoments(4, 1000, SEED)) {
      const { end, stdout, stderr } = await interrupt(args, 'SIGTERM', moment);
      const told = `SIGTERM after ${Math.round(moment)} ms: ${stdout}${stderr}`;
      expect(stdout + stderr, told).not.toMatch(/^\s+at /m);
      if (end === 75) expect(stdout, told).toContain('"code":"interrupted"');
      else if (end === 'SIGTERM') expect(stdout + stderr, told).toBe('');
      else expect(end, told).toBe(0);
    }
  });

  it('has left an index that can be built, published and pruned', async () => {
    const { json } = await callJson(['build', 'items', '--input', few, '--publish', '--root', root]);
    expect(json).toMatchObject({ published: true });
    await callJson(['prune', 'items', '--keep', '1', '--root', root]);
    for (const left of await listVersions(root, 'items'))
      expect(await verifyVersion(root, 'items', left.version)).toEqual([]);
    const names = readdirSync(join(root, 'items'));
    expect(names.filter((name) => name.startsWith('.'))).toEqual([]);
  });
});
