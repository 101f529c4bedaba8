/**
 * Arrays that other libraries wrote (make.py) hold the vectors and ids of an Arrow file: `floats.fortran.npy` those of
 * floats.arrow. Both are read, and versions are built from both.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { TableReader } from '../../../src/arrow/read/table-reader.js';
import { buildIndex } from '../../../src/builder/build-index.js';
import { openIdTable, openTable } from '../../../src/formats/open-table.js';
import type { OpenOptions } from '../../../src/formats/open-options.js';
import { readQueries } from '../../../src/ingest/read-queries.js';
import type { Manifest } from '../../../src/version/sealed/manifest.js';
import { buildOptions, temporaryFolder } from '../../indexes.js';
import { readAll, withTable } from '../read-table.js';

const FILES = fileURLToPath(new URL('./files/', import.meta.url));
const path = (name: string): string => join(FILES, name);
const kindOf = (name: string): string => name.slice(0, name.indexOf('.'));
const filesOf = (...kinds: string[]): string[] =>
  readdirSync(FILES).filter((name) => kinds.includes(kindOf(name)) && !name.endsWith('.arrow'));
const arrowOf = (name: string): string => path(`${{ ids: 'floats' }[kindOf(name)] ?? kindOf(name)}.arrow`);
const open = (name: string, options?: OpenOptions): Promise<TableReader> => openTable(path(name), options);

/** One of each reader and kind of number. */
const BUILT = [
  'floats.big-f2.npy', 'floats.little-f8.npy', 'floats.fortran.npy', 'floats.format-2.npy', 'ints.i1.npy', 'ints.big-u8.npy',
  'floats.texmex.fvecs', 'ints.upper.BVECS', 'floats.big-ann.fbin', 'ints.big-ann.u8bin', 'ints.big-ann.ibin',
  'floats.ann-benchmarks.hdf5', 'floats.chunked.hdf5',
]; // prettier-ignore

