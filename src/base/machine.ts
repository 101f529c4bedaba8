/**
 * How much of the machine this process may use. Containers limit processors and memory by cgroups. libuv in Node 20
 * sees the memory limit but not the processor quota, which is read here.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

/** Processors that this process may use: those of its affinity mask, limited by the cgroup's quota; at least 1. */
export function availableCores(read: ReadText = readText): number {
  const quota = cgroupQuota(read);
  const cores = availableParallelism();
  return Math.max(1, quota === null ? cores : Math.min(cores, Math.floor(quota)));
}

/** Memory that this process may use in all, in bytes: the cgroup's limit, else the machine's memory. */
export function memoryLimitBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

/** Memory that this process can still get, in bytes. Page cache that the kernel can drop counts as free. */
export function availableMemoryBytes(): number {
  const available = process.availableMemory();
  // Within a cgroup's limit Node subtracts all that the group uses, page cache included. Elsewhere it asks the kernel.
  return memoryLimitBytes() < totalmem() ? Math.min(memoryLimitBytes(), available + droppableCacheBytes()) : available;
}

/** Bytes of inactive file pages in this process's cgroup: the kernel drops them when memory is needed. */
export function droppableCacheBytes(read: ReadText = readText): number {
  const stat = readCgroup2(read, 'memory.stat') ?? readCgroup1(read, 'memory', 'memory.stat') ?? '';
  return Number(/^total_inactive_file (\d+)$/m.exec(stat)?.[1] ?? /^inactive_file (\d+)$/m.exec(stat)?.[1] ?? 0);
}

/** Reads a small text file; null if there is none. A parameter, so that a test can describe another machine. */
type ReadText = (path: string) => string | null;

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** How many processors the cgroup's quota amounts to; null if there is no quota. */
function cgroupQuota(read: ReadText): number | null {
  const version2 = readCgroup2(read, 'cpu.max');
  if (version2 !== null) {
    const [quota, period] = version2.trim().split(' ');
    return quota === 'max' || quota === undefined ? null : Number(quota) / Number(period ?? 100_000);
  }
  const quota = Number(readCgroup1(read, 'cpu', 'cpu.cfs_quota_us') ?? -1);
  const period = Number(readCgroup1(read, 'cpu', 'cpu.cfs_period_us') ?? 100_000);
  return quota > 0 ? quota / period : null;
}

/** A file of this process's own group, else of the root, which a container sees as its own; null if there is none. */
function readCgroup2(read: ReadText, name: string): string | null {
  const own = /^0::(.*)$/m.exec(read('/proc/self/cgroup') ?? '')?.[1] ?? '/';
  return read(`/sys/fs/cgroup${own}/${name}`) ?? read(`/sys/fs/cgroup/${name}`);
}

function readCgroup1(read: ReadText, controller: string, name: string): string | null {
  const own = new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(.*)$`, 'm').exec(
    read('/proc/self/cgroup') ?? '',
  )?.[1];
  return read(`/sys/fs/cgroup/${controller}${own ?? '/'}/${name}`) ?? read(`/sys/fs/cgroup/${controller}/${name}`);
}
