/** The faults that mutants found, one by one: what is refused, by whom, and what may come back. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { ShortlistError } from '../../src/base/errors.js';
import { openIndex, type OpenIndex } from '../../src/retrieve/library/open-index.js';
import { verifyVersion } from '../../src/retrieve/load/verify.js';
import { temporaryFolder } from '../indexes.js';
import { BASES, buildBases } from './bases.js';
import { partsOf, SealedVersion, type Loose } from './sealed-version.js';

const folder = temporaryFolder();
const sealed: Record<string, SealedVersion> = {};
beforeAll(async () => {
  const wanted = ['native-cosine', 'native-shards', 'native-floats', 'hnswlib-cosine'];
  const bases = BASES.filter(({ index }) => wanted.includes(index));
  const versions = await buildBases(folder, bases);
  // As they are now: a version of which the manifest alone differs takes the folder of its base.
  for (const [index, version] of Object.entries(versions)) sealed[index] = SealedVersion.read(folder, index, version);
});

const NO_LINK = 0xffffffff;

function hostile(index: string, change: (version: SealedVersion) => void): string {
  const version = sealed[index]!.copy();
  change(version);
  return version.write(folder);
}

/** Changes one section of a file. */
const section = (file: string, name: string, change: (bytes: Buffer, offset: number) => void) => (version: SealedVersion) => {
  const bytes = version.change(file);
  change(bytes, partsOf(bytes).find((part) => part.name === name)!.offset);
}; // prettier-ignore

async function codesOf(index: string, version: string): Promise<string[]> {
  return (await verifyVersion(folder, index, version)).map(({ code }) => code);
}

const failure = async (work: Promise<unknown>): Promise<ShortlistError> => {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: 'ShortlistError' });
  return error as ShortlistError;
};

const ALL = { k: 240, ef: 240 };

/** All rows, by walk and by scan. */
function answersOf(index: OpenIndex) {
  const query = Float32Array.from({ length: index.manifest.dim }, (_, i) => Math.sin(i + 1));
  return [
    index.search(query, ALL),
    index.search(query, { ...ALL, exact: true }),
    index.search(query, { k: 20, ef: 20 }),
  ];
}

describe('a vector that is not finite', () => {
  it.each(['native-cosine', 'hnswlib-cosine'])(
    'is refused by verify, and its row never comes back: %s',
    async (index) => {
      const version = hostile(index, (one) => {
        section('shard-0000.vectors', 'vectors', (bytes, offset) => bytes.writeFloatLE(NaN, offset + 4 * 8 * 7))(one);
      });
      const problems = await verifyVersion(folder, index, version);
      expect(problems).toMatchObject([{ code: 'file_corrupt' }]);
      expect(problems[0]!.message).toContain('row 7');
      if (index.startsWith('hnswlib')) {
        expect((await failure(openIndex(folder, index, { version }))).code).toBe('file_corrupt'); // its graph has the vectors too
        return;
      }
      const open = await openIndex(folder, index, { version, threads: 1 }).catch(
        (error: unknown) => error as ShortlistError,
      );
      if ('code' in open) {
        // Opening compares a sample of the rows with their codes, which this one may be in.
        expect(open).toMatchObject({ code: 'file_corrupt', message: expect.stringContaining('row 7') as string });
        return;
      }
      for (const { scores, ordinals } of answersOf(open)) {
        expect([...scores].every(Number.isFinite)).toBe(true);
        expect([...ordinals]).not.toContain(7);
      }
      expect(() => open.vector(open.ids.text(7))).toThrow(/not finite/);
      await open.close();
    },
  );

  it('is what is said of an item that is asked why it did not come back', async () => {
    const change = section('shard-0000.vectors', 'vectors', (bytes, offset) =>
      bytes.writeFloatLE(NaN, offset + 4 * 8 * 7),
    );
    const open = await openIndex(folder, 'native-floats', { version: hostile('native-floats', change), threads: 1 });
    const isDamaged = (id: string) => {
      try {
        open.vector(id);
        return false;
      } catch {
        return true;
      }
    };
    const ids = Array.from({ length: 400 }, (_, ordinal) => open.ids.text(ordinal));
    const damaged = ids.filter(isDamaged);
    expect(damaged).toHaveLength(1);
    const query = new Float32Array(8).fill(1);
    expect(() => open.search(query, { k: 3, whyNot: damaged })).toThrow(/not finite; restore the version/);
    expect(open.search(query, { k: 3, whyNot: ids.slice(0, 1) }).ids).toHaveLength(3);
    await open.close();
  });

  it.each([1e19, Infinity, 0.5])('and one of %d, which no build writes under cosine, are refused by verify', async (value) => {
    const change = section('shard-0000.vectors', 'vectors', (bytes, offset) => bytes.writeFloatLE(value, offset + 4 * 8 * 3));
    expect(await codesOf('native-cosine', hostile('native-cosine', change))).toEqual(['file_corrupt']);
  }); // prettier-ignore
});

