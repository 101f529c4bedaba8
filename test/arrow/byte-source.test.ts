import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memorySource, windowedSource, type ByteSource } from '../../src/arrow/frame/byte-source.js';

const SIZE = 2 * 1024 * 1024;
const bytes = Uint8Array.from({ length: SIZE }, (_, i) => (i * 31 + (i >> 8)) & 255);

/** The source with the places and lengths of all reads of it. */
function recorded(): { source: ByteSource; reads: (readonly [position: number, length: number])[] } {
  const reads: (readonly [number, number])[] = [];
  const memory = memorySource(bytes);
  const read = (position: number, length: number): Promise<Uint8Array> => {
    reads.push([position, length]);
    return memory.read(position, length);
  };
  return { source: { ...memory, read }, reads };
}

describe('reads through a window', () => {
  it('give the bytes that were asked for, in any order, also at the same time', async () => {
    const range = fc.tuple(fc.nat(SIZE), fc.oneof(fc.nat(200), fc.nat(100_000)));
    await fc.assert(
      fc.asyncProperty(fc.array(range, { maxLength: 30 }), fc.boolean(), async (ranges, inOrder) => {
        const wanted = ranges.map(([position, length]) => [position, Math.min(length, SIZE - position)] as const);
        if (inOrder) wanted.sort((a, b) => a[0] - b[0]);
        const { source } = recorded();
        const windowed = windowedSource(source);
        const read = await Promise.all(wanted.map(([position, length]) => windowed.read(position, length)));
        wanted.forEach(([position, length], i) => {
          expect(Buffer.compare(read[i]!, bytes.subarray(position, position + length))).toBe(0);
        });
      }),
      { seed: 20269, numRuns: 300 },
    );
  });

  it('that are small and near to each other are served from few large ones', async () => {
    const { source, reads } = recorded();
    const windowed = windowedSource(source);
    for (let position = 0; position + 100 <= SIZE; position += 1000) await windowed.read(position, 100);
    expect(reads.length).toBeLessThan(20);
  });

  it('that hop over large bodies read no more than asked', async () => {
    const { source, reads } = recorded();
    const windowed = windowedSource(source);
    const positions = [0, 300_000, 600_000, 1_500_000];
    for (const position of positions) await windowed.read(position, 4096);
    expect(reads).toEqual(positions.map((position) => [position, 4096]));
  });

  it('past the end are refused', async () => {
    const windowed = windowedSource(memorySource(bytes));
    await expect(async () => windowed.read(SIZE - 10, 11)).rejects.toThrow('it ends at byte');
    await windowed.read(SIZE - 20, 10);
    await expect(async () => windowed.read(SIZE - 10, 11)).rejects.toThrow('it ends at byte');
  });
});
