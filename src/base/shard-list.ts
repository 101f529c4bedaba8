/** `0-3,7`: numbers of shards as people write them. */
import { MAX_SHARDS } from './limits.js';

/** @returns the numbers, ascending @throws Error that says what is wanted */
export function parseShardList(text: string): number[] {
  const ranges = text.split(',').map((range) => /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(range.trim()));
  const numbers = ranges.flatMap((range) => {
    const [from, to] = range === null ? [1, 0] : [Number(range[1]), Number(range[2] ?? range[1])];
    if (from > to || to >= MAX_SHARDS) throw new Error(`numbers and ranges from 0 to ${MAX_SHARDS - 1}, such as 0-3,7`);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
  return [...new Set(numbers)].sort((a, b) => a - b);
}
