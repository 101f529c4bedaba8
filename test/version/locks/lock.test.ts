import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ioError, ShortlistError } from '../../../src/base/errors.js';
import { ensureDirectory } from '../../../src/version/disk/durable.js';
import { nodeFiles, type FileSystem } from '../../../src/version/disk/files.js';
import { makeClaim, newClaim, type LockKind } from '../../../src/version/locks/lock-file.js';
import { withLock, type Lock, type LockOptions, type LockTiming } from '../../../src/version/locks/lock.js';
import { locksPath } from '../../../src/version/disk/paths.js';
import { currentProcess, livenessOf, type ProcessIdentity } from '../../../src/version/locks/process-identity.js';
import { FaultFileSystem } from '../../fault-file-system.js';
import { LockChild } from './lock-children.js';
import { deadProcess, failureOf, INDEX, temporaryDirectory } from '../versions.js';

const children: LockChild[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
});

async function startChild(): Promise<LockChild> {
  const child = await LockChild.start();
  children.push(child);
  return child;
}

const done = (): Promise<string> => Promise.resolve('done');

function take<T>(root: string, kind: LockKind, work: (lock: Lock) => Promise<T>, options?: LockOptions): Promise<T> {
  return withLock(root, INDEX, kind, 'shortlist test', work, options);
}

/** All files of the locks but what is kept for full disks. */
const claimsIn = (directory: string): string[] => readdirSync(directory).filter((name) => !name.startsWith('reserve.'));

/** A second stands for ten. */
const FAST: LockTiming = { heartbeatMs: 50, staleMs: 1000, confirmMs: 200, pollMs: 20 };

describe('a lock', () => {
  it('gives the result of the work, and is free afterwards, also when the work fails', async () => {
    const root = temporaryDirectory();
    expect(await take(root, 'build', done)).toBe('done');
    await expect(take(root, 'build', () => Promise.reject(new Error('no luck')))).rejects.toThrow('no luck');
    expect(await take(root, 'build', done)).toBe('done');
    expect(claimsIn(locksPath(root, INDEX))).toEqual(['build.3']);
  });

  it('is refused while another process holds it, in words that name the owner and what to do', async () => {
    const root = temporaryDirectory();
    const child = await startChild();
    expect(await child.take(root, 'build')).toEqual({ won: true });
    const error = await take(root, 'build', done).catch((thrown: unknown) => thrown as ShortlistError);
    expect(error).toBeInstanceOf(ShortlistError);
    const { code, exit, message, details } = error as ShortlistError;
    expect([code, exit]).toEqual(['index_busy', 75]);
    expect(message).toContain(`'shortlist test' (process ${child.process.pid!} on ${currentProcess().host}, since 2`);
    expect(message).toContain('try again');
    expect(details).toMatchObject({ index: INDEX, lock: 'build', owner: { pid: child.process.pid } });
    expect(await child.release()).toEqual({ released: true });
    expect(await take(root, 'build', done)).toBe('done');
  });

  it('holds one build and one publish at once', async () => {
    const root = temporaryDirectory();
    const result = take(root, 'build', () => take(root, 'publish', done));
    expect(await result).toBe('done');
  });

  it('is waited for when asked', async () => {
    const root = temporaryDirectory();
    const child = await startChild();
    await child.take(root, 'publish');
    const waiting = take(root, 'publish', done, { waitMs: 60_000 });
    await sleep(50);
    await child.release();
    expect(await waiting).toBe('done');
  });

  it('is not waited for after its signal', async () => {
    const root = temporaryDirectory();
    const child = await startChild();
    await child.take(root, 'publish');
    const waiting = take(root, 'publish', done, { waitMs: 60_000, signal: AbortSignal.timeout(50) });
    await expect(waiting).rejects.toThrow(/abort/i);
  });

  it('says that the root is read-only where it is', async () => {
    const path = join(temporaryDirectory(), INDEX);
    const cause = Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' });
    const files: FileSystem = { ...nodeFiles, makeDirectory: (at) => Promise.reject(ioError('make', at, cause)) };
    const failure = await failureOf(take(join(path, '..'), 'build', done, { files }));
    expect(failure).toMatchObject({ code: 'io_error', file: path });
    expect(failure.message).toContain('cannot be written (EROFS)');
  });
});

