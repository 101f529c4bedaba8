/** Searches as HTTP requests, in any of the forms that can carry them; and what comes back in one shape. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { tableFromIPC } from 'apache-arrow';
import { pick } from '../retrieve/filter/random-filters.js';
import { encodeQueries } from './catalog.js';
import { joinVectors, type Asked, type MadeSearch } from './requests.js';

export const JSON_TYPE = 'application/json';
export const BINARY_TYPE = 'application/octet-stream';
export const ARROW_TYPE = 'application/vnd.apache.arrow.stream';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface HttpResponse {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
}

export interface Candidate {
  readonly id: string;
  readonly score: number;
  readonly seed?: number;
  readonly seed_score?: number;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly vector?: readonly number[];
}

export interface Result {
  readonly candidates: readonly Candidate[];
  readonly quality: {
    readonly path: string;
    readonly ef: number | null;
    readonly selectivity: number;
    readonly shards: { readonly total: number; readonly answered: number };
    readonly short: string | null;
  };
  readonly explain?: { readonly why_not?: readonly { readonly id: string; readonly found: boolean; readonly reason: string | null }[] };
  readonly error?: { readonly code: string };
} // prettier-ignore

/** Beyond it a server would refuse the request line. */
const MAX_PATH = 8_000;

export function encodeRequest(random: () => number, { asked, queries, terms }: MadeSearch): HttpRequest {
  const path = `/v1/indexes/${asked.catalog.index}/search`;
  const vectors = asked.seeds === null && asked.queries.every((query) => query !== null && query.self === null)
    ? joinVectors(asked.queries.map((query) => query!.vector))
    : null; // prettier-ignore
  const form = vectors === null ? 'json' : pick(random, ['json', 'json', 'binary', 'arrow'] as const);
  const accept: Record<string, string> = random() < 0.2 ? { accept: ARROW_TYPE } : {};
  if (random() < 0.1) accept['accept-encoding'] = 'gzip';
  const query = `?${encodeTerms(terms)}&batch=${String(asked.batch)}`;
  const isBinary = form === 'binary' && vectors!.length > 0;
  if ((isBinary || form === 'arrow') && query.length < MAX_PATH) {
    const body = isBinary ? bytesOf(vectors!) : encodeQueries(vectors!);
    return pack(random, {
      method: 'POST',
      path: path + query,
      headers: { ...accept, 'content-type': isBinary ? BINARY_TYPE : ARROW_TYPE },
      body: Buffer.from(body),
    });
  }
  const body = Buffer.from(JSON.stringify(shuffle(random, { ...queries, ...terms })));
  return pack(random, { method: 'POST', path, headers: { ...accept, 'content-type': JSON_TYPE }, body });
}

function pack(random: () => number, request: HttpRequest): HttpRequest {
  if (random() > 0.05) return request;
  return { ...request, headers: { ...request.headers, 'content-encoding': 'gzip' }, body: gzipSync(request.body) };
}

/** The order of members means nothing. */
function shuffle(random: () => number, members: Record<string, unknown>): Record<string, unknown> {
  const keyed = Object.entries(members).map((entry) => ({ entry, key: random() }));
  return Object.fromEntries(keyed.sort((a, b) => a.key - b.key).map(({ entry }) => entry));
}

export function encodeTerms(terms: Readonly<Record<string, unknown>>): string {
  const parameters = new URLSearchParams();
  const add = (name: string, value: unknown) => {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) parameters.append(name, String(one));
  };
  for (const [name, value] of Object.entries(terms)) {
    if (name === 'filter') add(name, JSON.stringify(value));
    else if (name === 'include' || name === 'crowding') {
      for (const [inner, member] of Object.entries(value as object)) add(`${name}.${inner}`, member);
    } else add(name, value);
  }
  return parameters.toString();
}

function bytesOf(vectors: Float32Array): Uint8Array {
  return new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength);
}

/** @throws where the answer is not of the form that was asked for */
export function decodeResults({ type, body }: HttpResponse, asked: Asked, unpack: boolean): readonly Result[] {
  const plain = unpack ? gunzipSync(body) : body;
  if (type.startsWith(ARROW_TYPE)) return readTable(plain, asked);
  const answer = JSON.parse(plain.toString('utf8')) as Result & {
    index?: string;
    version?: string;
    results?: Result[];
  };
  if (answer.index !== asked.catalog.index || answer.version === undefined) throw new Error('the head is wrong');
  const expected = asked.batch ? answer.results : [answer];
  if (expected === undefined || (!asked.batch && answer.results !== undefined))
    throw new Error('candidates or results?');
  return expected;
}

function readTable(bytes: Buffer, asked: Asked): Result[] {
  const table = tableFromIPC(bytes);
  const read = (name: string) => JSON.parse(table.schema.metadata.get(name) ?? 'null') as unknown;
  const errors = (read('errors') ?? {}) as Record<number, { code: string }>;
  const explains = read('explain') as Result['explain'][] | null;
  const results = (read('quality') as Result['quality'][]).map((quality, i) => ({
    quality,
    candidates: [] as Candidate[],
    ...(errors[i] === undefined ? {} : { error: errors[i] }),
    ...(explains?.[i] ? { explain: explains[i] } : {}),
  }));
  for (const row of table as Iterable<{ toJSON(): Record<string, unknown> }>) {
    const { query, id, score, ...rest } = row.toJSON();
    const { seed, seed_score, vector, ...attributes } = rest;
    const candidate = {
      id: String(id),
      score: score as number,
      ...(seed === undefined ? {} : { seed: seed as number, seed_score: seed_score as number }),
      ...(vector === undefined ? {} : { vector: Array.from(vector as Iterable<number>) }),
      ...(asked.attributes === null ? {} : { attributes }),
    };
    results[query as number]!.candidates.push(candidate);
  }
  return results;
}
