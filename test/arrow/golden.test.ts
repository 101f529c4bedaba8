import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Column } from '../../src/arrow/column.js';
import { openArrow } from '../../src/arrow/read/reader.js';
import { ShortlistError } from '../../src/base/errors.js';
import { readableColumns, readChunks, readTable, TEST_DATA } from './arrow-files.js';

interface Golden {
  readonly path: string;
  readonly rows: number;
  readonly fields: readonly (readonly [name: string, label: string])[];
  readonly ok: boolean;
  readonly json_twin?: string;
}

const ROOT = join(TEST_DATA, 'arrow-golden');
const goldens =
  TEST_DATA === '' ? [] : (JSON.parse(readFileSync(join(ROOT, 'manifest.json'), 'utf8')) as readonly Golden[]);

/** Refused on purpose, with the code and the words that say why. */
const REFUSED: readonly (readonly [path: RegExp, code: string, words: string])[] = [
  [/1\.0\.0-bigendian/, 'input_unsupported', 'big-endian'],
  [/schema_v6/, 'input_unsupported', 'metadata version V6'],
];

function refusal(golden: Golden): { code: string; words: string } | null {
  const found = REFUSED.find(([path]) => path.test(golden.path));
  return found === undefined ? null : { code: found[1], words: found[2] };
}

describe.skipIf(TEST_DATA === '')("Arrow's golden files (need SHORTLIST_TEST_DATA)", () => {
  it('are read with the types and rows that pyarrow reads', async () => {
    const read = goldens.filter((golden) => refusal(golden) === null);
    expect(read.length).toBeGreaterThan(200);
    for (const golden of read) {
      const reader = await openArrow(join(ROOT, golden.path));
      const labels = reader.fields.map((field) => [field.name, field.label]);
      expect({ path: golden.path, rows: reader.rows, labels }).toEqual({
        path: golden.path,
        rows: golden.rows,
        labels: golden.fields,
      });
      await reader.close();
    }
  });

  it('are refused by name where they are big-endian, or of a future version', async () => {
    const refused = goldens.filter((golden) => refusal(golden) !== null);
    expect(refused.length).toBeGreaterThan(40);
    for (const golden of refused) {
      const error = await openArrow(join(ROOT, golden.path)).catch((thrown: unknown) => thrown);
      expect(error, golden.path).toBeInstanceOf(ShortlistError);
      const { code, message } = error as ShortlistError;
      const { code: expectedCode, words } = refusal(golden)!;
      expect(code).toBe(expectedCode);
      expect(message).toContain(words);
    }
  });

  it('hold the values of their JSON twins', async () => {
    let columns = 0;
    for (const golden of goldens) {
      if (golden.json_twin === undefined || refusal(golden) !== null) continue;
      if (!existsSync(join(ROOT, golden.json_twin))) continue;
      const twin = JSON.parse(gunzipSync(readFileSync(join(ROOT, golden.json_twin))).toString()) as Twin;
      columns += await compareWithTwin(golden, twin);
    }
    expect(columns).toBeGreaterThan(500);
  });
});

describe.skipIf(TEST_DATA === '')("Arrow's fuzz corpus (needs SHORTLIST_TEST_DATA)", () => {
  const known = new Set(goldens.map((golden) => golden.path));
  const corpus = (TEST_DATA === '' ? [] : walk(ROOT))
    .map((path) => relative(ROOT, path))
    .filter((path) => !known.has(path) && /fuzz|crash/.test(path));

  it('ends, file by file, in rows or in a coded error that names the file', { timeout: 30_000 }, async () => {
    expect(corpus.length).toBeGreaterThan(100);
    const read: string[] = [];
    for (const path of corpus) {
      try {
        await readTable(join(ROOT, path));
        read.push(path);
      } catch (error) {
        expect(error, path).toBeInstanceOf(ShortlistError);
        expect((error as ShortlistError).message).toContain(path);
        expect((error as ShortlistError).code).toMatch(/^input_(corrupt|format|unsupported)$/);
      }
    }
    // pyarrow reads these as well. Two hold no column of a type that is read here; of the third there is only the schema.
    expect(read.map((path) => path.slice(-16))).toEqual(['6088759971217408', '6295340960776192', '3b9d67b949fadbb4']);
  });
});

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}