describe('the folder of an index that is not there', () => {
  const fail = (): Promise<never> => Promise.reject(new Error('no luck'));

  it('is gone again when the first work fails, and stays when it left something', async () => {
    const root = temporaryDirectory();
    await expect(take(root, 'build', fail)).rejects.toThrow('no luck');
    expect(readdirSync(root)).toEqual([]);
    const leave = (): Promise<never> => {
      writeFileSync(join(root, INDEX, 'kept'), '');
      return fail();
    };
    await expect(take(root, 'build', leave)).rejects.toThrow('no luck');
    expect(readdirSync(join(root, INDEX)).sort()).toEqual(['kept', 'locks']);
    await expect(take(root, 'build', fail)).rejects.toThrow('no luck');
    expect(readdirSync(join(root, INDEX)).sort()).toEqual(['kept', 'locks']);
  });

  it('is not taken from those who wait for the lock: each works alone, and the last one leaves nothing', async () => {
    const root = temporaryDirectory();
    let [working, most, works] = [0, 0, 0];
    const failSlowly = async (lock: Lock): Promise<never> => {
      most = Math.max(most, ++working);
      works++;
      await sleep(10);
      await lock.assertHeld();
      working--;
      return fail();
    };
    const waiting = { waitMs: 60_000, timing: FAST };
    const ends = await Promise.allSettled(Array.from({ length: 8 }, () => take(root, 'build', failSlowly, waiting)));
    const reasons = ends.map((end) => (end.status === 'rejected' ? (end.reason as Error).message : 'no error'));
    expect(reasons).toEqual(Array.from({ length: 8 }, () => 'no luck'));
    expect([most, works]).toEqual([1, 8]);
    expect(readdirSync(root)).toEqual([]);
  });
});

describe('the lock of a process that was killed', () => {
  it('is free at once', async () => {
    const root = temporaryDirectory();
    const child = await startChild();
    await child.take(root, 'build');
    await child.kill();
    expect(await take(root, 'build', done)).toBe('done');
  });

  it('is free at once when its number belongs to a younger process now', async () => {
    const root = temporaryDirectory();
    await plantClaim(root, 'build', deadProcess());
    expect(await take(root, 'build', done)).toBe('done');
  });

  it('is free without a heartbeat, where nobody can see whether the process lives', async () => {
    const root = temporaryDirectory();
    const child = await startChild();
    await child.take(root, 'build', { host: 'elsewhere', timing: FAST });
    await child.kill();
    expect((await failureOf(take(root, 'build', done, { timing: FAST }))).code).toBe('index_busy');
    expect(await take(root, 'build', done, { timing: FAST, waitMs: 60_000 })).toBe('done');
  });

  it('is free soon when the last heartbeat is long ago by the clock of the file system', async () => {
    const root = temporaryDirectory();
    await plantClaim(root, 'build', { ...currentProcess(), host: 'elsewhere' });
    const hourAgo = new Date(Date.now() - 3_600_000);
    utimesSync(join(locksPath(root, INDEX), 'build.1'), hourAgo, hourAgo);
    // Watching alone would take longer than this test may.
    const timing = { ...FAST, staleMs: 1_800_000 };
    expect(await take(root, 'build', done, { timing })).toBe('done');
  });

  it('is free without a heartbeat when its claim cannot be read', async () => {
    const root = temporaryDirectory();
    await ensureDirectory(locksPath(root, INDEX), nodeFiles);
    writeFileSync(join(locksPath(root, INDEX), 'build.7'), 'nonsense');
    expect((await failureOf(take(root, 'build', done, { timing: FAST }))).code).toBe('index_busy');
    expect(await take(root, 'build', done, { timing: FAST, waitMs: 60_000 })).toBe('done');
  });
});

