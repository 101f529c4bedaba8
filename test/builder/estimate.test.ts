import { describe, expect, it } from 'vitest';
import type { BuildSize } from '../../src/builder/estimate.js';
import { requireMappable } from '../../src/builder/estimate.js';

const GIB = 2 ** 30;

function sizeOf(engine: BuildSize['engine'], ...shardRows: number[]): BuildSize {
  return { idType: { kind: 'utf8' }, dim: 256, shardRows, engine, m: 16, threads: 2 };
}

describe('vectors of a shard that Node cannot map as one buffer', () => {
  const rows = (4 * GIB) / (4 * 256);

  it('are refused before the build, with how many shards would do', () => {
    expect(() => requireMappable(sizeOf('native', rows, 10), 4 * GIB)).not.toThrow();
    expect(() => requireMappable(sizeOf('native', 10, rows + 1), 4 * GIB)).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: expect.stringContaining('at least 2 --shards') as string,
      }) as Error,
    );
    expect(() => requireMappable(sizeOf('native', 8 * rows), 4 * GIB)).toThrow('at least 9 --shards');
  });

  it('are none of the concern of an engine that maps nothing', () => {
    expect(() => requireMappable(sizeOf('hnswlib', 8 * rows), 4 * GIB)).not.toThrow();
  });
});
