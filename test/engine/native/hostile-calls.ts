/**
 * A program, run by hostile.test.ts and under the sanitizers: calls the addon itself with everything that is wrong. In a
 * process of its own, so that a crash of the native code is a failed test and not a dead test runner.
 *
 *     node --expose-gc --import tsx hostile-calls.ts <addon> <folder>
 *
 * Prints a line `["name", "how it ended"]` for each call; the name is in <folder>/call.txt before the call is made.
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Addon } from '../../../src/engine/native/addon.js';

type Bag = Record<string, unknown>;
type Call = () => unknown;

const [addonPath, folder] = process.argv.slice(2) as [string, string];
const addon = createRequire(import.meta.url)(addonPath) as Addon;
/** The addon as programs see it that keep to no types. */
const { Shard, ScanPool, HnswlibExport, build, check, map } = addon as unknown as Record<string, Loose>;
type Loose = (new (...given: unknown[]) => Record<string, (...given: unknown[]) => unknown>) &
  ((...given: unknown[]) => unknown);

const DIM = 8;
const COUNT = 200;
const path = join(folder, 'valid.graph');
const values = Float32Array.from({ length: COUNT * DIM }, (_, i) => Math.sin(i * 1.7));

const shape = (): Bag => ({ metric: 2, dim: DIM, count: COUNT, m: 8, efConstruction: 60 });
const buildBag = (): Bag => ({
  ...shape(),
  values: values.slice(),
  seed: 42,
  threads: 2,
  path: join(folder, 'other.graph'),
  progress: () => true,
});
const shardBag = (): Bag => ({
  ...shape(),
  values: values.slice(),
  path,
  query: values.slice(0, DIM),
  foundRows: new Uint32Array(50),
  foundScores: new Float32Array(50),
  counters: new Float64Array(8),
});
const scanBag = (): Bag => ({
  metric: 2,
  dim: DIM,
  count: COUNT,
  values: values.slice(),
  queries: values.slice(0, 3 * DIM),
  k: 5,
  allow: undefined,
  cancel: new Int32Array(new SharedArrayBuffer(4)),
});
const exportBag = (): Bag => ({ ...shape(), values: values.slice(), path, factor: 1 });

function detached<T extends ArrayBufferView>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

/** Buffers that can be resized are newer than the types that the sources are compiled with. */
type Resizable = ArrayBuffer & { resize(bytes: number): void };

function resizable(bytes: number): Resizable {
  return Reflect.construct(ArrayBuffer, [bytes, { maxByteLength: 2 * bytes }]) as Resizable;
}

const thrower = (): never => {
  throw new RangeError('from a getter');
};

/** What no argument may be, by name. Made anew for each call. */
const WRONG: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  NaN: () => NaN,
  'minus one': () => -1,
  'a fraction': () => 1.5,
  infinity: () => Infinity,
  '2^32': () => 2 ** 32,
  '2^64': () => 2 ** 64,
  'a huge negative': () => -(2 ** 63),
  'a number as text': () => '8',
  'empty text': () => '',
  'text with a zero': () => 'a\0b',
  'a bigint': () => 8n,
  true: () => true,
  'a symbol': () => Symbol('8'),
  'an object': () => ({ valueOf: thrower }),
  'a list': () => [1, 2, 3],
  'a function that throws': () => thrower,
  'a proxy that throws': () => new Proxy({}, { get: thrower, getPrototypeOf: thrower }),
  'an ArrayBuffer': () => new ArrayBuffer(64),
  'a DataView': () => new DataView(new ArrayBuffer(64)),
  'no floats': () => new Float32Array(0),
  'seven floats': () => new Float32Array(7),
  'float64 of the right length': () => new Float64Array(COUNT * DIM),
  'bytes of the right length': () => new Uint8Array(4 * COUNT * DIM),
  'int32, as many as rows in words': () => new Int32Array(7),
  'detached floats': () => detached(new Float32Array(COUNT * DIM)),
  'floats in a buffer that has shrunk': () => {
    const buffer = resizable(4 * COUNT * DIM);
    const array = new Float32Array(buffer);
    buffer.resize(8);
    return array;
  },
};

const pool = new ScanPool!(2);
const scan = (bag: unknown): unknown => pool['scan']!(bag);

