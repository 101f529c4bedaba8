import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { availableCores } from '../../src/base/machine.js';
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
