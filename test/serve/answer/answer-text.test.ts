import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Column, ColumnType, NumberArray } from '../../../src/arrow/column.js';
import { IdTableBuilder } from '../../../src/base/id-table-builder.js';
import { MAX_ID_BYTES } from '../../../src/base/limits.js';
import { seededRandom } from '../../../src/base/random.js';
import type { LoadedVersion } from '../../../src/retrieve/load/loaded-version.js';
import type { Answer } from '../../../src/retrieve/search/answer.js';
import { Admission } from '../../../src/serve/worker/admission.js';
import { JsonAnswers } from '../../../src/serve/answer/answer-text.js';
import { attributesWriter } from '../../../src/serve/answer/candidate-text.js';
import { TextBytes } from '../../../src/serve/answer/text-bytes.js';
import { TimeSlicer } from '../../../src/serve/request/time-slicer.js';
import { AttributeColumn } from '../../../src/version/sealed/attribute-column.js';

const SEED = 20_261_124;
const QUALITY: Answer['quality'] = { path: 'graph', ef: 100, selectivity: 1, shards: { total: 1, answered: 1 }, short: null }; // prettier-ignore

function tableOf(ids: readonly string[]) {
  const builder = new IdTableBuilder({ kind: 'utf8' });
  for (const id of ids) {
    const bytes = Buffer.from(id);
    builder.addText(bytes, 0, bytes.length);
  }
  return builder.finish();
}

type Found = Pick<Answer, 'ordinals' | 'scores'>;

/** The answers of a request to a version of which writing needs no more than ids and names. */
function openAnswers(ids: readonly string[], answers: readonly Found[], single: boolean, limit: Limit = null) {
  const manifest = { index: 'listings', version: '20260101T000000Z-00000000' };
  const version = { ids: tableOf(ids), manifest } as unknown as LoadedVersion;
  const memory = new Admission(1, 2 ** 30, () => undefined).openAccount().claim();
  const text = new JsonAnswers(version, [], single, memory, new TimeSlicer(), limit);
  answers.forEach((answer, position) => text.add(position, { ...answer, quality: QUALITY }));
  return { text, manifest };
}

type Limit = ConstructorParameters<typeof JsonAnswers>[5];

/** The whole answer as JSON has it, of what is written at once. */
function answerText(ids: readonly string[], answers: readonly Found[], single: boolean) {
  const { text, manifest } = openAnswers(ids, answers, single);
  const pieces = text.finish(() => 0.25);
  if (pieces instanceof Promise) throw new Error('it is written in turns');
  return { text: Buffer.concat(pieces).toString(), manifest };
}

function allOf(ids: readonly string[], random: () => number): Pick<Answer, 'ordinals' | 'scores'> {
  const scores = Float32Array.from(ids, () => 2 * random() - 1);
  return { ordinals: Uint32Array.from(ids, (_, ordinal) => ordinal).reverse(), scores };
}

const expected = (ids: readonly string[], { ordinals, scores }: Pick<Answer, 'ordinals' | 'scores'>) =>
  Array.from(ordinals, (ordinal, i) => ({ id: ids[ordinal]!, score: scores[i]! }));

const restored = (candidates: readonly { id: string; score: number }[]) =>
  candidates.map(({ id, score }) => ({ id, score: Math.fround(score) }));

interface Parsed {
  candidates: { id: string; score: number }[];
  results: Parsed[];
}

