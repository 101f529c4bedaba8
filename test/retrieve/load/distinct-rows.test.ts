import { describe, expect, it } from 'vitest';
import { EventLoopYielder } from '../../../src/base/event-loop-yielder.js';
import { sampleDistinctRows } from '../../../src/retrieve/load/distinct-rows.js';
import type { LoadedShard } from '../../../src/retrieve/load/shards.js';

const DIM = 4;

/** As much of a shard as is looked at. */
function shardOf(values: Float32Array): Pick<LoadedShard, 'graph'> {
  return { graph: { vectors: { metric: 'l2', dim: DIM, count: values.length / DIM, values } } } as Pick<
    LoadedShard,
    'graph'
  >;
}

function rowsOf(count: number, valueOf: (row: number) => number): Float32Array {
  return Float32Array.from({ length: count * DIM }, (_, at) => valueOf(Math.floor(at / DIM)) + (at % DIM));
}

const sample = (shards: readonly Pick<LoadedShard, 'graph'>[], size: number, seed = 1) =>
  sampleDistinctRows(shards, size, seed, new EventLoopYielder());

describe('a sample of different vectors', () => {
  it('has every vector once, however many rows have it, over all shards', async () => {
    // Rows 0 to 4999 are equal, then come 300 others, of which the second shard has 100 again.
    const mixed = shardOf(rowsOf(5300, (row) => Math.max(0, row - 4999)));
    const again = shardOf(rowsOf(100, (row) => row + 1));
    const places = await sample([mixed, again], 1000);
    expect(places).toHaveLength(301);
    expect(places.slice(0, 2)).toEqual([{ shard: 0, row: 0 }, { shard: 0, row: 5000 }]); // prettier-ignore
    expect(places.every(({ shard }) => shard === 0)).toBe(true);
  });

  it('takes each vector as often as any other, the common ones too', async () => {
    const values = rowsOf(2000, (row) => (row < 1000 ? 0 : (row % 100) + 1));
    const taken = new Map<number, number>();
    for (let seed = 0; seed < 400; seed++) {
      for (const { row } of await sample([shardOf(values)], 10, seed)) {
        const value = values[row * DIM]!;
        taken.set(value, (taken.get(value) ?? 0) + 1);
      }
    }
    // 400 samples of 10 out of 101: 40 times each, with a standard deviation of 6.
    expect(taken.size).toBe(101);
    expect(Math.min(...taken.values())).toBeGreaterThan(10);
    expect(Math.max(...taken.values())).toBeLessThan(75);
  });

  it('is the same for the same seed and another for another', async () => {
    const shard = shardOf(rowsOf(500, (row) => row));
    const first = await sample([shard], 20, 1);
    expect(await sample([shard], 20, 1)).toEqual(first);
    expect(await sample([shard], 20, 2)).not.toEqual(first);
  });

  it('counts 0 and -0 as equal', async () => {
    expect(await sample([shardOf(Float32Array.of(0, 1, 2, 3, -0, 1, 2, 3))], 5)).toHaveLength(1);
  });
});
