/** Memory of a process as reported by Linux; zeros on other systems. */
import { readFileSync } from 'node:fs';

export interface Resident {
  /** Pages in memory, those of mapped files too. */
  readonly rssBytes: number;
  /** Of them, the pages that no file backs: no other process can share them. */
  readonly anonBytes: number;
}

export function residentMemory(): Resident {
  globalThis.gc?.();
  const field = fieldsOf('/proc/self/status');
  return { rssBytes: field('VmRSS'), anonBytes: field('RssAnon') };
}

export interface Shared {
  readonly rssBytes: number;
  /** Each page divided by the number of processes that have it: sums over processes are what they take together. */
  readonly pssBytes: number;
  /** Of it, what files back. */
  readonly pssFileBytes: number;
}

export function sharedMemory(pid: number): Shared {
  const field = fieldsOf(`/proc/${pid}/smaps_rollup`);
  return { rssBytes: field('Rss'), pssBytes: field('Pss'), pssFileBytes: field('Pss_File') };
}

/** `Name:   123 kB` in bytes. */
function fieldsOf(path: string): (name: string) => number {
  const text = process.platform === 'linux' ? readFileSync(path, 'utf8') : '';
  return (name) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
}