/** Every field of a bag of options replaced by every wrong value. */
function* replaced(name: string, make: () => Bag, call: (bag: Bag) => unknown): Generator<[string, Call]> {
  for (const field of Object.keys(make())) {
    for (const [what, wrong] of Object.entries(WRONG)) {
      yield [`${name} with ${field}: ${what}`, () => call({ ...make(), [field]: wrong() })];
    }
    const getter = Object.defineProperty(make(), field, { get: thrower });
    yield [`${name} with a getter of ${field} that throws`, () => call(getter)];
    // A getter that pulls the memory away under what was read before it.
    const bag = make();
    const kept = bag[field];
    const pull = (): unknown => {
      for (const other of Object.values(bag)) if (other instanceof Float32Array && other.length > 0) detached(other);
      return kept;
    };
    const puller = Object.defineProperty({ ...bag }, field, { get: pull, enumerable: true });
    yield [`${name} with a getter of ${field} that detaches`, () => call(puller)];
  }
}

/** Every position of an argument list replaced by every wrong value. */
function* misplaced(
  name: string,
  given: () => unknown[],
  call: (...given: unknown[]) => unknown,
): Generator<[string, Call]> {
  for (let position = 0; position < given().length; position++) {
    for (const [what, wrong] of Object.entries(WRONG)) {
      yield [`${name} with argument ${position}: ${what}`, () => call(...given().with(position, wrong()))];
    }
  }
  yield [`${name} without arguments`, () => call()];
}

function* calls(): Generator<[string, Call]> {
  yield* replaced('build', buildBag, (bag) => build!(bag));
  yield* replaced('open', shardBag, (bag) => new Shard!(bag)['search']!(5, 40, undefined, COUNT, 0, 1e6));
  yield* replaced('scan', scanBag, scan);
  yield* replaced('export', exportBag, (bag) => new HnswlibExport!(bag)['close']!());
  yield* misplaced(
    'check',
    () => [path, shape()],
    (...given) => check!(...given),
  );
  yield* misplaced(
    'map',
    () => [path, 4096, 64],
    (...given) => map!(...given),
  );
  yield* misplaced(
    'ScanPool',
    () => [1],
    (...given) => new ScanPool!(...given)['close']!(),
  );
  const words = (): Uint32Array => new Uint32Array(7).fill(0xffffffff);
  const shard = new Shard!(shardBag());
  yield* misplaced(
    'search',
    () => [5, 40, words(), COUNT, 0, 1e6],
    (...given) => shard['search']!(...given),
  );
  yield* strange(shard, words);
}

