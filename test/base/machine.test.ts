import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { availableCores, availableMemoryBytes, droppableCacheBytes, memoryLimitBytes } from '../../src/base/machine.js';
import { sampleDistinct } from '../../src/base/random.js';

const machine = (files: Record<string, string>) => (path: string) => files[path] ?? null;

describe('availableCores', () => {
  it('is what the machine has where no cgroup limits it', () => {
    expect(availableCores(machine({}))).toBe(availableParallelism());
    expect(availableCores(machine({ '/sys/fs/cgroup/cpu.max': 'max 100000\n' }))).toBe(availableParallelism());
  });
  it('heeds a quota of cgroup version 2, rounded down but never below 1', () => {
    expect(availableCores(machine({ '/sys/fs/cgroup/cpu.max': '150000 100000\n' }))).toBe(1);
    expect(availableCores(machine({ '/sys/fs/cgroup/cpu.max': '20000 100000\n' }))).toBe(1);
  });
  it('finds the quota of its own group below the root', () => {
    const files = { '/proc/self/cgroup': '0::/jobs/a\n', '/sys/fs/cgroup/jobs/a/cpu.max': '100000 100000\n' };
    expect(availableCores(machine(files))).toBe(1);
  });
  it('heeds a quota of cgroup version 1', () => {
    const files = {
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '100000\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    };
    expect(availableCores(machine(files))).toBe(1);
  });
});

describe('memory', () => {
  it('is at most the limit, and there is some', () => {
    expect(availableMemoryBytes()).toBeGreaterThan(0);
    expect(availableMemoryBytes()).toBeLessThanOrEqual(memoryLimitBytes());
  });
  it('counts page cache of a cgroup as free, of version 2 or 1, its own before the root', () => {
    expect(droppableCacheBytes(machine({}))).toBe(0);
    const stat = 'anon 1\nfile 900\ninactive_file 700\nactive_file 200\n';
    expect(droppableCacheBytes(machine({ '/sys/fs/cgroup/memory.stat': stat }))).toBe(700);
    const own = {
      '/proc/self/cgroup': '4:memory:/jobs/a\n0::/\n',
      '/sys/fs/cgroup/memory/memory.stat': 'inactive_file 1\n',
    };
    const nested = 'inactive_file 5\ntotal_inactive_file 6\n';
    expect(droppableCacheBytes(machine({ ...own, '/sys/fs/cgroup/memory/jobs/a/memory.stat': nested }))).toBe(6);
    expect(droppableCacheBytes(machine(own))).toBe(1);
  });
});

describe('sampleDistinct', () => {
  it('gives distinct ascending numbers below the population, the same for the same seed', () => {
    const sample = sampleDistinct(10_000, 500, 7);
    expect(sample).toHaveLength(500);
    expect(new Set(sample).size).toBe(500);
    expect(sample.every((value, i) => value < 10_000 && (i === 0 || value > sample[i - 1]!))).toBe(true);
    expect(sampleDistinct(10_000, 500, 7)).toEqual(sample);
    expect(sampleDistinct(10_000, 500, 8)).not.toEqual(sample);
  });
  it('gives everything when asked for more than there is', () => {
    expect(Array.from(sampleDistinct(3, 10, 1))).toEqual([0, 1, 2]);
  });
});
