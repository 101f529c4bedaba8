import { describe, expect, it } from 'vitest';
import { freeMemory, LARGE_BYTES } from '../../src/serve/buffer-memory.js';

describe('memory that is given back', () => {
  it.skipIf(!('transfer' in ArrayBuffer.prototype))('is free at once', () => {
    const bytes = 64 * 2 ** 20;
    const before = process.memoryUsage().arrayBuffers;
    const buffer = Buffer.alloc(bytes, 1);
    expect(process.memoryUsage().arrayBuffers - before).toBeGreaterThanOrEqual(bytes);
    freeMemory(buffer.subarray(5));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(bytes / 2);
    expect(buffer.length).toBe(0);
  });

  it('is never what small buffers share', () => {
    expect(Buffer.poolSize).toBeLessThan(LARGE_BYTES);
    const [one, other] = [Buffer.allocUnsafe(100).fill(1), Buffer.allocUnsafe(100).fill(2)];
    freeMemory(one);
    expect([one.length, other.length]).toEqual([100, 100]);
  });
});