function* strange(shard: InstanceType<Loose>, words: () => Uint32Array): Generator<[string, Call]> {
  yield ['search for more than the buffers hold', () => shard['search']!(51, 100, undefined, COUNT, 0, 1e6)];
  for (const [name, list] of [
    ['in no order', [3, 1, 2]],
    ['with one twice', [1, 1, 2]],
    ['beyond the last', [1, COUNT]],
    ['out of the set', [0, 1, 2]],
    ['which is empty', []],
  ] as const) {
    const one = (): unknown => shard['search']!(5, 40, new Uint32Array(7), 3, 4, 1e6, Uint32Array.from(list));
    yield [`search with a list of rows ${name}`, one];
  }
  yield ['search with a detached list', () => shard['search']!(5, 40, words(), COUNT, 4, 1e6, detached(words()))];
  yield ['search with a set of fewer words', () => shard['search']!(5, 40, new Uint32Array(6), COUNT, 0, 1e6)];
  const later = (...given: unknown[]): unknown =>
    shard['searchLater']!(5, 40, words(), COUNT, 0, 1e6, undefined, ...given);
  yield ['a search elsewhere without a query', () => later()];
  for (const bad of [7, 'query', [1, 2], new Float64Array(DIM), new Float32Array(DIM + 1), new Float32Array(0)])
    yield [`a search elsewhere for ${String(bad)}`, () => later(bad)];
  yield ['a search elsewhere for a detached query', () => later(detached(new Float32Array(DIM)))];
  yield ['a search elsewhere for no number', () => later(new Float32Array(DIM).fill(NaN))];
  yield [
    'a search elsewhere with a set of fewer words',
    () => shard['searchLater']!(5, 40, new Uint32Array(6), COUNT, 0, 1e6, undefined, new Float32Array(DIM)),
  ];
  yield ['search with a detached set', () => shard['search']!(5, 40, detached(words()), COUNT, 0, 1e6)];
  yield [
    'search with a set that says more than it has',
    () => shard['search']!(5, 40, new Uint32Array(7), COUNT, 0, 1e6),
  ];
  yield ['search with a set that says less than it has', () => shard['search']!(5, 40, words(), 0, 0, 1e6)];
  yield ['search with bits beyond the rows', () => shard['search']!(50, 200, words(), COUNT, 0, 1e6)];
  for (const bad of [NaN, Infinity, -Infinity]) {
    yield [
      `search for ${bad}`,
      () => {
        const bag = shardBag();
        (bag['query'] as Float32Array)[3] = bad;
        return new Shard!(bag)['search']!(5, 40, undefined, COUNT, 0, 1e6);
      },
    ];
    yield [
      `build of ${bad}`,
      () => {
        const bag = buildBag();
        (bag['values'] as Float32Array).fill(bad, 40, 90);
        build!(bag);
      },
    ];
  }
  for (const array of ['values', 'query', 'foundRows', 'foundScores', 'counters']) {
    yield [
      `search after ${array} were detached`,
      () => {
        const bag = shardBag();
        const opened = new Shard!(bag);
        detached(bag[array] as Float32Array);
        return opened['search']!(5, 40, undefined, COUNT, 0, 1e6);
      },
    ];
  }
  yield [
    'search after the rows have shrunk',
    () => {
      const buffer = resizable(values.byteLength);
      const rows = new Float32Array(buffer);
      rows.set(values);
      const opened = new Shard!({ ...shardBag(), values: rows });
      buffer.resize(0);
      return opened['search']!(5, 40, undefined, COUNT, 0, 1e6);
    },
  ];
  yield [
    'build with a progress that detaches the rows',
    () => {
      const bag = buildBag();
      bag['progress'] = (): boolean => {
        if ((bag['values'] as Float32Array).length > 0) detached(bag['values'] as Float32Array);
        return true;
      };
      build!(bag);
    },
  ];
  yield [
    'build with a progress that builds',
    () => {
      let depth = 0;
      const progress = (): boolean => {
        if (depth++ < 3) build!({ ...buildBag(), path: join(folder, `${depth}.graph`), progress });
        return true;
      };
      build!({ ...buildBag(), progress });
    },
  ];
  for (const method of ['search', 'searchLater', 'figures']) {
    yield [
      `${method} of a closed shard`,
      () => {
        const opened = new Shard!(shardBag());
        opened['close']!();
        opened['close']!();
        return opened[method]!(5, 40, undefined, COUNT, 0, 1e6);
      },
    ];
    yield [`${method} of something else`, () => Reflect.apply(shard[method]!, {}, [5, 40])];
    yield [`${method} of a pool`, () => Reflect.apply(shard[method]!, pool, [5, 40])];
    yield [`${method} of the prototype`, () => Reflect.apply(shard[method]!, Object.getPrototypeOf(shard), [5, 40])];
  }
  for (const [name, type] of Object.entries({ Shard, ScanPool, HnswlibExport })) {
    yield [`${name} without new`, () => type!(shardBag())];
    yield [`${name} of nothing`, () => new type!()];
  }
  for (const [what, file] of [
    ['a folder', folder],
    ['a device', '/dev/zero'],
    ['no file', join(folder, 'none')],
    ['text', join(folder, 'call.txt')],
  ] as const) {
    yield [`check of ${what}`, () => check!(file, shape())];
    yield [`map of ${what}`, () => map!(file, 0, 1 << 20)];
    yield [`open of ${what}`, () => new Shard!({ ...shardBag(), path: file })];
  }
  yield [
    'a scan on a pool that closes',
    () => {
      const closing = new ScanPool!(1);
      const ended = closing['scan']!(scanBag());
      closing['close']!();
      return ended;
    },
  ];
  yield [
    'a scan on a closed pool',
    () => {
      const closing = new ScanPool!(1);
      closing['close']!();
      return closing['scan']!(scanBag());
    },
  ];
  yield [
    'a scan on a pool that nobody holds',
    async () => {
      const ended = new ScanPool!(1)['scan']!(scanBag());
      globalThis.gc!();
      await ended;
    },
  ];
  yield ['an export into wrong blocks', () => new HnswlibExport!(exportBag())['read']!(new Float64Array(4))];
}

/** `TypeError`, a code, or `done`; anything else that is thrown keeps its words, for the test to refuse. */
async function endOf(call: Call): Promise<string> {
  try {
    await call();
    return 'done';
  } catch (error) {
    if (!(error instanceof Error)) return `threw ${String(error)}`;
    if ('code' in error && typeof error.code === 'string') return error.code;
    return error.message === 'from a getter' ? 'its own error' : error.name;
  }
}

process.chdir(folder); // `8` is a path
build!({ ...buildBag(), path });
for (const [name, call] of calls()) {
  writeFileSync(join(folder, 'call.txt'), name);
  console.log(JSON.stringify([name, await endOf(call)]));
}
globalThis.gc!();
const last = shardBag();
new Shard!(last)['search']!(5, 40, undefined, COUNT, 0, 1e6);
console.log(JSON.stringify(['the row nearest to row 0 after all that', String((last['foundRows'] as Uint32Array)[0])]));