describe('answers as JSON text', () => {
  it('parse to the ids and scores that were found, whatever characters ids have and however many there are', () => {
    const id = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
      fc.stringMatching(/^["\\\n\u0000-\u001f]{1,40}$/),
    );
    const property = fc.property(fc.uniqueArray(id, { maxLength: 700, size: 'max' }), fc.nat(), (ids, seed) => {
      const answer = allOf(ids, seededRandom(seed));
      const { text, manifest } = answerText(ids, [answer], true);
      const parsed = JSON.parse(text) as Parsed;
      expect({ ...parsed, candidates: restored(parsed.candidates) }).toStrictEqual({
        ...manifest,
        took_ms: 0.25,
        candidates: expected(ids, answer),
        quality: QUALITY,
      });
    });
    fc.assert(property, { seed: SEED, numRuns: 150 });
  });

  it('hold the longest ids when every byte of them is escaped, at every place of the buffer they are written in', async () => {
    for (let length = MAX_ID_BYTES - 2; length <= MAX_ID_BYTES; length++) {
      const ids = Array.from({ length: 300 }, (_, i) => `${i}`.padEnd(length, '\u0001'));
      const answer = allOf(ids, seededRandom(length));
      const body = await openAnswers(ids, [answer], true).text.finish(() => 1);
      const parsed = JSON.parse(Buffer.concat(body).toString()) as Parsed;
      expect(restored(parsed.candidates)).toStrictEqual(expected(ids, answer));
    }
  });

  it('stand in the order of their queries in a batch', () => {
    const ids = ['a', 'b"', 'c\\', 'd'];
    const answers = [1, 2, 3].map((seed) => allOf(ids, seededRandom(seed)));
    const parsed = JSON.parse(answerText(ids, answers, false).text) as Parsed;
    const found = parsed.results.map(({ candidates }) => restored(candidates));
    expect(found).toStrictEqual(answers.map((answer) => expected(ids, answer)));
  });
});

describe('answers that are too large to be written at once', () => {
  const ids = Array.from({ length: 20_000 }, (_, i) => (i % 7 === 0 ? `"${i}"` : `item ${i}`));
  const answer = (seed: number) => allOf(ids, seededRandom(seed));

  it('are written in turns, each whole, single or beside small ones', async () => {
    for (const single of [true, false]) {
      const answers = single ? [answer(1)] : [answer(1), allOf(ids.slice(0, 3), seededRandom(2)), answer(3), answer(4)];
      const { text, manifest } = openAnswers(ids, answers, single);
      expect(answers.map((_, position) => text.has(position))).toEqual(answers.map(() => true)); // or on their way
      let turns = 0;
      const turning = setInterval(() => turns++, 0);
      const body = Buffer.concat(await text.finish(() => 7)).toString();
      clearInterval(turning);
      expect(turns).toBeGreaterThan(0);
      const parsed = JSON.parse(body) as Parsed;
      const found = single ? [parsed] : parsed.results;
      found.forEach(({ candidates }, i) =>
        expect(restored(candidates)).toStrictEqual(expected(single || i !== 1 ? ids : ids.slice(0, 3), answers[i]!)),
      );
      expect(parsed).toMatchObject({ ...manifest, took_ms: 7 });
    }
  });

  it('are given up when their time is over', async () => {
    const check = () => {
      throw new Error('over');
    };
    const { text } = openAnswers(ids, [answer(1), answer(2)], false, { check });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(text.finish(() => 1)).rejects.toThrow('over');
  });
});

describe('attributes as JSON text', () => {
  const ROWS = 40;
  const CHUNK = 13;
  const random = seededRandom(SEED);
  const any = <T>(...values: readonly T[]) => values[Math.floor(random() * values.length)]!;
  const int = (bits: 8 | 16 | 32 | 64, signed: boolean): ColumnType => ({ kind: 'int', bits, signed });
  const float = (bits: 16 | 32 | 64): ColumnType => ({ kind: 'float', bits });
  const floats = () => any(0, -0, 1, -1.5, 0.1, 1e21, 1e-9, 3e38, NaN, Infinity, -Infinity, random());
  const bigs = () => any(0n, 7n, -7n, 2n ** 30n, 2n ** 53n - 1n, 2n ** 53n, -(2n ** 63n), 2n ** 63n - 1n);
  const numbers = (type: ColumnType, values: NumberArray): Column => ({ shape: 'numbers', type, rows: values.length, valid: null, values }); // prettier-ignore
  const texts = (): Column => {
    const values = Array.from({ length: CHUNK }, () => any('', 'plain', '"quoted"', 'back\\slash', 'line\nbreak', 'ü€😀', '\u0001'));
    const offsets = Uint32Array.from([0, ...values]).fill(0);
    values.forEach((value, row) => (offsets[row + 1] = offsets[row]! + Buffer.byteLength(value)));
    return { shape: 'strings', type: { kind: 'utf8' }, rows: CHUNK, valid: null, offsets, bytes: Buffer.from(values.join('')) };
  }; // prettier-ignore
  const fill = <T>(make: () => T) => Array.from({ length: CHUNK }, make);
  /** A chunk of each kind of column. */
  const KINDS: Readonly<Record<string, () => Column>> = {
    int8: () => numbers(int(8, true), Int8Array.from(fill(() => any(0, 1, -1, -128, 127)))),
    uint32: () => numbers(int(32, false), Uint32Array.from(fill(() => any(0, 2 ** 30 - 1, 2 ** 30, 2 ** 32 - 1)))),
    int32: () => numbers(int(32, true), Int32Array.from(fill(() => any(0, -(2 ** 31), 2 ** 31 - 1)))),
    int64: () => numbers(int(64, true), BigInt64Array.from(fill(bigs))),
    uint64: () => numbers(int(64, false), BigUint64Array.from(fill(bigs))),
    float16: () => numbers(float(16), Float32Array.from(fill(() => any(0.5, 65504, NaN, Infinity)))),
    float32: () => numbers(float(32), Float32Array.from(fill(floats))),
    'float64 "é"': () => numbers(float(64), Float64Array.from(fill(floats))),
    day: () => numbers({ kind: 'date', unit: 'day' }, Int32Array.from(fill(() => any(0, -1, 20_000, 3_000_000)))),
    moment: () => numbers({ kind: 'timestamp', unit: 'us', timezone: 'UTC' }, BigInt64Array.from(fill(bigs))),
    bool: () => ({ shape: 'bools', type: { kind: 'bool' }, rows: CHUNK, valid: null, values: Uint8Array.from(fill(() => any(0, 1))) }),
    text: texts,
    texts: () => {
      const offsets = Uint32Array.from({ length: CHUNK + 1 }, (_, row) => Math.min(row, CHUNK - 3));
      return { shape: 'lists', type: { kind: 'list', item: { kind: 'utf8' }, size: null }, rows: CHUNK, valid: null, offsets, items: texts() };
    },
  }; // prettier-ignore

  it(`are what the values are in JSON, for every type, nulls among them (seed ${SEED})`, () => {
    const columns = new Map(
      Object.entries(KINDS).map(([name, make]) => {
        const chunks = Array.from({ length: Math.ceil(ROWS / CHUNK) }, (_, chunk) => {
          const column = make();
          const valid = chunk === 1 ? Uint8Array.from({ length: CHUNK }, () => any(0, 1)) : null;
          return { first: chunk * CHUNK, column: { ...column, valid } };
        });
        const field = { name, type: chunks[0]!.column.type, nullable: true, label: name };
        return [name, new AttributeColumn(field, chunks.length * CHUNK, chunks)];
      }),
    );
    const names = [...columns.keys()];
    const version = { attributes: { names, column: (name: string) => columns.get(name)! } } as unknown as LoadedVersion;
    const write = attributesWriter(version, names);
    for (let ordinal = 0; ordinal < ROWS; ordinal++) {
      const out = new TextBytes();
      out.ascii('{"id":1');
      write(ordinal, out);
      out.ascii('}');
      const expected = Object.fromEntries(names.map((name) => [name, columns.get(name)!.value(ordinal)]));
      expect(out.copy().toString()).toBe(JSON.stringify({ id: 1, attributes: expected }));
    }
  });
});