describe('an array of vectors', () => {
  it.each(filesOf('floats', 'ints'))('%s has the vectors of its Arrow file', async (name) => {
    const [{ embedding }, arrow] = await Promise.all([withTable(open(name), readAll), withTable(openTable(arrowOf(name)), readAll)]); // prettier-ignore
    expect(embedding).toEqual(arrow['embedding']);
  });

  const arrowVersions = new Map<string, Promise<Manifest>>();
  const build = async (input: string, ids?: string[]): Promise<Manifest> =>
    (await buildIndex(buildOptions(temporaryFolder(), 'items', [input], { ids }))).manifest;

  it.each(BUILT)('%s builds the version of its Arrow file, byte for byte', async (name) => {
    const source = arrowOf(name);
    if (!arrowVersions.has(source)) arrowVersions.set(source, build(source));
    const arrow = await arrowVersions.get(source)!;
    const array = await build(path(name), [path('ids.i8.npy')]);
    expect(array.files).toEqual(arrow.files);
    expect(array.content).toBe(arrow.content);
    expect(array.attributes).toEqual([]);
    expect(array.id).toEqual({ column: 'id', type: 'int64', label: 'int64' });
    expect(array.options['ids']).toEqual([path('ids.i8.npy')]);
    expect(array.sources.map((entry) => [entry.path, entry.rows])).toEqual([
      [path(name), 50],
      [path('ids.i8.npy'), 50],
    ]);
    expect(array.sources[1]!.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it('gives its column the name that --vector-column has', async () => {
    const options = { vectorColumn: 'title' };
    expect((await withTable(open('floats.fortran.npy', options), (table) => Promise.resolve(table.fields)))[0]!.name).toBe('title'); // prettier-ignore
  });

  it('holds queries of an index, whatever the column of its vectors is called', async () => {
    for (const name of ['floats.fortran.npy', 'floats.texmex.fvecs', 'floats.big-ann.fbin']) {
      const read = await readQueries([path(name)], { dim: 8, metric: 'l2', preferredColumn: 'vec' });
      expect(read.count).toBe(50);
      expect(read.ids).toBeUndefined();
    }
  });
});

describe('an HDF5 file', () => {
  it('gives the dataset train as items and test as queries', async () => {
    const name = 'floats.ann-benchmarks.hdf5';
    const rowsOf = (options: OpenOptions) => withTable(open(name, options), (table) => Promise.resolve(table.rows));
    expect(await rowsOf({})).toBe(50);
    expect(await rowsOf({ purpose: 'queries' })).toBe(7);
    expect((await readQueries([path(name)], { dim: 8, metric: 'l2' })).count).toBe(7);
    expect((await readQueries([path(name)], { dim: 8, metric: 'l2', vectorColumn: 'train' })).count).toBe(50);
  });

  it.each(['half', 'group/vectors'])('gives the dataset %s by its name', async (dataset) => {
    const { [dataset]: vectors } = await withTable(open('odd.hdf5', { vectorColumn: dataset }), readAll);
    expect(vectors).toEqual((await withTable(open('floats.arrow'), readAll))['embedding']);
  });

  it.each([
    ['hamming.hdf5', undefined, 'input_unsupported', /hamming distance/],
    ['odd.hdf5', 'bits', 'input_unsupported', /"bits" holds bools/],
    ['odd.hdf5', 'flat', 'input_unsupported', /"flat" has 1 dimensions/],
    ['odd.hdf5', 'names', 'input_unsupported', /"names" holds no numbers/],
    ['odd.hdf5', 'wide', 'input_corrupt', /1099511627776 x 8 values, more than a file of/],
    ['odd.hdf5', 'far', 'input_unsupported', /"\/far" is a link/],
    ['odd.hdf5', 'soft', 'input_unsupported', /"\/soft" is a link/],
    ['odd.hdf5', 'lzf', 'input_unsupported', /the filter "lzf" \(32000\), which is not read/],
    ['odd.hdf5', 'nothing/there', 'column_missing', /there is no dataset "nothing\/there"/],
    ['odd.hdf5', undefined, 'column_missing', /no dataset "train"; its datasets of two dimensions are "bits", "far", "half"/], // prettier-ignore
  ])('%s, dataset %s, is %s', async (name, vectorColumn, code, message) => {
    const error: unknown = await open(name, { vectorColumn }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(error).toMatchObject({ message: expect.stringContaining(path(name)) as string });
  });
});

describe('a file of ids', () => {
  it.each(filesOf('ids', 'names'))('%s has the ids of its Arrow file', async (name) => {
    const { id } = await withTable(openIdTable(path(name), 'id'), readAll);
    expect(id).toEqual((await withTable(openTable(arrowOf(name)), readAll))['id']);
  });

  it.each(filesOf('names'))('%s builds the version of an Arrow file with these ids', async (name) => {
    const root = temporaryFolder();
    const arrow = await buildIndex(buildOptions(root, 'items', [path('names.arrow')]));
    const ids = [path(name)];
    const array = await buildIndex(buildOptions(root, 'items', [path('floats.format-3.npy')], { ids }));
    expect(array.manifest.content).toBe(arrow.manifest.content);
  });

  it('has a null id for an empty line', async () => {
    const file = join(temporaryFolder(), 'ids');
    writeFileSync(file, 'a\r\n\r\nb\n\nc');
    expect((await withTable(openIdTable(file, 'id'), readAll))['id']).toEqual(['a', null, 'b', null, 'c']);
  });

  it('may have more lines than a chunk has rows', async () => {
    const file = join(temporaryFolder(), 'ids.txt');
    const lines = Array.from({ length: 200_000 }, (_, i) => `item-${i}`);
    writeFileSync(file, lines.join('\n'));
    expect((await withTable(openIdTable(file, 'id'), readAll))['id']).toEqual(lines);
  });

  it.each([
    ['zero bytes', Buffer.from('a\0b\n'), 'input_format', /is not a file of ids: .*zero bytes/],
    ['bytes that are not UTF-8', Buffer.from([0x61, 0x0a, 0xff, 0x0a]), 'input_corrupt', /value 1 is not valid UTF-8/],
    ['a line of megabytes', Buffer.alloc(3e6, 'a'), 'input_unsupported', /a line has more than 65536 bytes/],
  ])('with %s is refused', async (_, bytes, code, message) => {
    const file = join(temporaryFolder(), 'ids.txt');
    writeFileSync(file, bytes);
    const reading = (async () => withTable(openIdTable(file, 'id'), readAll))();
    await expect(reading).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });
});

describe('an array that is not vectors', () => {
  it.each([
    ['odd.objects.npy', /Python objects, which are pickled code and never loaded/],
    ['odd.bools.npy', /the type "\|b1"/],
    ['odd.complex.npy', /the type "<c8"/],
    ['odd.dates.npy', /the type "<M8\[D\]"/],
    ['odd.structured.npy', /structured array/],
    ['odd.cube.npy', /3 dimensions, \(50, 2, 4\)/],
    ['odd.scalar.npy', /0 dimensions/],
    ['odd.empty-vectors.npy', /0 components; a vector may have 1 to 16384/],
    ['ids.i8.npy', /one dimension; .* ids belong into --ids/],
    ['names.U.npy', /one dimension/],
    ['odd.large-ints.npy', /row 0: component 0 is 16777217, and float32 holds integers only up to 2\^24/],
  ])('%s is refused', async (name, message) => {
    const reading = (async () => withTable(open(name), readAll))();
    await expect(reading).rejects.toMatchObject({ code: 'input_unsupported', message: expect.stringMatching(message) as string }); // prettier-ignore
  });

  it('is no file of ids either, if its rows are vectors', async () => {
    const code = 'input_unsupported';
    await expect(openIdTable(path('ints.i4.npy'), 'id')).rejects.toMatchObject({ code });
    await expect(openIdTable(path('floats.ann-benchmarks.hdf5'), 'id')).rejects.toMatchObject({ code });
  });
});