describe('the lock of a process that lives', () => {
  it('is kept by its heartbeat, seen from another machine', async () => {
    const root = temporaryDirectory();
    const child = await startChild();
    await child.take(root, 'build', { host: 'elsewhere', timing: FAST });
    const waiting = take(root, 'build', done, { timing: FAST, waitMs: 3 * FAST.staleMs });
    expect((await failureOf(waiting)).code).toBe('index_busy');
    expect(await child.assertHeld()).toEqual({ held: true });
  });

  it('is lost when it was suspended for too long, and it is told so before it changes anything', async () => {
    const root = temporaryDirectory();
    const child = await startChild();
    await child.take(root, 'build', { timing: FAST });
    child.process.kill('SIGSTOP');
    const waiting = take(root, 'build', done, { timing: FAST, waitMs: 60_000 });
    expect(await waiting).toBe('done');
    child.process.kill('SIGCONT');
    expect(await child.assertHeld()).toEqual({ failed: 'index_busy' });
  });
});

describe('several processes at once', () => {
  it('contend for the lock of a dead one, and exactly one wins each time', async () => {
    const root = temporaryDirectory();
    const contenders = await Promise.all(Array.from({ length: 4 }, startChild));
    for (let round = 0; round < 25; round++) {
      await plantClaim(root, 'build', deadProcess());
      const answers = await Promise.all(contenders.map((child) => child.take(root, 'build')));
      const winners = contenders.filter((_, i) => answers[i]!['won'] === true);
      const losers = answers.filter((answer) => answer['failed'] === 'index_busy');
      expect([winners.length, losers.length], `round ${round}: ${JSON.stringify(answers)}`).toEqual([1, 3]);
      expect(await winners[0]!.assertHeld()).toEqual({ held: true });
      expect(await winners[0]!.release()).toEqual({ released: true });
    }
    expect(claimsIn(locksPath(root, INDEX))).toEqual(['build.50']);
  });

  it('take turns while some of them are killed, and none works beside another', async () => {
    const root = temporaryDirectory();
    for (let round = 0; round < 4; round++) {
      const contenders = await Promise.all(Array.from({ length: 3 }, startChild));
      const takes = contenders.map((child) => child.take(root, 'build', { waitMs: 60_000 }));
      for (let turn = 0; turn < contenders.length; turn++) {
        const winner = await Promise.race(takes.map((answer, i) => answer.then(() => i)));
        const others = await Promise.all(takes.filter((_, i) => i !== winner).map(isSettled));
        expect(others).toEqual([false, false]);
        expect(await contenders[winner]!.assertHeld()).toEqual({ held: true });
        // The claim of the killed one is passed over, that of the other is released.
        if (turn === 0) await contenders[winner]!.kill();
        else await contenders[winner]!.release();
        takes[winner] = new Promise(() => undefined);
      }
    }
  });

  it('lose to a higher claim when they come late with a number that was used and removed', async () => {
    const root = temporaryDirectory();
    for (let turn = 0; turn < 3; turn++) await take(root, 'build', done);
    const directory = locksPath(root, INDEX);
    expect(claimsIn(directory)).toEqual(['build.3']);
    const claim = newClaim(currentProcess(), 'shortlist test', new Date());
    expect(await makeClaim(directory, 'build', 2, claim, nodeFiles)).toBeNull();
    expect(claimsIn(directory)).toEqual(['build.3']);
  });
});

describe('a process', () => {
  it('lives while it runs, is gone when it ended, and is unknown on another machine or in another container', async () => {
    const self = currentProcess();
    const child = await startChild();
    const pid = child.process.pid!;
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!;
    expect(livenessOf(self, self)).toBe('alive');
    expect(livenessOf({ ...self, pid, started }, self)).toBe('alive');
    await child.kill();
    expect(livenessOf({ ...self, pid, started }, self)).toBe('gone');
    expect(livenessOf({ ...self, host: 'elsewhere' }, self)).toBe('unknown');
    expect(livenessOf({ ...self, bootId: 'another' }, self)).toBe('unknown');
    expect(livenessOf({ ...self, pidNamespace: 'pid:[1]' }, self)).toBe('unknown');
  });
});

/** Leaves the claim of a process that ended while it held the lock. */
async function plantClaim(root: string, kind: LockKind, owner: ProcessIdentity): Promise<void> {
  const files = new FaultFileSystem(null, 0, temporaryDirectory());
  const end = (): Promise<void> => {
    files.dead = true;
    return Promise.resolve();
  };
  await take(root, kind, end, { owner, files });
}

async function isSettled(work: Promise<unknown>): Promise<boolean> {
  return Promise.race([work.then(() => true), sleep(20, false)]);
}
