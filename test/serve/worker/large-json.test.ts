/** Large JSON bodies: read in steps, what comes out is what JSON.parse and the readers of small bodies give, to the bit. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ShortlistError } from '../../../src/base/errors.js';
import { MAX_DIM } from '../../../src/base/limits.js';
import { parseJson } from '../../../src/serve/request/body.js';
import { LargeJson } from '../../../src/serve/request/large-json.js';
import { readBase64Vector, readJsonVector } from '../../../src/serve/request/vectors.js';

const seed = Date.now() % 1e9;

/** All steps at once; `counted` is what was taken for it. */
function read(body: Buffer | string): { value: unknown; steps: number; counted: number } {
  let counted = 0;
  const memory = {
    grow: (bytes: number) => {
      counted += bytes;
    },
  };
  const reading = new LargeJson(Buffer.from(body as string), memory).read();
  for (let steps = 1; ; steps++) {
    const { done, value } = reading.next();
    if (done === true) return { value, steps, counted };
  }
}

function failureOf(action: () => unknown): ShortlistError | null {
  try {
    action();
    return null;
  } catch (error) {
    if (error instanceof ShortlistError) return error;
    throw error;
  }
}

const codeOf = (action: () => unknown) => failureOf(action)?.code ?? null;

/** White space of every kind, also more than one step of it. */
const space = fc.oneof(
  { weight: 20, arbitrary: fc.constant('') },
  { weight: 5, arbitrary: fc.constantFrom(' ', '\n', '\t\r\n  ') },
  { weight: 1, arbitrary: fc.constant(' '.repeat(40_000)) },
);

const numberText = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer().map(String),
  fc.constantFrom('-0', '0', '1e400', '-1E-400', '1.5e+3', '3.4028235677973366e38', '1e-46', '0.1e1', '123456789012345678901'),
  fc.bigInt({ min: 0n, max: 10n ** 60n }).map((digits) => `0.${digits}`),
); // prettier-ignore

