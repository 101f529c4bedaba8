/**
 * Parquet files of many writers (make.py) hold the same table as an Arrow file: `lists.pyarrow-zstd.parquet` that of
 * `lists.arrow`. Both are read, and versions are built from both.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import { ShortlistError } from '../../../src/base/errors.js';
import { buildIndex } from '../../../src/builder/build-index.js';
import { openTable } from '../../../src/formats/open-table.js';
import { buildOptions, temporaryFolder } from '../../indexes.js';
import { readAll, withTable } from '../read-table.js';

const FILES = fileURLToPath(new URL('./files/', import.meta.url));
const parquets = readdirSync(FILES).filter((name) => name.endsWith('.parquet'));
const arrowOf = (name: string): string => `${name.slice(0, name.indexOf('.'))}.arrow`;

describe('a Parquet file', () => {
  it.each(parquets)('%s has the columns, types and values of its Arrow file', async (name) => {
    const [parquet, arrow] = await Promise.all(
      [name, arrowOf(name)].map((file) =>
        withTable(openTable(join(FILES, file)), async (reader) => ({
          types: Object.fromEntries(reader.fields.map((field) => [field.name, field.type])),
          nullable: reader.fields.map((field) => [field.name, field.nullable]),
          values: await readAll(reader),
        })),
      ),
    );
    expect(parquet).toEqual(arrow);
  });

  it.each(parquets)('%s builds the version of its Arrow file, to the byte', async (name) => {
    const root = temporaryFolder();
    const build = async (file: string) => {
      const { manifest } = await buildIndex(buildOptions(root, 'items', [join(FILES, file)], { castDecimals: true }));
      const types = manifest.attributes.map(({ name, type, nullable }) => ({ name, type, nullable }));
      return { types, content: manifest.content };
    };
    expect(await build(name)).toEqual(await build(arrowOf(name)));
  });
});

describe('damaged Parquet bytes', () => {
  // Without its check of runs, seed 101 ends the process.
  it.each([7, 101])('end as coded errors that name the file (seed %i)', { timeout: 60_000 }, async (seed) => {
    const random = seededRandom(seed);
    const folder = temporaryFolder();
    for (const name of ['lists.pyarrow-zstd.parquet', 'lists.pyarrow-v2-pages.parquet', 'polars.polars-lz4.parquet', 'nested.pyarrow-tiny-pages.parquet', 'nested.pyarrow.parquet']) {
      const good = readFileSync(join(FILES, name));
      for (let turn = 0; turn < 60; turn++) {
        const bytes = Buffer.from(turn % 3 === 0 ? good.subarray(0, 12 + Math.floor(random() * good.length)) : good);
        if (turn % 3 === 0) good.copy(bytes, bytes.length - 8, good.length - 8);
        else for (let flips = 0; flips < 1 + 8 * random(); flips++) bytes[4 + Math.floor(random() * (bytes.length - 8))] = Math.floor(256 * random());
        const path = join(folder, 'damaged.parquet');
        writeFileSync(path, bytes);
        try {
          await withTable(openTable(path), readAll);
        } catch (error) {
          if (!(error instanceof ShortlistError)) throw error;
          expect(error.code).toMatch(/^input_(?:corrupt|unsupported)$/);
          expect(error.message).toContain(path);
        }
      }
    }
  }); // prettier-ignore
});
