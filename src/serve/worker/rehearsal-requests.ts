/** The requests of a rehearsal: complete HTTP requests to one version, in every wire form. */
import type { Column, ColumnType } from '../../arrow/column.js';
import { encodeArrow } from '../../arrow/write/encoder.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { ARROW_TYPE } from '../answer/answer-arrow.js';

/** Vectors of the version to search for, spread over its rows. */
const VECTORS = 64;

const BATCH_SIZE = 16;

/** Values of k in turn, weighted as clients use them. */
const KS = [100, 10, 100, 100, 100, 10, 100, 1000];

/** One of this many vectors is used in a batch and an exact search, which take ten times as long. */
const VECTORS_PER_RARE_REQUEST = 16;

/** For each vector, one request of each common form; others less often. Each is written when it is needed. */
export function* writeRehearsal(version: LoadedVersion): Generator<Buffer, void, undefined> {
  const { manifest } = version;
  const { index, version: name, count } = manifest;
  const path = `/v1/indexes/${index}/search`;
  const pinned = `version=${name}`;
  const columns = manifest.attributes.map((column) => column.name);
  const filters = columns.slice(0, 4).map((column) => ({ [column]: { $exists: true } }));
  const include = { attributes: columns.slice(0, 8) };
  for (let i = 0; i < VECTORS; i++) {
    const vector = version.vectorOf(Math.floor((i * count) / VECTORS));
    const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
    const packed = bytes.toString('base64');
    const k = KS[i % KS.length]!;
    const json = (body: object, accept?: string) =>
      post(path, JSON_TYPE, JSON.stringify({ version: name, ...body }), accept);
    const binary = () => post(`${path}?${pinned}&k=${k}`, 'application/octet-stream', bytes);
    const arrow = () => post(`${path}?${pinned}&k=${k}`, ARROW_TYPE, encodeVectors([vector]), ARROW_TYPE);
    yield binary();
    yield json({ vector_b64: packed, k });
    yield json({ vector: [...vector], k });
    yield arrow();
    yield binary();
    yield json({ vector_b64: packed, k, include });
    const filter = filters[i % Math.max(1, filters.length)];
    if (filter !== undefined && i % 2 === 0) yield json({ vector_b64: packed, k, filter });
    if (i % VECTORS_PER_RARE_REQUEST !== 0) continue;
    const batch = { vectors_b64: Buffer.concat(Array.from({ length: BATCH_SIZE }, () => bytes)).toString('base64'), k };
    yield json(batch);
    yield json({ vector_b64: packed, k, exact: true }, ARROW_TYPE);
  }
}

const JSON_TYPE = 'application/json';

function post(path: string, type: string, body: string | Uint8Array, accept = JSON_TYPE): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: rehearsal',
    `content-type: ${type}`,
    `accept: ${accept}`,
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), Buffer.from(body as Uint8Array)]);
}

/** An Arrow stream with one column of float32 lists. @param vectors at least one, all of the same length */
export function encodeVectors(vectors: readonly Float32Array[]): Uint8Array {
  const dim = vectors[0]!.length;
  const item: ColumnType = { kind: 'float', bits: 32 };
  const type: ColumnType = { kind: 'list', item, size: dim };
  const values = new Float32Array(vectors.length * dim);
  for (const [position, vector] of vectors.entries()) values.set(vector, position * dim);
  const items: Column = { shape: 'numbers', type: item, rows: values.length, valid: null, values };
  const offsets = Uint32Array.from({ length: vectors.length + 1 }, (_, row) => row * dim);
  const column: Column = { shape: 'lists', type, rows: vectors.length, valid: null, offsets, items };
  return encodeArrow('stream', { fields: [{ name: 'vector', type, nullable: false }] }, [[column]]);
}
