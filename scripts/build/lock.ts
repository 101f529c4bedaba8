/** One process at a time, by a file that holds its number. The file of a process that was killed stands in nobody's way. */
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const ASK_AGAIN_MS = 50;

/** Longer than a build from nothing takes on a busy machine: whoever has the lock for so long has been killed. */
const LONGEST_HOLD_MS = 300_000;

/** Waits until no other process has the lock: LONGEST_HOLD_MS at most. */
export async function whileLocked<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  while (!take(path)) await sleep(ASK_AGAIN_MS);
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function take(path: string): boolean {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    if (attempt(() => linkSync(own, path), 'EEXIST')) return true; // the file has its number from the beginning
    if (!isLeft(path) || !attempt(() => renameSync(path, own), 'ENOENT')) return false;
    if (!isLeft(own)) attempt(() => linkSync(own, path), 'EEXIST'); // another process has taken it meanwhile: give it back
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Whether the process that wrote the lock is no longer there to delete it. */
function isLeft(path: string): boolean {
  try {
    return Date.now() - statSync(path).mtimeMs > LONGEST_HOLD_MS || !isAlive(Number(readFileSync(path, 'utf8')));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errnoOf(error) !== 'ESRCH'; // another user's
  }
}

/** @returns false where it failed with this code */
function attempt(action: () => unknown, expected: string): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (errnoOf(error) === expected) return false;
    throw error;
  }
}

function errnoOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
