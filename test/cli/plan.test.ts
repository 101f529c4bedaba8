/** `shortlist plan` as people read it: numbers that explain each other. */
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../indexes.js';
import { call } from './call.js';

const at = ['--root', temporaryFolder()];

async function plan(rows: string, memory: string): Promise<string> {
  return (await call(['plan', '--rows', rows, '--dim', '128', '--threads', '2', '--memory', memory, ...at])).stdout;
}

describe('the plan of a build', () => {
  it('larger than the memory, which fits since mapped files can be dropped, says so, and that no server fits', async () => {
    const text = await plan('100M', '64GiB');
    expect(text).toMatch(/^ {2}of it mapped +[\d.]+ GiB/m);
    expect(text).toMatch(
      /^the build fits into 64\.0 GiB of memory with \d+ shards, but not all files that it maps do/m,
    );
    expect(text).toMatch(/^a server needs [\d.]+ GiB, more than 64\.0 GiB/m);
  });

  it('that is small asks for more free memory than it will take, without calling it the least it takes', async () => {
    const text = await plan('10k', '8GiB');
    expect(text).toMatch(/^free at the start .* a cautious estimate$/m);
    expect(text).toMatch(/^the build fits into 8\.00 GiB of memory with 1 shard$/m);
    expect(text).not.toMatch(/of it mapped|at least|server needs/);
  });

  it('whose server fits once, but not twice, says what a swap needs', async () => {
    expect(await plan('10M', '12GiB')).toContain('a server fits into 12.0 GiB, but not with two versions');
  });
});
