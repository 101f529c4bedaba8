import { gunzipSync, gzipSync } from 'node:zlib';
import {
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int8,
  List,
  RecordBatchFileWriter,
  RecordBatchStreamWriter,
  Table,
  Vector,
  makeData,
  tableFromIPC,
  vectorFromArray,
} from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS, type ErrorCode } from '../../../src/base/errors.js';
import { makeVectors, publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer } from '../server.js';

const DIM = 16;
const ARROW = 'application/vnd.apache.arrow.stream';
const ROUTE = '/v1/indexes/listings/search';

interface Quality {
  readonly path: string;
  readonly short: string | null;
}

interface JsonBody {
  readonly version: string;
  readonly candidates: { id: string; score: number; attributes?: Record<string, unknown>; vector?: number[] }[];
  readonly quality: Quality;
  readonly results: (Pick<JsonBody, 'candidates' | 'quality'> & { error?: { code: string } })[];
}

/** A column of lists of one size. */
function fixedLists(vectors: Float32Array, dim = DIM): Vector {
  const list = new FixedSizeList(dim, new Field('item', new Float32(), false));
  const child = makeData({ type: new Float32(), length: vectors.length, nullCount: 0, data: vectors });
  return new Vector([makeData({ type: list, length: vectors.length / dim, nullCount: 0, child })]);
}

const lists = (type: Float32 | Float64, rows: unknown[]) =>
  vectorFromArray(rows, new List(new Field('item', type, true)));

const listsOfLists = (rows: unknown[]) =>
  vectorFromArray(rows, new List(new Field('item', new List(new Field('item', new Float32(), true)), true)));

function streamOf(columns: Record<string, Vector>): Uint8Array {
  return RecordBatchStreamWriter.writeAll(new Table(columns)).toUint8Array(true);
}

