import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Column } from '../../src/arrow/column.js';
import { formatDecimal, parseDecimal } from '../../src/base/decimal.js';
import { ShortlistError } from '../../src/base/errors.js';
import { murmur3 } from '../../src/base/hash.js';
import { IdTableBuilder } from '../../src/base/id-table-builder.js';
import { IdTable, estimateIdTableBytes, slotsFor, type IdType } from '../../src/base/id-table.js';

const SEED = 20_261_123;
const INT_TYPES: IdType[] = ([8, 16, 32, 64] as const).flatMap((bits) =>
  [true, false].map((signed): IdType => ({ kind: 'int', bits, signed })),
);
const UTF8: IdType = { kind: 'utf8' };

const add = (builder: IdTableBuilder, id: bigint | string): number => {
  if (typeof id === 'string') {
    const bytes = Buffer.from(`<${id}>`);
    return builder.addText(bytes, 1, bytes.length - 1);
  }
  const bits = BigInt.asUintN(64, id);
  return builder.addInteger(Number(bits & 0xffffffffn), Number(bits >> 32n));
};

const build = (type: IdType, ids: readonly (bigint | string)[], expected?: number): IdTable => {
  const builder = new IdTableBuilder(type, expected);
  for (const id of ids) add(builder, id);
  return builder.finish();
};

const valuesOf = (type: IdType): fc.Arbitrary<bigint | string> => {
  if (type.kind === 'utf8') return fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
  const bits = BigInt(type.bits);
  const min = type.signed ? -(1n << (bits - 1n)) : 0n;
  const max = type.signed ? (1n << (bits - 1n)) - 1n : (1n << bits) - 1n;
  return fc.oneof(fc.bigInt({ min, max }), fc.constantFrom(min, max, 0n, 1n), fc.bigInt({ min, max: min + 40n }));
};

const copySections = (table: IdTable): Map<string, Uint8Array> =>
  new Map(table.sections().map(({ name, bytes }) => [name, bytes.slice()]));
const reopen = (type: IdType, count: number, sections: Map<string, Uint8Array>): IdTable =>
  IdTable.fromSections(type, count, (name) => sections.get(name) ?? new Uint8Array(0));
const codeOf = (run: () => unknown): string => {
  try {
    run();
    return 'nothing thrown';
  } catch (error) {
    return error instanceof ShortlistError ? error.code : String(error);
  }
};