/** The JSON form of Arrow's integration tests, as far as columns that are read need it. */
interface Twin {
  readonly schema: { readonly fields: readonly TwinField[] };
  readonly batches: readonly { readonly columns: readonly TwinColumn[] }[];
  readonly dictionaries?: readonly {
    readonly id: number;
    readonly data: { readonly columns: readonly TwinColumn[] };
  }[];
}

interface TwinField {
  readonly type: {
    readonly name: string;
    readonly bitWidth?: number;
    readonly precision?: string;
    readonly listSize?: number;
    readonly scale?: number;
  };
  readonly children: readonly TwinField[];
  readonly dictionary?: { readonly id: number };
}

interface TwinColumn {
  readonly count: number;
  readonly VALIDITY?: readonly number[];
  readonly DATA?: readonly (number | string | boolean)[];
  readonly OFFSET?: readonly (number | string)[];
  readonly VIEWS?: readonly { SIZE: number; INLINED?: string; BUFFER_INDEX?: number; OFFSET?: number }[];
  readonly VARIADIC_DATA_BUFFERS?: readonly string[];
  readonly children?: readonly TwinColumn[];
}

async function compareWithTwin(golden: Golden, twin: Twin): Promise<number> {
  const reader = await openArrow(join(ROOT, golden.path));
  const columns = readableColumns(reader);
  const chunks = columns.length === 0 ? [] : await readChunks(reader, columns);
  columns.forEach((column, i) => {
    const field = twin.schema.fields[column]!;
    const expected = twin.batches.flatMap((batch) => twinValues(field, batch.columns[column]!, twin));
    const actual = chunks.flatMap((chunk) => rawValues(chunk.columns[i]!));
    expect(actual, `${golden.path}: ${reader.fields[column]!.name}`).toEqual(expected);
  });
  await reader.close();
  return columns.length;
}

/** Values in a form that both sides share: numbers as text, bools as 0 and 1. */
function twinValues(field: TwinField, column: TwinColumn, twin: Twin): unknown[] {
  return Array.from({ length: column.count }, (_, row) => twinValue(field, column, row, twin));
}

function twinValue(field: TwinField, column: TwinColumn, row: number, twin: Twin): unknown {
  if (column.VALIDITY?.[row] === 0 || field.type.name === 'null') return null;
  if (field.dictionary !== undefined) {
    const { id } = field.dictionary;
    const values = twin.dictionaries!.find((dictionary) => dictionary.id === id)!.data.columns[0]!;
    const plain: TwinField = { type: field.type, children: field.children };
    return twinValue(plain, values, Number(column.DATA![row]), twin);
  }
  const itemsFrom = (start: number, end: number): unknown[] =>
    twinValues(field.children[0]!, column.children![0]!, twin).slice(start, end);
  const size = field.type.listSize;
  if (size !== undefined) return itemsFrom(row * size, (row + 1) * size);
  if (/^large_?list$|^list$/.test(field.type.name))
    return itemsFrom(Number(column.OFFSET![row]), Number(column.OFFSET![row + 1]));
  if (column.VIEWS !== undefined) return viewText(column, row);
  const value = column.DATA![row]!;
  if (field.type.name === 'floatingpoint')
    return numberText(field.type.precision === 'DOUBLE' ? Number(value) : Math.fround(Number(value)));
  if (field.type.name === 'fixedsizebinary') {
    return String(value)
      .toLowerCase()
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }
  if (field.type.name === 'decimal') return numberText(Number(`${value}e${-field.type.scale!}`));
  return typeof value === 'boolean' ? numberText(Number(value)) : numberText(value);
}

function viewText(column: TwinColumn, row: number): string {
  const view = column.VIEWS![row]!;
  if (view.INLINED !== undefined) return view.INLINED;
  const bytes = Buffer.from(column.VARIADIC_DATA_BUFFERS![view.BUFFER_INDEX!]!, 'hex');
  return bytes.subarray(view.OFFSET, view.OFFSET! + view.SIZE).toString();
}

const numberText = (value: number | string | bigint): string => `${value}`;

function rawValues(column: Column): unknown[] {
  return Array.from({ length: column.rows }, (_, row) => rawValue(column, row));
}

function rawValue(column: Column, row: number): unknown {
  if (column.valid?.[row] === 0) return null;
  switch (column.shape) {
    case 'numbers':
    case 'bools':
      return numberText(column.values[row]!);
    case 'strings':
      return Buffer.from(column.bytes.subarray(column.offsets[row], column.offsets[row + 1])).toString();
    case 'lists':
      return rawValues(column.items).slice(column.offsets[row], column.offsets[row + 1]);
  }
}
