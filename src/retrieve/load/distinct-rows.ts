/**
 * Samples distinct vectors of a version. Returns rows, no two with equal vectors; each vector is equally likely however
 * many rows have it. A sample of rows would mostly show the vector that most rows have.
 *
 * Every vector is hashed, and the smallest hashes are kept, each with its first row (a bottom-k sketch, Cohen and
 * Kaplan 2007): one pass, and memory for the sample only. Equal seeds give equal samples.
 */
import type { EventLoopYielder } from '../../base/event-loop-yielder.js';
import type { LoadedShard } from './shards.js';
import type { RowPlace } from '../../version/sealed/row-places.js';

/** Components between two checks of the clock: less than 10 ms. */
const COMPONENTS_PER_STEP = 2 ** 22;

/** @returns at most `size` places, by shard and row. @throws the signal's reason when it is aborted */
export async function sampleDistinctRows(
  shards: readonly Pick<LoadedShard, 'graph'>[],
  size: number,
  seed: number,
  turns: EventLoopYielder,
): Promise<RowPlace[]> {
  const places = (await sketchRows(shards, size, seed, turns)).places();
  return places.sort((a, b) => a.shard - b.shard || a.row - b.row);
}

/** Distinct hashes that `countDistinct` keeps: its standard error is 0.4 %. */
const COUNTED = 2 ** 16;

/** Number of distinct vectors: exact up to 65,536, estimated above. */
export async function countDistinct(
  shards: readonly Pick<LoadedShard, 'graph'>[],
  seed: number,
  turns: EventLoopYielder,
): Promise<number> {
  return (await sketchRows(shards, COUNTED, seed, turns)).count();
}

async function sketchRows(
  shards: readonly Pick<LoadedShard, 'graph'>[],
  size: number,
  seed: number,
  turns: EventLoopYielder,
): Promise<Sketch> {
  const sketch = new Sketch(size);
  for (const [shard, { graph }] of shards.entries()) {
    const { vectors } = graph;
    const { count, dim } = vectors;
    const step = Math.max(1, Math.floor(COMPONENTS_PER_STEP / dim));
    for (let from = 0; from < count; from += step) {
      for (let row = from; row < Math.min(count, from + step); row++) {
        sketch.add(hashRow(vectors, row, seed), { shard, row });
      }
      await turns.yieldIfDue();
    }
  }
  return sketch;
}

/** The places of the `size` smallest distinct hashes. */
class Sketch {
  private found = new Map<number, RowPlace>();
  /** Hashes above this are not among the smallest. */
  private maxHash = Infinity;

  constructor(private readonly size: number) {}

  add(hash: number, place: RowPlace): void {
    if (hash > this.maxHash || this.found.has(hash)) return;
    this.found.set(hash, place);
    if (this.found.size >= 2 * this.size) this.shrink();
  }

  places(): RowPlace[] {
    this.shrink();
    return [...this.found.values()];
  }

  /** All distinct hashes, estimated from how dense the smallest ones lie if there are more than `size`. */
  count(): number {
    this.shrink();
    if (this.maxHash === Infinity || this.found.size < this.size) return this.found.size;
    return (this.size - 1) / (this.maxHash / 2 ** 53);
  }

  private shrink(): void {
    const kept = [...this.found].sort(([a], [b]) => a - b).slice(0, this.size);
    this.found = new Map(kept);
    if (kept.length === this.size) this.maxHash = kept.at(-1)![0];
  }
}

const MINUS_ZERO = 0x80000000;

/** A 53-bit hash of a row's vector; equal vectors have equal hashes. */
export function hashRow({ values, dim }: LoadedShard['graph']['vectors'], row: number, seed: number): number {
  return hashWords(new Uint32Array(values.buffer, values.byteOffset + 4 * row * dim, dim), 0, dim, seed);
}

/** MurmurHash3 for 32 bits (Austin Appleby, public domain) over its words, for two seeds. */
function hashWords(words: Uint32Array, from: number, length: number, seed: number): number {
  let a = finish(seed);
  let b = finish(~seed);
  for (let at = from; at < from + length; at++) {
    const mixed = scramble(words[at]! === MINUS_ZERO ? 0 : words[at]!);
    a = advance(a ^ mixed);
    b = advance(b ^ mixed);
  }
  return finish(a) * 2 ** 21 + (finish(b) >>> 11);
}

function scramble(word: number): number {
  const product = Math.imul(word, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}

function advance(lane: number): number {
  return (Math.imul((lane << 13) | (lane >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(lane: number): number {
  let mixed = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