describe('the wire forms of a search', () => {
  let server: TestServer;
  let version: string;
  const root = temporaryFolder();
  const queries = makeVectors(5, DIM, 99);
  const rows = Array.from({ length: 5 }, (_, row) => Array.from(queries.subarray(row * DIM, (row + 1) * DIM)));

  beforeAll(async () => {
    ({ version } = await publishVersion(root, 'listings', { rows: 2_000, dim: DIM, shards: 2 }));
    await publishVersion(root, 'names', { rows: 60, dim: DIM, textIds: true, seed: 5 });
    server = await TestServer.start(root, ['--workers', '1', '--body-limit', '256KiB']);
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  async function searchJson(body: unknown, index = 'listings'): Promise<JsonBody> {
    const response = await server.search(body, index);
    expect(response.status).toBe(200);
    return (await response.json()) as JsonBody;
  }

  const sendArrow = (bytes: Uint8Array, parameters = '', headers: Record<string, string> = {}) =>
    server.post(`${ROUTE}${parameters}`, bytes, { 'content-type': ARROW, ...headers });

  async function readTable(response: Response): Promise<Table> {
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(ARROW);
    return tableFromIPC(new Uint8Array(await response.arrayBuffer()));
  }

  const columnOf = (table: Table, name: string): unknown[] => [...(table.getChild(name) as Iterable<unknown>)];

  describe('Arrow in', () => {
    it('answers a column of vectors as the same vectors in JSON, whatever lists they are', async () => {
      const expected = (await searchJson({ vectors: rows, k: 7 })).results;
      const streams = [
        streamOf({ vector: fixedLists(queries) }),
        streamOf({ embedding: lists(new Float32(), rows) }),
        streamOf({ anything: lists(new Float64(), rows) }),
        streamOf({ id: vectorFromArray([1, 2, 3, 4, 5]), vector: fixedLists(queries) }),
        streamOf({ v: listsOfLists(rows.map((row) => [row])) }),
        streamOf({ v: fixedLists(queries) }).slice(0, -8), // without the end marker, which the format does not ask for
      ];
      for (const bytes of streams) {
        const answer = (await (await sendArrow(bytes, '?k=7')).json()) as JsonBody;
        expect(answer.results).toEqual(expected);
      }
    });

    it('answers vectors of bytes as the numbers they are', async () => {
      const bytes = rows.map((row) => row.map((_, i) => ((i * 37) % 120) - 60 || 1));
      const stream = streamOf({ v: vectorFromArray(bytes, new List(new Field('item', new Int8(), true))) });
      const answer = (await (await sendArrow(stream, '?k=7')).json()) as JsonBody;
      expect(answer.results).toEqual((await searchJson({ vectors: bytes, k: 7 })).results);
    });

    it('answers one row in candidates, or in results where a batch is asked for, and none in no results', async () => {
      const one = streamOf({ vector: fixedLists(queries.slice(0, DIM)) });
      const expected = await searchJson({ vector: rows[0], k: 3, exact: true });
      const single = (await (await sendArrow(one, '?k=3&exact=true')).json()) as JsonBody;
      expect(single.candidates).toEqual(expected.candidates);
      const batch = (await (await sendArrow(one, '?k=3&exact=true&batch=true')).json()) as JsonBody;
      expect(batch.results).toEqual([{ candidates: expected.candidates, quality: expected.quality }]);
      const none = streamOf({ vector: fixedLists(new Float32Array(0)) });
      expect(await (await sendArrow(none)).json()).toMatchObject({ results: [] });
    });

    it('takes several record batches, and the column that is named', async () => {
      const batches = [queries.slice(0, 2 * DIM), queries.slice(2 * DIM)].map(
        (part) => new Table({ a: fixedLists(part), b: fixedLists(Float32Array.from(part, (x) => -x)) }).batches[0]!,
      );
      const bytes = RecordBatchStreamWriter.writeAll(batches).toUint8Array(true);
      const opposite = rows.map((row) => row.map((value) => -value));
      const answer = (await (await sendArrow(bytes, '?k=4&vector_column=b')).json()) as JsonBody;
      expect(answer.results).toEqual((await searchJson({ vectors: opposite, k: 4 })).results);
    });

    const nullInside = (rows as (number | null)[][]).map((row, position) =>
      position === 3 ? [null, ...row.slice(1)] : row,
    );
    const cases: [what: string, bytes: () => Uint8Array, code: ErrorCode, more?: object, parameters?: string][] = [
      ['no Arrow', () => Buffer.from('{"vector":[1]}'), 'bad_arrow'],
      ['nothing', () => new Uint8Array(0), 'bad_arrow'],
      ['a stream that is cut short', () => streamOf({ v: fixedLists(queries) }).slice(0, -20), 'bad_arrow'],
      ['an Arrow file', () => RecordBatchFileWriter.writeAll(new Table({ v: fixedLists(queries) })).toUint8Array(true), 'bad_arrow'],
      ['no vector column', () => streamOf({ id: vectorFromArray([1, 2]) }), 'bad_arrow'],
      ['two vector columns', () => streamOf({ a: fixedLists(queries), b: fixedLists(queries) }), 'bad_arrow'],
      ['a column that is not there', () => streamOf({ a: fixedLists(queries) }), 'bad_arrow', {}, '?vector_column=b'],
      ['a null vector', () => streamOf({ v: lists(new Float32(), [null]) }), 'bad_vector', { field: '/v/0' }],
      ['another length', () => streamOf({ v: fixedLists(new Float32Array(8).fill(1), 4) }), 'dimension_mismatch', { field: '/v/0' }],
      ['beyond float32', () => streamOf({ v: lists(new Float64(), [rows[0]!.map((x) => x * 1e300)]) }), 'vector_not_finite'],
      ['the zero vector', () => streamOf({ v: fixedLists(new Float32Array(DIM)) }), 'vector_zero'],
      ['too many rows', () => streamOf({ v: fixedLists(new Float32Array(1025 * 2).fill(1), 2) }), 'batch_too_large'],
    ]; // prettier-ignore
    const single: [what: string, vectors: () => Vector, code: ErrorCode, position: number][] = [
      ['a null vector', () => lists(new Float32(), [rows[0], null, rows[1]]), 'bad_vector', 1],
      ['a null in a vector', () => lists(new Float32(), nullInside), 'bad_vector', 3],
      ['two lists in a list', () => listsOfLists([[rows[0]], [rows[1], rows[2]]]), 'bad_vector', 1],
      ['another length', () => lists(new Float32(), [rows[0], [1, 2], rows[1]]), 'dimension_mismatch', 1],
      ['NaN', () => fixedLists(new Float32Array(3 * DIM).fill(1).fill(NaN, DIM, DIM + 1)), 'vector_not_finite', 1],
      ['zeros', () => fixedLists(new Float32Array(3 * DIM).fill(1).fill(0, DIM, 2 * DIM)), 'vector_zero', 1],
    ];
    it.each(single)(
      'one bad row fails alone, in JSON and Arrow answers: %s',
      async (_what, vectors, code, position) => {
        const bytes = streamOf({ v: vectors() });
        const { results } = (await (await sendArrow(bytes, '?k=2')).json()) as JsonBody;
        expect(results[position]!.error).toMatchObject({ code, field: `/v/${position}` });
        expect(results.filter(({ error, candidates }) => error === undefined && candidates.length === 2)).toHaveLength(results.length - 1); // prettier-ignore
        const table = await readTable(await sendArrow(bytes, '?k=2', { accept: ARROW }));
        expect(JSON.parse(table.schema.metadata.get('errors')!)).toMatchObject({ [position]: { code } });
        expect(table.numRows).toBe(2 * (results.length - 1));
      },
    );

    it.each(cases)('refuses %s', async (_what, bytes, code, more, parameters) => {
      const response = await sendArrow(bytes(), parameters ?? '');
      expect(await response.json()).toMatchObject({ code, status: ERRORS[code].status, ...(more ?? {}) });
    });
  });

  describe('Arrow out', () => {
    const accept = { accept: ARROW };

    it('has ids in their type, scores to the bit, attributes with their nulls and the vectors', async () => {
      const include = { attributes: ['price', 'title'], vectors: true };
      const { candidates, quality } = await searchJson({ vector: rows[0], k: 50, include });
      const response = await server.post(ROUTE, { vector: rows[0], k: 50, include }, accept);
      const table = await readTable(response);
      expect(table.schema.fields.map(({ name, type, nullable }) => `${name}: ${String(type)}${nullable ? '?' : ''}`)).toEqual([
        'query: Int32', 'id: Int64', 'score: Float32', 'price: Float64?', 'title: Utf8?', `vector: FixedSizeList[${DIM}]<Float32>`,
      ]); // prettier-ignore
      expect(columnOf(table, 'query')).toEqual(candidates.map(() => 0));
      expect(columnOf(table, 'id')).toEqual(candidates.map(({ id }) => BigInt(id)));
      expect(columnOf(table, 'score')).toEqual(candidates.map(({ score }) => Math.fround(score)));
      expect(columnOf(table, 'price')).toEqual(candidates.map(({ attributes }) => attributes!['price']));
      expect(columnOf(table, 'price')).toContain(null);
      expect(columnOf(table, 'title')).toEqual(candidates.map(({ attributes }) => attributes!['title']));
      const vectors = (columnOf(table, 'vector') as Iterable<number>[]).map((vector) => [...vector]);
      expect(vectors).toEqual(candidates.map(({ vector }) => vector!.map(Math.fround)));
      const { metadata } = table.schema;
      expect([metadata.get('index'), metadata.get('version')]).toEqual(['listings', version]);
      expect(Number(metadata.get('took_ms'))).toBeGreaterThan(0);
      expect(JSON.parse(metadata.get('quality')!)).toEqual([quality]);
    });

    it('has the rows of a batch in query order, from an Arrow stream as well, and errors by position', async () => {
      const { results } = await searchJson({ vectors: rows, k: 9 });
      const bytes = streamOf({ vector: fixedLists(queries) });
      const table = await readTable(await sendArrow(bytes, '?k=9', accept));
      expect(columnOf(table, 'query')).toEqual(results.flatMap(({ candidates }, query) => candidates.map(() => query)));
      expect(columnOf(table, 'id').map(String)).toEqual(
        results.flatMap(({ candidates }) => candidates.map(({ id }) => id)),
      );
      expect(JSON.parse(table.schema.metadata.get('quality')!)).toEqual(results.map(({ quality }) => quality));
      const byIds = await readTable(await server.post(ROUTE, { ids: ['1', 'nobody', 3], k: 2 }, accept));
      expect(columnOf(byIds, 'query')).toEqual([0, 0, 2, 2]);
      const quality = JSON.parse(byIds.schema.metadata.get('quality')!) as (Quality | null)[];
      expect(quality.map((one) => one?.short)).toEqual([null, undefined, null]);
      expect(JSON.parse(byIds.schema.metadata.get('errors')!)).toMatchObject({
        1: { code: 'unknown_id', status: 404 },
      });
    });

    it('has ids that are text, and a table without rows where nothing is found', async () => {
      const named = await readTable(await server.post('/v1/indexes/names/search', { id: 'item-7', k: 4 }, accept));
      const { candidates } = await searchJson({ id: 'item-7', k: 4 }, 'names');
      expect(columnOf(named, 'id')).toEqual(candidates.map(({ id }) => id));
      const empty = await readTable(await server.post(ROUTE, { vector: rows[0], min_score: 2 }, accept));
      expect(empty.numRows).toBe(0);
      expect(JSON.parse(empty.schema.metadata.get('quality')!)).toMatchObject([{ short: 'min_score' }]);
    });

    it('says errors of the whole request as every form does', async () => {
      const response = await server.post(ROUTE, { vector: [1] }, accept);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
      expect(await response.json()).toMatchObject({ code: 'dimension_mismatch' });
    });
  });

  describe('gzip', () => {
    const zipped = { 'content-encoding': 'gzip' };

    it('in: every form is read as if it had come plain', async () => {
      const expected = await searchJson({ vector: rows[0], k: 5 });
      const json = gzipSync(JSON.stringify({ vector: rows[0], k: 5 }));
      const bytes = gzipSync(new Uint8Array(queries.slice(0, DIM).buffer));
      const arrow = gzipSync(streamOf({ vector: fixedLists(queries.slice(0, DIM)) }));
      const responses = [
        await server.post(ROUTE, json, zipped),
        await server.post(ROUTE, json, { 'content-encoding': 'X-GZIP' }),
        await server.post(`${ROUTE}?k=5`, bytes, { ...zipped, 'content-type': 'application/octet-stream' }),
        await sendArrow(arrow, '?k=5', zipped),
      ];
      for (const response of responses) {
        expect(((await response.json()) as JsonBody).candidates).toEqual(expected.candidates);
      }
    });

    it('in: a bomb is too large, at the limit of plain bodies, and what is no gzip is refused', async () => {
      const body = (bytes: number) => JSON.stringify({ id: '1', k: 1, version: version.padEnd(bytes) });
      const limit = 256 * 1024;
      for (const bytes of [limit, 50_000_000]) {
        const bomb = gzipSync(body(bytes));
        expect(bomb.length).toBeLessThan(limit / 2);
        const response = await server.post(ROUTE, bomb, zipped);
        expect(await response.json()).toMatchObject({ code: 'body_too_large', status: 413 });
      }
      const fits = await server.post(
        ROUTE,
        gzipSync(JSON.stringify({ id: '1', k: 1 }) + ' '.repeat(limit - 30)),
        zipped,
      );
      expect(fits.status).toBe(200);
      const good = gzipSync('{"id":"1"}');
      for (const bytes of [Buffer.from('{"id":"1"}'), good.subarray(0, 15), new Uint8Array(0)]) {
        const response = await server.post(ROUTE, bytes, zipped);
        expect(response.status, await response.text()).toBe(400);
      }
      expect(await (await server.get('/metrics')).text()).toContain('shortlist_buffered_bytes 0');
    });

    /** What is on the wire: fetch would unfold it. */
    async function exchange(body: string, headers: string): Promise<{ head: string; bytes: Buffer }> {
      const request = `POST ${ROUTE} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`;
      const text = await server.raw(request);
      const end = text.indexOf('\r\n\r\n');
      return { head: text.slice(0, end).toLowerCase(), bytes: Buffer.from(text.slice(end + 4), 'latin1') };
    }

    it('out: large answers, once, where the client takes it', async () => {
      const large = JSON.stringify({ vector: rows[0], k: 2_000, include: { attributes: true } });
      const plain = await exchange(large, '');
      expect(plain.head).not.toContain('content-encoding');
      expect(plain.head).toContain('vary: accept, accept-encoding');
      const packed = await exchange(large, 'Accept-Encoding: br, gzip\r\n');
      expect(packed.head).toContain('content-encoding: gzip');
      expect(packed.head).toContain('vary: accept, accept-encoding');
      expect(packed.head).toContain(`content-length: ${packed.bytes.length}`);
      expect(packed.bytes.length).toBeLessThan(plain.bytes.length / 2);
      const [one, other] = [plain.bytes, gunzipSync(packed.bytes)].map(
        (bytes) => JSON.parse(bytes.toString()) as JsonBody,
      );
      expect(other!.candidates).toEqual(one!.candidates);
      const refused = await exchange(large, 'Accept-Encoding: gzip;q=0\r\n');
      expect(refused.head).not.toContain('content-encoding');
      const small = await exchange(JSON.stringify({ vector: rows[0], k: 100 }), 'Accept-Encoding: gzip\r\n');
      expect(small.head).not.toContain('content-encoding');
    });
  });

  it('null is as left out, for every optional field', async () => {
    const nothing = {
      vector_b64: null, id: null, vectors: null, vectors_b64: null, ids: null, ef: null, exact: null, exclude_ids: null,
      include: null, min_score: null, version: null, timeout_ms: null, allow_partial: null, filter: null, seeds: null,
    }; // prettier-ignore
    const expected = await searchJson({ vector: rows[0] });
    expect((await searchJson({ ...nothing, vector: rows[0], k: null })).candidates).toEqual(expected.candidates);
    const include = { attributes: null, vectors: null };
    expect((await searchJson({ vector: rows[0], include })).candidates).toEqual(expected.candidates);
  });
});
