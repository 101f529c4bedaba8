/** Processor time of processes with all their threads, to the nanosecond, from Linux's scheduler. */
import { readdirSync, readFileSync } from 'node:fs';

/** Seconds that the threads which run now have run, user and system together. @throws Error where there is no /proc */
export function cpuSeconds(pids: readonly number[]): number {
  const threads = pids.flatMap((pid) =>
    readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`),
  );
  return threads.reduce((sum, thread) => sum + nanosecondsOf(thread), 0) / 1e9;
}

/** The first of the three numbers of `schedstat`. */
function nanosecondsOf(thread: string): number {
  return Number(readFileSync(`${thread}/schedstat`, 'latin1').split(' ')[0]);
}
