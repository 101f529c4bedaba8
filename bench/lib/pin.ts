/** Pins processes to cores, so that a driver does not take cores from what it measures. */
import { spawnSync } from 'node:child_process';

/** The workers on the first cores, one each, everything else on the last. @returns false where that cannot be done */
export function pin(pids: readonly number[], workers: number): boolean {
  const cores = spawnSync('nproc', { encoding: 'utf8' }).stdout.trim();
  if (Number(cores) <= workers) return false;
  const set = (pid: number, list: string) => spawnSync('taskset', ['-a', '-p', '-c', list, String(pid)]).status === 0;
  return pids.every((pid, i) => set(pid, String(i))) && set(process.pid, `${workers}-${Number(cores) - 1}`);
}
