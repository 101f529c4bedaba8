/** Ids of files that have none: from other files, or the positions of rows. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../indexes.js';
import { countIds, countVectors, types, writeArrow } from './arrow-files.js';
import { ingest } from './ingest.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

/** Vectors as .fbin, those of countVectors. */
function writeBin(name: string, rows: number, dim = 3): string {
  const values = Float32Array.from(countVectors(rows, dim).flat());
  writeFileSync(at(name), Buffer.concat([Buffer.from(Uint32Array.of(rows, dim).buffer), Buffer.from(values.buffer)]));
  return at(name);
}

function writeLines(name: string, lines: readonly string[]): string {
  writeFileSync(at(name), lines.map((line) => `${line}\n`).join(''));
  return at(name);
}

const letters = (rows: number, from = 0): string[] => Array.from({ length: rows }, (_, i) => `id-${from + i}`);
const read = { metric: 'l2' } as const;

describe('files without ids', () => {
  it('have the positions of their rows in the whole input as ids, with one warning', async () => {
    const files = [writeBin('a.fbin', 4), writeBin('b.fbin', 3)];
    const { ids, report } = await ingest(files, read);
    expect(ids).toEqual(['0', '1', '2', '3', '4', '5', '6']);
    expect(report.files.map(({ path }) => path)).toEqual(files);
  });

  it('keep these positions where rows are skipped', async () => {
    const file = writeBin('skipped.fbin', 4);
    const values = Float32Array.of(1, 2, 3, NaN, 1, 1, 4, 5, 6);
    writeFileSync(file, Buffer.concat([Buffer.from(Uint32Array.of(3, 3).buffer), Buffer.from(values.buffer)]));
    const { ids, rejects } = await ingest([file, writeBin('next.fbin', 2)], { ...read, onBadRow: 'skip' });
    expect(ids).toEqual(['0', '2', '3', '4']);
    expect(rejects).toMatchObject([{ file, row: 1, id: '1', kind: 'not_finite' }]);
  });

  it('take the ids of as many other files, in the order of the input', async () => {
    const files = [writeBin('c.fbin', 4), writeBin('d.fbin', 3)];
    const ids = [writeLines('c.txt', letters(4)), writeLines('d.txt', letters(3, 4))];
    const found = await ingest(files, { ...read, ids });
    expect(found.ids).toEqual(letters(7));
    expect(found.vectors).toEqual([...countVectors(4, 3), ...countVectors(3, 3)].flat());
    expect(found.report.files.map(({ path, rows }) => [path, rows])).toEqual([
      [files[0], 4], [files[1], 3], [ids[0], 4], [ids[1], 3],
    ]); // prettier-ignore
  });

  it('take ids of an Arrow file, whatever the chunks of both', async () => {
    const rows = 300_000;
    const values = new Float32Array(rows * 2).fill(1);
    writeFileSync(at('long.fbin'), Buffer.concat([Buffer.from(Uint32Array.of(rows, 2).buffer), Buffer.from(values.buffer)])); // prettier-ignore
    const column = [types.int64, countIds(rows, 7)] as const;
    const ids = [writeArrow(at('long.arrow'), { key: column }, { batchRows: 70_001 })];
    const found = await ingest([at('long.fbin')], { ...read, ids, idColumn: 'key' });
    expect(found.ids.length).toBe(rows);
    expect(found.ids.every((id, row) => id === String(row + 7))).toBe(true);
  });

  it('may be Arrow files too, with their attributes', async () => {
    const columns = { embedding: [types.vector(3), countVectors(3, 3)], title: [types.utf8, ['x', 'y', 'z']] } as const;
    const file = writeArrow(at('no-ids.arrow'), columns);
    const found = await ingest([file], { ...read, ids: [writeLines('three.txt', letters(3))] });
    expect(found.ids).toEqual(letters(3));
    expect(found.attributes).toEqual([['x', 'y', 'z']]);
  });

  it('have bad rows where a line of ids is empty or repeats another', async () => {
    const ids = [writeLines('bad.txt', ['a', '', 'a', 'b'])];
    const found = await ingest([writeBin('e.fbin', 4)], { ...read, ids, onBadRow: 'skip' });
    expect(found.ids).toEqual(['a', 'b']);
    expect(found.rejects.map(({ row, kind }) => [row, kind])).toEqual([[1, 'null_id'], [2, 'duplicate_id']]); // prettier-ignore
  });

  it('are read as a folder if they are .npy files, and refused if one may be items and another queries', async () => {
    const inner = at('benchmark');
    mkdirSync(inner);
    writeBin('benchmark/base.fbin', 3);
    writeBin('benchmark/query.fbin', 3);
    const message = expect.stringMatching(/benchmark holds files such as .*base\.fbin, .*name the files/) as string;
    await expect(ingest([inner], read)).rejects.toMatchObject({ code: 'usage', message });
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n";
    const head = Buffer.from(`\x93NUMPY\x01\x00${String.fromCharCode(header.length)}\x00${header}`, 'latin1');
    writeFileSync(join(inner, 'vectors.npy'), Buffer.concat([head, Buffer.from(Float32Array.of(1, 2).buffer)]));
    expect((await ingest([inner], read)).vectors).toEqual([1, 2]);
  });
});

