/**
 * Identifies a process, so that another one can tell whether it still lives: across containers that share a kernel, and
 * never by a process number alone, since numbers are reused.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { errnoOf } from '../../base/errors.js';

export interface ProcessIdentity {
  readonly host: string;
  /** Of the running kernel; null without /proc. */
  readonly bootId: string | null;
  /** Process numbers of different namespaces cannot be compared. */
  readonly pidNamespace: string | null;
  readonly pid: number;
  /** When the process started, in clock ticks since boot. */
  readonly started: string | null;
}

export function currentProcess(): ProcessIdentity {
  return {
    host: hostname(),
    bootId: probe(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: probe(() => readlinkSync('/proc/self/ns/pid')),
    pid: process.pid,
    started: readStat(process.pid).started,
  };
}

/** `alive` and `gone` are certain; `unknown` is a process of another machine or of a container we cannot look into. */
export function livenessOf(owner: ProcessIdentity, self: ProcessIdentity): 'alive' | 'gone' | 'unknown' {
  const visible = owner.host === self.host && owner.bootId === self.bootId && owner.pidNamespace === self.pidNamespace;
  if (!visible) return 'unknown';
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to another user.
    if (errnoOf(error) === 'ESRCH') return 'gone';
  }
  // A zombie keeps its number until its parent waits for it, which may never happen in a container without an init.
  const { state, started } = readStat(owner.pid);
  if (state === 'Z') return 'gone';
  return started !== null && owner.started !== null && started !== owner.started ? 'gone' : 'alive';
}

/** Fields 3 and 22 of /proc/<pid>/stat, counted from the last bracket, since field 2 is a name that may hold some. */
function readStat(pid: number): { state: string | null; started: string | null } {
  const stat = probe(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  return { state: fields[0] ?? null, started: fields[19] ?? null };
}

function probe(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}