describe.each([...INT_TYPES, UTF8])('a table of $kind $bits signed $signed', (type) => {
  it('agrees with a Map on ordinals, texts, hashes and duplicates, before and after its sections are re-opened', () => {
    fc.assert(
      fc.property(fc.array(valuesOf(type), { maxLength: 300 }), fc.nat(400), (ids, expected) => {
        const reference = new Map<string, number>();
        const builder = new IdTableBuilder(type, expected);
        for (const id of ids) {
          const text = String(id);
          const known = reference.get(text) ?? reference.size;
          reference.set(text, known);
          expect(add(builder, id)).toBe(known);
          expect(builder.lastHash).toBe(murmur3(Buffer.from(text), 0, Buffer.byteLength(text)));
        }
        const built = builder.finish();
        for (const table of [built, reopen(type, built.count, copySections(built))]) {
          expect(table.count).toBe(reference.size);
          expect(table.findIndexProblem()).toBeNull();
          for (const [text, ordinal] of reference) {
            expect(table.text(ordinal)).toBe(text);
            expect(table.find(text)).toBe(ordinal);
            expect(table.hash(ordinal)).toBe(murmur3(Buffer.from(text), 0, Buffer.byteLength(text)));
          }
        }
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  it('has the same bytes whether or not the number of ids was known', () => {
    fc.assert(
      fc.property(fc.array(valuesOf(type), { maxLength: 300 }), fc.nat(5_000), (ids, expected) => {
        expect(build(type, ids, expected).sections()).toEqual(build(type, ids).sections());
      }),
      { seed: SEED, numRuns: 30 },
    );
  });

  it('does not find what it does not hold', () => {
    fc.assert(
      fc.property(fc.array(valuesOf(type), { maxLength: 50 }), valuesOf(type), (ids, other) => {
        fc.pre(!ids.includes(other));
        expect(build(type, ids).find(String(other))).toBe(-1);
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  it('is empty when nothing was added', () => {
    const table = build(type, []);
    expect(table.count).toBe(0);
    expect(table.find('1')).toBe(-1);
    expect(reopen(type, 0, copySections(table)).find('1')).toBe(-1);
  });
});

describe('find', () => {
  it('takes only the canonical text of an integer', () => {
    const table = build({ kind: 'int', bits: 64, signed: true }, [7n, 0n, -1n]);
    expect(table.find('7')).toBe(0);
    for (const text of ['007', '+7', ' 7', '7 ', '7.0', '-0', '0x7', '7n', '', '1e0', '٧'])
      expect(table.find(text)).toBe(-1);
  });

  it('does not wrap integers that are beyond the type', () => {
    expect(build({ kind: 'int', bits: 8, signed: true }, [-1n]).find('255')).toBe(-1);
    expect(build({ kind: 'int', bits: 64, signed: false }, [2n ** 64n - 1n]).find('-1')).toBe(-1);
    expect(build({ kind: 'int', bits: 64, signed: true }, [0n]).find('18446744073709551616')).toBe(-1);
  });

  it('does not take half a surrogate pair for the replacement character', () => {
    const table = build(UTF8, ['\ufffd', 'a\ufffd']);
    expect(table.find('\ufffd')).toBe(0);
    expect(table.find('\ud800')).toBe(-1);
    expect(table.find('a\udc00')).toBe(-1);
  });

  it('answers texts longer than any id', () => {
    expect(build(UTF8, ['x'.repeat(1_024)]).find('x'.repeat(1_024))).toBe(0);
    expect(build(UTF8, ['x'.repeat(1_024)]).find('x'.repeat(5_000))).toBe(-1);
    expect(build({ kind: 'int', bits: 64, signed: true }, [1n]).find('1'.repeat(5_000))).toBe(-1);
  });
});

describe('column', () => {
  it.each(INT_TYPES)('gives integers of $bits bits, signed $signed, in their Arrow type', (type) => {
    fc.assert(
      fc.property(fc.uniqueArray(valuesOf(type), { minLength: 1, maxLength: 30 }), fc.nat(), (ids, start) => {
        const ordinals = Uint32Array.from(ids, (_, i) => (i + start) % ids.length);
        const column: Column = build(type, ids).column(ordinals);
        if (column.shape !== 'numbers') throw new Error(column.shape);
        expect(Array.from(column.values, String)).toEqual(Array.from(ordinals, (ordinal) => String(ids[ordinal])));
      }),
      { seed: SEED, numRuns: 30 },
    );
  });

  it('gives strings', () => {
    const column: Column = build(UTF8, ['a', 'bé', '🦊']).column(Uint32Array.of(2, 0, 2, 1));
    if (column.shape !== 'strings') throw new Error(column.shape);
    const texts = Array.from({ length: column.rows }, (_, row) =>
      Buffer.from(column.bytes.subarray(column.offsets[row], column.offsets[row + 1])).toString(),
    );
    expect(texts).toEqual(['🦊', 'a', '🦊', 'bé']);
  });

  it('refuses an ordinal that the table does not have', () => {
    expect(() => build(UTF8, ['a']).column(Uint32Array.of(1))).toThrow('ordinal 1');
    expect(() => build(UTF8, ['a']).text(-1)).toThrow('ordinal -1');
  });
});

describe('damaged sections', () => {
  const types: IdType[] = [{ kind: 'int', bits: 16, signed: true }, UTF8];
  const ids = (type: IdType): (bigint | string)[] =>
    Array.from({ length: 50 }, (_, i) => (type.kind === 'int' ? BigInt(i * 31 - 700) : `id-${i}`));

  it('are refused, or harmless to every lookup, wherever a byte is changed', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (type, which, at, flip) => {
          const sections = copySections(build(type, ids(type)));
          const target = [...sections.values()][which % sections.size]!;
          target[at % target.length]! ^= flip;
          let table: IdTable;
          try {
            table = reopen(type, 50, sections);
          } catch (error) {
            expect(error).toMatchObject({ code: 'file_corrupt' });
            return;
          }
          for (const id of ids(type)) expect(table.find(String(id))).toBeLessThan(50);
        },
      ),
      { seed: SEED, numRuns: 400 },
    );
  });

  it.each(types)('of the wrong length are refused ($kind)', (type) => {
    const table = build(type, ids(type));
    for (const { name } of table.sections()) {
      for (const change of [-4, -1, 1, 4]) {
        const sections = copySections(table);
        const old = sections.get(name)!;
        const changed = new Uint8Array(old.length + change);
        changed.set(old.subarray(0, changed.length));
        sections.set(name, changed);
        expect(codeOf(() => reopen(type, 50, sections))).toBe('file_corrupt');
      }
    }
    for (const count of [-1, 0, 49, 51, 50.5, NaN, 2 ** 40]) {
      expect(codeOf(() => reopen(type, count, copySections(table)))).toBe('file_corrupt');
    }
  });

  it('with no empty slot are refused, since a search there would not end', () => {
    const sections = copySections(build(UTF8, ids(UTF8)));
    sections.get('slots')!.fill(1);
    expect(codeOf(() => reopen(UTF8, 50, sections))).toBe('file_corrupt');
  });

  it('with an integer beyond its type are refused', () => {
    const type: IdType = { kind: 'int', bits: 8, signed: false };
    const sections = copySections(build(type, [1n, 2n]));
    sections.get('values')![1] = 1;
    expect(() => reopen(type, 2, sections)).toThrow('ordinal 0 does not fit into 8 bits');
  });

  it('with two equal ids are noticed by the full check', () => {
    const sections = copySections(build(UTF8, ['aa', 'ab']));
    sections.get('bytes')![3] = 97;
    expect(reopen(UTF8, 2, sections).findIndexProblem()).toContain('ordinal 1');
  });
});

describe('memory', () => {
  it('is what the estimate says', () => {
    const integers = build(
      { kind: 'int', bits: 32, signed: true },
      Array.from({ length: 1_000 }, (_, i) => BigInt(i)),
    );
    expect(integers.residentBytes).toBe(estimateIdTableBytes(integers.type, 1_000));
    const texts = build(
      UTF8,
      Array.from({ length: 1_000 }, (_, i) => String(i).padStart(36, '0')),
    );
    expect(texts.residentBytes).toBe(estimateIdTableBytes(UTF8, 1_000) + 4);
  });

  it('fills at most 70 % of the slots and at least 35 % of them', () => {
    for (let count = 6; count < 3_000; count++) {
      expect(count / slotsFor(count)).toBeLessThanOrEqual(0.7);
      expect(count / slotsFor(count)).toBeGreaterThan(0.35);
    }
  });

  it('works over shared memory, for readers on several threads', () => {
    const table = build(UTF8, ['a', 'b', 'c']);
    const shared = new Map(
      table.sections().map(({ name, bytes }) => {
        const view = new Uint8Array(new SharedArrayBuffer(bytes.length));
        view.set(bytes);
        return [name, view];
      }),
    );
    const opened = reopen(UTF8, 3, shared);
    expect(opened.find('c')).toBe(2);
    expect(opened.text(1)).toBe('b');
  });
});

describe('decimal text', () => {
  it('goes there and back for every 64-bit value', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        const signed = value < 2n ** 63n;
        const words = parseDecimal(String(value), 64, signed);
        expect(words).not.toBeNull();
        expect(formatDecimal(words!.low, words!.high, signed)).toBe(String(value));
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });
});
