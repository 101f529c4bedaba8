import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnValue, type JsonValue } from '../../src/arrow/column-value.js';
import type { ColumnType, NumberArray } from '../../src/arrow/column.js';
import { numberToFloat16 } from '../../src/arrow/float16.js';
import { float16ToNumber } from '../../src/base/float32.js';

function jsonOf(type: ColumnType, values: NumberArray): JsonValue[] {
  const column = { shape: 'numbers', type, rows: values.length, valid: null, values } as const;
  return Array.from({ length: values.length }, (_, row) => columnValue(column, row));
}

describe('the JSON of a value', () => {
  it('is a number for integers within 2^53 and text beyond', () => {
    const type: ColumnType = { kind: 'int', bits: 64, signed: true };
    const values = BigInt64Array.of(2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n) + 1n, -(2n ** 63n));
    expect(jsonOf(type, values)).toEqual([
      9007199254740991,
      '9007199254740992',
      -9007199254740991,
      '-9223372036854775808',
    ]);
  });

  it('is the shortest decimal of a float32, a text where it is infinite, and null where it is NaN', () => {
    const single: ColumnType = { kind: 'float', bits: 32 };
    expect(jsonOf(single, Float32Array.of(0.1, 16777216, NaN, Infinity))).toEqual([0.1, 16777216, null, 'Infinity']);
    expect(jsonOf({ kind: 'float', bits: 64 }, Float64Array.of(0.1 + 0.2, -Infinity))).toEqual([
      0.1 + 0.2,
      '-Infinity',
    ]);
  });

  it('is an ISO date, in any year', () => {
    const days = Int32Array.of(0, -1, 19782, -719528, -719529, 2932896, 2932897, 2147483647);
    expect(jsonOf({ kind: 'date', unit: 'day' }, days)).toEqual([
      '1970-01-01',
      '1969-12-31',
      '2024-02-29',
      '0000-01-01',
      '-000001-12-31',
      '9999-12-31',
      '+010000-01-01',
      '+5881580-07-11',
    ]);
    expect(jsonOf({ kind: 'date', unit: 'ms' }, BigInt64Array.of(86_400_000n, -1n))).toEqual([
      '1970-01-02',
      '1969-12-31',
    ]);
  });

  it('is an ISO timestamp with the digits of its unit, and Z where the column has a timezone', () => {
    const stamp = (unit: 's' | 'ms' | 'us' | 'ns', timezone: string | null, value: bigint): JsonValue =>
      jsonOf({ kind: 'timestamp', unit, timezone }, BigInt64Array.of(value))[0]!;
    expect(stamp('s', null, 1_700_000_000n)).toBe('2023-11-14T22:13:20');
    expect(stamp('ms', 'UTC', 1_700_000_000_005n)).toBe('2023-11-14T22:13:20.005Z');
    expect(stamp('us', 'Asia/Tokyo', -1n)).toBe('1969-12-31T23:59:59.999999Z');
    expect(stamp('ns', null, 2n ** 63n - 1n)).toBe('2262-04-11T23:47:16.854775807');
    expect(stamp('s', null, -(2n ** 63n))).toMatch(/^-\d+-\d\d-\d\dT\d\d:\d\d:\d\d$/);
  });

  it("agrees with JavaScript's dates wherever those reach", () => {
    const type: ColumnType = { kind: 'timestamp', unit: 'ms', timezone: 'UTC' };
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), (date) => {
        expect(jsonOf(type, BigInt64Array.of(BigInt(date.getTime())))).toEqual([date.toISOString()]);
      }),
      { seed: 20268, numRuns: 1000 },
    );
  });

  it('is null for a null row and an array for a list', () => {
    const items = {
      shape: 'bools',
      type: { kind: 'bool' },
      rows: 2,
      valid: Uint8Array.of(1, 0),
      values: Uint8Array.of(1, 1),
    } as const;
    const type: ColumnType = { kind: 'list', item: items.type, size: null };
    const lists = {
      shape: 'lists',
      type,
      rows: 2,
      valid: Uint8Array.of(1, 0),
      offsets: Uint32Array.of(0, 2, 2),
      items,
    } as const;
    expect([columnValue(lists, 0), columnValue(lists, 1)]).toEqual([[true, null], null]);
  });
});

describe('float16', () => {
  it('is restored from its float32, all 65,536 of them', () => {
    const halves = Array.from({ length: 65_536 }, (_, half) => half);
    const isNaNHalf = (half: number): boolean => (half & 0x7fff) > 0x7c00;
    const changed = halves.filter((half) => numberToFloat16(float16ToNumber(half)) !== half);
    expect(changed.every(isNaNHalf)).toBe(true);
    expect(halves.filter(isNaNHalf).every((half) => isNaNHalf(numberToFloat16(float16ToNumber(half))))).toBe(true);
  });

  it('is the nearest one, ties to even', () => {
    const halves = (...values: number[]): number[] => values.map((value) => float16ToNumber(numberToFloat16(value)));
    expect(halves(1 + 2 ** -11, 1 + 3 * 2 ** -11, 65_519, 65_520, 2 ** -25, 3 * 2 ** -25)).toEqual([
      1,
      1 + 2 ** -9,
      65_504,
      Infinity,
      0,
      2 ** -23,
    ]);
  });
});