describe('a large JSON body', () => {
  it('is what JSON.parse gives, whatever it holds', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 0, max: 2 }), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(read(text).value).toEqual(JSON.parse(text));
      }),
      { seed, numRuns: 300 },
    );
  });

  it.each([
    '{"__proto__":{"a":1},"constructor":2,"hasOwnProperty":3}',
    '{"10":1,"9":2,"a":3,"":4}',
    '"\\u0000\\ud800 \\" \\\\ \\/ ü 日本 😀 \\n"',
    '[true,false,null,-0,1E5]',
    ' {"a" : [ ] , "b" : { } } ',
  ])('%s too', (text) => {
    const { value } = read(text);
    expect(value).toStrictEqual(JSON.parse(text));
    expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(text)));
  });

  it('has the vectors of a small one, to the bit', () => {
    const list = fc.tuple(fc.array(fc.tuple(space, numberText, space), { maxLength: 60 }), space);
    fc.assert(
      fc.property(fc.array(list, { maxLength: 4 }), (lists) => {
        const texts = lists.map(([parts, end]) => `[${parts.map((part) => part.join('')).join()}${end}]`);
        const { value } = read(`{"vectors":[${texts.join()}]}`);
        const expected = texts.map((text) => readJsonVector(JSON.parse(text), '/v'));
        const { vectors } = value as { vectors: unknown[] };
        expect(vectors.map((vector) => bits(readJsonVector(vector, '/v')))).toEqual(expected.map(bits));
      }),
      { seed, numRuns: 200 },
    );
  });

  it('has long vectors, whose numbers stand across the borders of steps', () => {
    const list = Array.from({ length: MAX_DIM }, (_, i) => Math.sin(i) * 10 ** ((i % 80) - 40));
    const { value, steps } = read(JSON.stringify({ vector: list, seeds: [{ vector: list }] }, null, 1));
    const { vector, seeds } = value as { vector: Float32Array; seeds: { vector: Float32Array }[] };
    expect(bits(vector)).toEqual(bits(Float32Array.from(list)));
    expect(bits(seeds[0]!.vector)).toEqual(bits(vector));
    expect(steps).toBeGreaterThan(40);
  });

  it('says of a vector that is none what a small one says, and reads on', () => {
    const wrong = ['["1"]', '[1,[2],3]', '[1,{"a":[]}]', '[true]', '"1,2"', '5', '{}', '["]",1]', '[1,"a,b",2]'];
    const { value } = read(`{"vectors":[${wrong.join()},[1,2]]}`);
    const { vectors } = value as { vectors: unknown[] };
    for (const [i, text] of wrong.entries()) {
      const expected = failureOf(() => readJsonVector(JSON.parse(text), `/vectors/${i}`))!;
      expect(failureOf(() => readJsonVector(vectors[i], `/vectors/${i}`))).toEqual(expected);
    }
    expect(vectors.at(-1)).toEqual(Float32Array.of(1, 2));
  });

  it('has texts of base64 as a small one takes and refuses them', () => {
    const text = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('base64')),
      fc.float32Array({ maxLength: 40_000 }).map((values) => Buffer.from(values.buffer).toString('base64')),
      fc.base64String(),
      fc.string(),
      fc.stringMatching(/^[A-Za-z0-9+/=_-]{0,12}$/),
      fc.constantFrom('=', '====', 'AAAA=AAA', 'AB==', 'AA==AAAA', 'AAA', 'A\nAA'),
    );
    const escaped = fc.tuple(text, fc.integer({ min: 0, max: 3 })).map(([value, way]) => {
      const json = JSON.stringify(value);
      if (way === 1) return json.replaceAll('/', '\\/');
      if (way === 2) return json.replaceAll('=', '\\u003d').replaceAll('+', '\\u002b');
      return json;
    });
    fc.assert(
      fc.property(fc.array(escaped, { maxLength: 4 }), (texts) => {
        const { value } = read(`{"vectors_b64":[${texts.join()}]}`);
        for (const [i, read] of (value as { vectors_b64: unknown[] }).vectors_b64.entries()) {
          const outcome = (from: unknown) => {
            const failure = failureOf(() => readBase64Vector(from, '/v'));
            return failure === null ? bits(readBase64Vector(from, '/v')) : failure.code;
          };
          expect(outcome(read), texts[i]).toEqual(outcome(JSON.parse(texts[i]!)));
        }
      }),
      { seed, numRuns: 300 },
    );
  });

  it('is refused where JSON.parse refuses it', () => {
    const valid = '{"a":[1,-2.5e3,"t\\u00e9xt",true,null,{"b":{}}],"vector":[1, 2 ,3],"vector_b64":"AAAA","ids":["x"]}';
    const bytes = Buffer.from(valid);
    const broken = fc.oneof(
      fc.nat(bytes.length).map((end) => bytes.subarray(0, end)),
      fc
        .tuple(fc.nat(bytes.length - 1), fc.constantFrom(...Array.from('[]{}",:\\0e.- tn\n\u0001x')))
        .map(([at, character]) => {
          const copy = Buffer.from(bytes);
          copy.write(character, at, 'latin1');
          return copy;
        }),
      fc.nat(bytes.length - 1).map((at) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])),
    );
    fc.assert(
      fc.property(broken, (body) => {
        const expected = codeOf(() => parseJson(body));
        const found = codeOf(() => read(body));
        if (expected === found) return;
        expect(expected).toBe('bad_json');
        // What may not stand in a text may not stand in base64 either; and a name may come twice before the fault.
        expect(found ?? codeOf(() => readAll(read(body).value))).toMatch(found === null ? 'bad_base64' : 'bad_request');
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it('is not read on where a member is given twice', () => {
    expect(failureOf(() => read('{"filter":{"a~/b":1,"a~/b":2}}'))).toMatchObject({
      code: 'bad_request',
      details: { field: '/filter/a~0~1b' },
    });
    expect(codeOf(() => read('{"x":1,"\\u0078":2}'))).toBe('bad_request');
    expect(codeOf(() => read('{"__proto__":1,"__proto__":2}'))).toBe('bad_request');
  });

  const MiB = 2 ** 20;
  const fill = (open: string, item: string, close: string, bytes = 4 * MiB) =>
    `${open}${item.repeat(Math.floor(bytes / item.length)).slice(0, -1)}${close}`;

  it.each([
    ['objects', fill('{"filter":{"$and":[', '{},', ']}}'), 'body_too_large'],
    ['lists', fill('[', '[],', ']'), 'body_too_large'],
    ['lists in each other', '['.repeat(4 * MiB), 'body_too_large'],
    ['filters in each other', '{"$not":'.repeat(MiB), 'body_too_large'],
    ['members', `{"filter":{${Array.from({ length: 200_000 }, (_, i) => `"${i}":1`).join()}}}`, 'body_too_large'],
    ['numbers', fill('{"filter":{"a":{"$in":[', '1,', ']}}}'), 'body_too_large'],
    ['texts', fill('{"exclude_ids_":[', '"\\u0041",', ']}'), 'body_too_large'],
    ['long texts', `["${'x'.repeat(4 * MiB)}"]`, 'body_too_large'],
    ['texts of 60 KiB', fill('[', `"${'é'.repeat(30_000)}",`, ']', 32 * MiB), 'body_too_large'],
    ['ids', fill('{"ids":[', '1,', ']}'), 'batch_too_large'],
    ['ids to exclude', fill('{"exclude_ids":[', '1,', ']}'), 'bad_field'],
    ['vectors of one number', fill('{"vectors":[', '[1],', ']}'), 'batch_too_large'],
    ['vectors of base64', fill('{"vectors_b64":[', '"AAAAAA==",', ']}'), 'batch_too_large'],
    ['seeds', fill('{"seeds":[', '{"id":1},', ']}'), 'batch_too_large'],
    ['backslashes', `"${'\\'.repeat(4 * MiB)}"`, 'body_too_large'],
    ['a number of many digits', `[${'1'.repeat(MiB)}]`, 'bad_json'],
  ])('of too many %s is refused early', (_what, body, code) => {
    expect(codeOf(() => read(body))).toBe(code);
  });

  it.each([
    ['one vector of too many numbers', fill('{"vector":[', '0,', ']}'), 'dimension_mismatch'],
    ['base64 that is none', `{"vector_b64":"${'\\/_'.repeat(MiB)}"}`, 'bad_base64'],
  ])('%s is passed over, and refused for what it is', (_what, body, code) => {
    expect(codeOf(() => readAll(read(body).value))).toBe(code);
  });

  it('counts at most twice the bytes that it has, whatever they are', () => {
    const texts = (value: string, count: number) => Array.from({ length: count }, (_, i) => `${value}${i}`);
    const numbers = Array.from({ length: 16_000 }, (_, i) => i % 10);
    const bodies = [
      { vectors: Array.from({ length: 200 }, () => numbers) },
      { vectors_b64: Buffer.alloc(3 * MiB).toString('base64') },
      { exclude_ids: texts('x'.repeat(1_000), 4_000) },
      { filter: { a: { $in: texts('日本'.repeat(200), 4_000) } } },
    ];
    for (const body of bodies) {
      const text = JSON.stringify(body);
      expect(read(text).counted).toBeLessThanOrEqual(2.1 * Buffer.byteLength(text));
    }
  });

  it('stops where its memory is refused', () => {
    const refusal = new ShortlistError('overloaded', 'no more');
    const memory = {
      grow: () => {
        throw refusal;
      },
    };
    expect(() => [...new LargeJson(Buffer.from('{"vector":[1]}'), memory).read()]).toThrow(refusal);
  });
});

function bits(vector: Float32Array): number[] {
  return [...new Uint32Array(vector.buffer, vector.byteOffset, vector.length)];
}

/** As the fields of a search are read. */
function readAll(value: unknown): void {
  const { vector, vector_b64 } = value as { vector?: unknown; vector_b64?: unknown };
  if (vector !== undefined) readJsonVector(vector, '/vector');
  if (vector_b64 !== undefined) readBase64Vector(vector_b64, '/vector_b64');
}
