/** Types that are given as others: decimals as float64, 16 bytes as UUIDs; lists of nothing, of lists and of bytes. */
import { describe, expect, it } from 'vitest';
import { openArrow } from '../../src/arrow/read/reader.js';
import { fixture, readTable } from './arrow-files.js';

describe('decimals', () => {
  it('of every width are the nearest float64', async () => {
    const { values } = await readTable(fixture('decimals.arrow'));
    const digits = [0, -1, 0.1, 123456.789, -99999.999, 90071992547409.93, -0.007, null];
    expect(values).toMatchObject({
      decimal32: [0, -1, 0.1, 7, 7, 7, -0.007, null],
      decimal64: digits,
      decimal128: digits,
    });
    const { wide128, wide256, negative_scale } = (await readTable(fixture('conversions.arrow'))).values;
    const wide = [12345678901234567890123456789.123456789, -0.000000001, 99999999999999999999999999999.999999999, null]; // prettier-ignore
    expect(wide128).toEqual(wide);
    expect(wide256).toEqual(wide);
    expect(negative_scale).toEqual([1200, -300, 0, null]);
  });
});

describe('16 bytes', () => {
  it('are the text of a UUID, with the extension or without, from a dictionary too', async () => {
    const { values } = await readTable(fixture('conversions.arrow'));
    const uuids = [
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      '01234567-89ab-cdef-0123-456789abcdef',
      null,
    ];
    expect(values['uuid']).toEqual(uuids);
    expect(values['bytes16']).toEqual(uuids);
    expect(values['bytes16_dictionary']).toEqual(uuids);
  });
});

describe('lists', () => {
  it('may hold nulls alone, bytes, or lists, and not lists of lists', async () => {
    const { values } = await readTable(fixture('conversions.arrow'));
    expect(values['nothings']).toEqual([[], null, [null, null], []]);
    expect(values['one_of_list']).toEqual([[[1.5, 2]], null, [[3, 4]], [[5, 6]]]);
    expect(values['one_of_fixed']).toEqual([[[1.5, 2]], null, [[3, 4]], [[5, 6]]]);
    expect(values['signed']).toEqual([[-128, 127], null, [0, 1], [2, 3]]);
    expect(values['unsigned']).toEqual([[255, 0], null, [0, 1], [2, 3]]);
    expect(values['three_deep']).toBeUndefined();
  });

  it('say where their items are without the items, at every depth', async () => {
    const reader = await openArrow(fixture('conversions.arrow'));
    const extents = async (name: string): Promise<unknown[]> => {
      const chunks = [];
      for await (const chunk of reader.readExtents(reader.fields.findIndex((field) => field.name === name))) chunks.push(chunk); // prettier-ignore
      return chunks;
    };
    const valid = Uint8Array.of(1, 0, 1, 1);
    expect(await extents('unsigned')).toEqual([
      { firstRow: 0, rows: 4, valid, offsets: Uint32Array.of(0, 2, 2, 4, 6), items: null },
    ]);
    expect(await extents('one_of_list')).toEqual([
      {
        firstRow: 0,
        rows: 4,
        valid,
        offsets: Uint32Array.of(0, 1, 1, 2, 3),
        items: { rows: 3, valid: null, offsets: Uint32Array.of(0, 2, 4, 6), items: null },
      },
    ]);
    await reader.close();
  });
});