describe('--ids is refused', () => {
  const failure = async (files: string[], ids: string[], idColumn?: string): Promise<unknown> =>
    ingest(files, { ...read, ids, ...(idColumn !== undefined && { idColumn }) }).catch((error: unknown) => error);

  it('if the rows differ in number, with both files and both numbers', async () => {
    const [file, ids] = [writeBin('f.fbin', 4), writeLines('f.txt', letters(5))];
    const message = `${file} has 4 rows, but ${ids} has 5 ids: each row needs one`;
    expect(await failure([file], [ids])).toMatchObject({ code: 'schema_mismatch', message });
  });

  it('if the files differ in number', async () => {
    const found = await failure([writeBin('g.fbin', 2), writeBin('h.fbin', 2)], [writeLines('g.txt', letters(2))]);
    expect(found).toMatchObject({ code: 'usage', message: expect.stringContaining('names 1 file and --input 2 files') as string }); // prettier-ignore
  });

  it('if a file has an id column of its own, unless --id-column names another', async () => {
    const columns = { id: [types.int64, countIds(3)], embedding: [types.vector(3), countVectors(3, 3)] } as const;
    const file = writeArrow(at('own-ids.arrow'), columns);
    const ids = writeLines('own.txt', letters(3));
    expect(await failure([file], [ids])).toMatchObject({ code: 'usage', message: expect.stringContaining(`${file} has the id column "id"`) as string }); // prettier-ignore
    expect(await failure([file], [ids], 'key')).toMatchObject({ ids: letters(3) });
  });

  it('if its numbers are no ids', async () => {
    const found = await failure([writeBin('i.fbin', 3)], [writeArrow(at('floats.arrow'), { id: [types.float64, [1, 2, 3]] })]); // prettier-ignore
    expect(found).toMatchObject({ code: 'column_type', message: expect.stringContaining('floats.arrow') as string });
  });
});

describe('files without ids beside files with columns', () => {
  it('are refused, and named', async () => {
    const columns = { id: [types.int64, countIds(3)], embedding: [types.vector(3), countVectors(3, 3)] } as const;
    const [array, table] = [writeBin('j.fbin', 3), writeArrow(at('table.arrow'), columns)];
    const message = expect.stringContaining(`${array} has no ids, but ${table} has columns`) as string;
    await expect(ingest([table, array], read)).rejects.toMatchObject({ code: 'schema_mismatch', message });
  });
});

describe('a Hive-style folder', () => {
  it('is read with its subfolders, in the order of their paths', async () => {
    const parquet = fileURLToPath(new URL('../formats/arrays/files/ids.table.parquet', import.meta.url));
    for (const day of ['dt=2026-11-27', 'dt=2026-11-26']) mkdirSync(at(`hive/${day}`), { recursive: true });
    copyFileSync(parquet, at('hive/dt=2026-11-26/part-00000-c000.snappy.parquet'));
    const columns = { id: [types.int64, countIds(3)], embedding: [types.vector(8), countVectors(3, 8)] } as const;
    writeArrow(at('hive/dt=2026-11-27/part-00000.arrow'), columns);
    for (const name of ['_SUCCESS', 'dt=2026-11-26/.part-00000.crc', 'dt=2026-11-27/_SUCCESS']) writeFileSync(at(`hive/${name}`), 'x'); // prettier-ignore
    const { ids } = await ingest([at('hive')], read);
    expect(ids).toEqual([...Array.from({ length: 50 }, (_, i) => String(3 * i + 10)), '0', '1', '2']);
  });
});
