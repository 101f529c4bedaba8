import { describe, expect, it } from 'vitest';
import { murmur3, shardOf } from '../../src/base/hash.js';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const whole = (bytes: Uint8Array, seed = 0): number => murmur3(bytes, 0, bytes.length, seed);

describe('murmur3', () => {
  // From the reference implementation, SMHasher's MurmurHash3_x86_32.
  it.each([
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['ffffffff', 0, 0x76293b50],
    ['21436587', 0, 0xf55b516b],
    ['21436587', 0x5082edee, 0x2362f9de],
    ['214365', 0, 0x7e4a8634],
    ['2143', 0, 0xa0f7b07a],
    ['21', 0, 0x72661cf4],
    ['00000000', 0, 0x2362f9de],
    ['000000', 0, 0x85f0b427],
    ['0000', 0, 0x30f4c306],
    ['00', 0, 0x514e28b7],
  ])('of the bytes "%s" with seed %i is the reference value', (bytes, seed, expected) => {
    expect(whole(hex(bytes), seed)).toBe(expected);
  });

  it('agrees with the reference on text', () => {
    expect(whole(Buffer.from('Hello, world!'), 0x9747b28c)).toBe(0x24884cba);
    expect(whole(Buffer.from('The quick brown fox jumps over the lazy dog'), 0x9747b28c)).toBe(0x2fa826cd);
  });

  it('takes only the bytes of its range', () => {
    const bytes = Buffer.from('xxHello, world!yyy');
    expect(murmur3(bytes, 2, 15, 0x9747b28c)).toBe(0x24884cba);
  });
});

describe('shardOf', () => {
  it('spreads ids that were made by counting evenly over shards', () => {
    const counts = new Uint32Array(7);
    for (let id = 0; id < 70_000; id++) {
      const text = Buffer.from(String(id));
      counts[shardOf(murmur3(text, 0, text.length), 7)]!++;
    }
    for (const count of counts) {
      expect(count).toBeGreaterThan(9_600);
      expect(count).toBeLessThan(10_400);
    }
  });
});