describe('an item', () => {
  it('that a list of links names twice comes back once', async () => {
    const change = section('shard-0000.graph', 'links', (bytes, offset) => {
      for (let at = offset; at < offset + 64 * 240; at += 64) bytes.copyWithin(at + 4, at, at + 4);
    });
    await expectDistinct(hostile('native-cosine', change));
  });

  it('that an equal one stands for is no node of the graph: opening refuses a link to it', async () => {
    const version = hostile('native-cosine', (one) => {
      const bytes = one.change('shard-0000.graph');
      const [links, chains] = ['links', 'next_equal'].map((name) => partsOf(bytes).find((part) => part.name === name)!);
      const later = Array.from({ length: 240 }, (_, row) => bytes.readUInt32LE(chains!.offset + 4 * row)).find(
        (next) => next !== NO_LINK,
      )!;
      bytes.writeUInt32LE(later, links!.offset);
    });
    const refused = await failure(openIndex(folder, 'native-cosine', { version }));
    expect(refused).toMatchObject({ code: 'file_corrupt' });
    expect(refused.message).toContain('which an equal row stands for');
  });

  it('that another stands for without being equal is refused by verify', async () => {
    const change = section('shard-0000.graph', 'next_equal', (bytes, offset) => {
      const free = Array.from({ length: 240 }, (_, row) => row).filter((row) => bytes.readUInt32LE(offset + 4 * row) === NO_LINK); // prettier-ignore
      bytes.writeUInt32LE(free.at(-1)!, offset + 4 * free[0]!);
    });
    expect(await codesOf('native-cosine', hostile('native-cosine', change))).toEqual(['file_corrupt']);
  });

  it('whose ordinal two shards have is refused by opening', async () => {
    const version = hostile('native-shards', (one) => {
      const source = one.files.get('shard-0000.ids')!;
      const ordinal = source.readUInt32LE(partsOf(source).find(({ name }) => name === 'ordinals')!.offset);
      const bytes = one.change('shard-0001.ids');
      const { offset } = partsOf(bytes).find(({ name }) => name === 'ordinals')!;
      if (ordinal < bytes.readUInt32LE(offset + 4)) bytes.writeUInt32LE(ordinal, offset);
      else bytes.writeUInt32LE(bytes.readUInt32LE(offset) + 1, offset);
    });
    const refused = await failure(openIndex(folder, 'native-shards', { version }));
    expect(refused).toMatchObject({ code: 'file_corrupt' });
  });

  it('whose id another has too fails the answers that have both, and verify', async () => {
    const change = section('shard-0000.ids', 'values', (bytes, offset) =>
      bytes.copyWithin(offset, offset + 8, offset + 16),
    );
    const version = hostile('native-cosine', change);
    expect(await codesOf('native-cosine', version)).toEqual(['file_corrupt']);
    const open = await openIndex(folder, 'native-cosine', { version, threads: 1 });
    expect(() => answersOf(open)).toThrow(/has the id "1" twice/);
    await open.close();
  });

  it('whose id is no UTF-8 is refused by opening: two of them would be shown alike', async () => {
    const change = section('shard-0000.ids', 'bytes', (bytes, offset) => (bytes[offset + 2] = 0xff));
    const version = hostile('hnswlib-cosine', change);
    expect((await failure(openIndex(folder, 'hnswlib-cosine', { version }))).message).toContain('not UTF-8');
  });

  async function expectDistinct(version: string): Promise<void> {
    const open = await openIndex(folder, 'native-cosine', { version, threads: 1 });
    for (const { ordinals } of answersOf(open)) expect(new Set(ordinals).size).toBe(ordinals.length);
    await open.close();
  }
});

describe('a parameter of the engine out of range', () => {
  it.each([
    ['m', 0], ['m', 129], ['m', 8.5], ['m', '8'], ['m', undefined], ['ef_construction', 0], ['ef_construction', 2 ** 40],
  ] as const)('is manifest_corrupt and names the field: %s %s', async (name, value) => {
    const version = hostile('native-cosine', ({ manifest }) => {
      ((manifest['engine'] as Loose)['parameters'] as Loose)[name] = value;
    });
    const refused = await failure(openIndex(folder, 'native-cosine', { version }));
    expect(refused).toMatchObject({ code: 'manifest_corrupt', details: { field: `engine.parameters.${name}` } });
    expect(await codesOf('native-cosine', version)).toEqual(['manifest_corrupt']);
  }); // prettier-ignore
});
