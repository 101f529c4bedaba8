/** Lets one process at a time work, by a file with its process number. The file of a killed process blocks nobody. */
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;

/** Longer than a build from nothing takes on a busy machine: the holder of an older lock was killed. */
const MAX_LOCK_MS = 300_000;

/** Waits until no other process has the lock, at most MAX_LOCK_MS. */
export async function whileLocked<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  while (!tryLock(path)) await sleep(POLL_MS);
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function tryLock(path: string): boolean {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    if (attempt(() => linkSync(own, path), 'EEXIST')) return true; // the file has its number from the beginning
    if (!isStale(path) || !attempt(() => renameSync(path, own), 'ENOENT')) return false;
    if (!isStale(own)) attempt(() => linkSync(own, path), 'EEXIST'); // another process took it meanwhile: give it back
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Whether the process that wrote the lock can no longer delete it. */
function isStale(path: string): boolean {
  try {
    return Date.now() - statSync(path).mtimeMs > MAX_LOCK_MS || !isAlive(Number(readFileSync(path, 'utf8')));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errnoOf(error) !== 'ESRCH'; // it may belong to another user
  }
}

/** @returns false if the action failed with this code */
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
