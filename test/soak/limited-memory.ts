/** A server that the system gives so much memory and no more, where tests may ask for that; and what a process took at most. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../indexes.js';

export interface MemoryLimit {
  /** Starts node within the limit: stands in for it as a program. */
  readonly node: string;
  /** Processes that the system has ended for want of memory; null where it does not say. */
  killed(): number | null;
  /** After the last process has ended. */
  remove(): void;
}

/** @returns null, or why where this system does not let a test set one, as a sentence */
export function limitMemory(bytes: number): MemoryLimit | { readonly reason: string } {
  const name = `shortlist-test-${process.pid}`;
  const folders = [
    { folder: `/sys/fs/cgroup/memory/${name}`, limit: 'memory.limit_in_bytes', events: 'memory.oom_control' },
    { folder: `/sys/fs/cgroup/${name}`, limit: 'memory.max', events: 'memory.events' },
  ];
  for (const { folder, limit, events } of folders) {
    try {
      mkdirSync(folder);
    } catch {
      continue;
    }
    try {
      writeFileSync(join(folder, limit), String(bytes));
      return {
        node: writeStarter(folder),
        killed: () => {
          const match = /oom_kill (\d+)/.exec(readFileSync(join(folder, events), 'utf8'));
          return match === null ? null : Number(match[1]);
        },
        remove: () => rmdirSync(folder),
      };
    } catch {
      rmdirSync(folder);
    }
  }
  return { reason: 'no cgroup of this system lets a test limit memory: it takes root and a memory controller' };
}

function writeStarter(folder: string): string {
  const path = join(temporaryFolder(), 'node');
  writeFileSync(path, `#!/bin/sh\necho $$ > ${folder}/cgroup.procs && exec '${process.execPath}' "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Whether the greatest memory of a process can be set back to what it has now. */
export const canMeasurePeaks = existsSync('/proc/self/clear_refs');

/** Bytes of memory that a process has now, and counts from here on. */
export function startPeak(pid: number): number {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  return readStatus(pid, 'VmRSS');
}

/** The most that it has had since then. */
export function readPeak(pid: number): number {
  return readStatus(pid, 'VmHWM');
}

function readStatus(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return 1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]);
}
