import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ArrowField, Column, ColumnType, NumberArray } from '../../../src/arrow/column.js';
import { mapFile } from '../../../src/engine/native/map-vectors.js';
import { readAttributes, type AttributeStore } from '../../../src/version/sealed/attribute-store.js';
import { AttributeWriter } from '../../../src/version/sealed/attribute-writer.js';
import { nodeFiles } from '../../../src/version/disk/files.js';
import type { Manifest } from '../../../src/version/sealed/manifest.js';
import { typeName } from '../../../src/version/sealed/type-name.js';
import type { VersionFiles } from '../../../src/version/sealed/version-reader.js';
import { temporaryDirectory } from '../versions.js';

const LISTS: ColumnType = { kind: 'list', item: { kind: 'utf8' }, size: null };

/** Three rows of every type that an attribute can have, the second one null, and what JSON says of them. */
const COLUMNS: readonly { readonly name: string; readonly column: Column; readonly json: readonly unknown[] }[] = [
  { name: 'sale', column: { ...base({ kind: 'bool' }), shape: 'bools', values: Uint8Array.of(1, 0, 0) }, json: [true, null, false] },
  numbers('tiny', { kind: 'int', bits: 8, signed: true }, Int8Array.of(-128, 0, 127), [-128, null, 127]),
  numbers('large', { kind: 'int', bits: 64, signed: false }, BigUint64Array.of(7n, 0n, 2n ** 64n - 1n), [7, null, '18446744073709551615']),
  numbers('price', { kind: 'float', bits: 32 }, Float32Array.of(19.99, 0, NaN), [19.99, null, null]),
  numbers('half', { kind: 'float', bits: 16 }, Float32Array.of(0.5, 0, -2), [0.5, null, -2]),
  numbers('weight', { kind: 'float', bits: 64 }, Float64Array.of(0.1, 0, 1e300), [0.1, null, 1e300]),
  numbers('day', { kind: 'date', unit: 'day' }, Int32Array.of(0, 0, 19_782), ['1970-01-01', null, '2024-02-29']),
  numbers('seen', { kind: 'timestamp', unit: 'ns', timezone: 'UTC' }, BigInt64Array.of(1n, 0n, -1n), ['1970-01-01T00:00:00.000000001Z', null, '1969-12-31T23:59:59.999999999Z']),
  { name: 'title', column: texts(['plain', null, 'é 日本 😀']), json: ['plain', null, 'é 日本 😀'] },
  { name: 'tags', column: { ...base(LISTS), shape: 'lists', offsets: Uint32Array.of(0, 2, 2, 2), items: { ...texts(['a', null]), rows: 2 } }, json: [['a', null], null, []] },
]; // prettier-ignore

function base(type: ColumnType) {
  return { type, rows: 3, valid: Uint8Array.of(1, 0, 1) };
}

function numbers(name: string, type: ColumnType, values: NumberArray, json: readonly unknown[]) {
  return { name, column: { ...base(type), shape: 'numbers', values } as const, json };
}

function texts(values: readonly (string | null)[]): Column {
  const encoded = values.map((value) => Buffer.from(value ?? ''));
  const offsets = new Uint32Array(values.length + 1);
  encoded.forEach((bytes, row) => (offsets[row + 1] = offsets[row]! + bytes.length));
  const valid = Uint8Array.from(values, (value) => (value === null ? 0 : 1));
  return {
    shape: 'strings',
    type: { kind: 'utf8' },
    rows: values.length,
    valid,
    offsets,
    bytes: Buffer.concat(encoded),
  };
}

/** How often the three rows fill a record batch and start another. */
const TWO_BATCHES = 21_850;

const NAME = 'shard-0000.attributes.arrow';

/** The three rows again and again. */
async function writeAttributes(times: number): Promise<VersionFiles> {
  const directory = temporaryDirectory();
  const path = join(directory, NAME);
  const fields = COLUMNS.map(({ name, column }): ArrowField => ({
    name,
    type: column.type,
    nullable: true,
    label: '',
  }));
  const writer = await AttributeWriter.create(path, fields, { files: nodeFiles, shards: 1 });
  for (let i = 0; i < times; i++) await writer.append(COLUMNS.map(({ column }) => column));
  await writer.close();
  const attributes = fields.map(({ name, type }) => ({ name, type: typeName(type), nullable: true }));
  const files = [{ name: NAME, bytes: statSync(path).size, sha256: '' }];
  // What reading attributes looks at; the rest of a manifest is checked where versions are opened.
  const shards = [{ files: [], count: 3 * times }];
  return { directory, manifest: { format: 2, attributes, files, shards, count: 3 * times } as unknown as Manifest };
}

function valuesOf(store: AttributeStore, name: string): unknown[] {
  return Array.from({ length: store.count }, (_, ordinal) => store.value(name, ordinal));
}

describe.each([
  ['read', undefined],
  ['mapped', mapFile],
] as const)('attributes that are %s', (_, map) => {
  it('give every value of every type as JSON says it, across batches', async () => {
    const store = (await readAttributes(await writeAttributes(TWO_BATCHES), { map }))!;
    expect(store.count).toBe(3 * TWO_BATCHES);
    expect(store.names).toEqual(COLUMNS.map(({ name }) => name));
    for (const { name, json } of COLUMNS) {
      expect(store.column(name).chunks, name).toHaveLength(2);
      const expected = Array.from({ length: TWO_BATCHES }, () => json).flat();
      expect(JSON.stringify(valuesOf(store, name)) === JSON.stringify(expected), name).toBe(true);
    }
  });

  it('say which attributes there are when asked for another', async () => {
    const store = (await readAttributes(await writeAttributes(1), { map }))!;
    expect(() => store.value('colour', 0)).toThrow(/no attribute 'colour'.*sale, tiny/);
    expect(() => store.value('sale', 3)).toThrow('position 3 of 3');
  });

  it('of which the file was cut short are file_corrupt', async () => {
    const files = await writeAttributes(3);
    const path = join(files.directory, NAME);
    truncateSync(path, statSync(path).size - 100);
    await expect(readAttributes(files, { map })).rejects.toMatchObject({ code: 'file_corrupt' });
  });

  it('of other rows than the version are file_corrupt', async () => {
    const files = await writeAttributes(3);
    const other = { ...files, manifest: { ...files.manifest, shards: [{ ...files.manifest.shards[0]!, count: 8 }] } };
    await expect(readAttributes(other, { map })).rejects.toMatchObject({
      code: 'file_corrupt',
      message: /9 rows, not 8/,
    });
  });
});

describe('a mapped file of attributes', () => {
  it('keeps numbers and the bytes of texts in the file, where all processes share them', async () => {
    const files = await writeAttributes(TWO_BATCHES);
    const mapped = mapFile(join(files.directory, NAME), 0, files.manifest.files[0]!.bytes);
    const store = (await readAttributes(files, { map: () => mapped }))!;
    for (const name of ['tiny', 'large', 'price', 'weight', 'day', 'seen']) {
      for (const { column } of store.column(name).chunks) {
        expect(column.shape === 'numbers' && column.values.buffer === mapped.buffer, name).toBe(true);
      }
    }
    for (const { column } of store.column('title').chunks) {
      expect(column.shape === 'strings' && column.bytes.buffer === mapped.buffer).toBe(true);
    }
  });
});
