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
    started: startOf(process.pid),
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
  if (stateOf(owner.pid) === 'Z') return 'gone';
  const started = startOf(owner.pid);
  return started !== null && owner.started !== null && started !== owner.started ? 'gone' : 'alive';
}

/** Field 22 of /proc/<pid>/stat. */
function startOf(pid: number): string | null {
  return statOf(pid)[19] ?? null;
}

/** Field 3 of /proc/<pid>/stat. */
function stateOf(pid: number): string | null {
  return statOf(pid)[0] ?? null;
}

/** The fields from the third on: after the last bracket, since the second is a name that may hold brackets. */
function statOf(pid: number): string[] {
  const stat = probe(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
}

function probe(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}
