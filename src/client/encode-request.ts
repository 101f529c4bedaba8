/**
 * Searches as HTTP bodies. Vectors are base64 in JSON, or raw with the options in the URL. An Arrow stream is sent
 * unchanged. Ids and seeds are always JSON.
 */
import { encodeVector, encodeVectors, vectorBytes } from './base64.js';
import type { SearchTerms } from '../wire/search-terms.js';
import type { BatchRequest, SearchRequest, Seed } from './requests.js';

export const JSON_TYPE = 'application/json';
const BINARY_TYPE = 'application/octet-stream';
export const ARROW_TYPE = 'application/vnd.apache.arrow.stream';

/** Half of what a server accepts for the request line and headers together. */
const MAX_QUERY_CHARACTERS = 8_192;

interface EncodedRequest {
  /** Empty, or beginning with a question mark. */
  readonly query: string;
  readonly type: string;
  readonly body: string | Uint8Array<ArrayBuffer>;
}

/** @param form of the vectors; `binary` falls back to `json` if the options are too long for a URL */
export function encodeSearch(request: SearchRequest | BatchRequest, form: 'json' | 'binary'): EncodedRequest {
  const { vector, vectors, arrow, vector_column: column, seeds, ...rest } = request;
  if (arrow !== undefined) {
    const columnParameter = column === undefined ? {} : { vector_column: column };
    return {
      query: encodeTerms(rest, { batch: 'true', ...columnParameter }),
      type: ARROW_TYPE,
      body: asArrayBufferView(arrow),
    };
  }
  if (form === 'binary' && (vector ?? vectors) !== undefined) {
    const query = encodeTerms(rest, vectors === undefined ? { batch: 'false' } : { batch: 'true' });
    if (query.length <= MAX_QUERY_CHARACTERS)
      return { query, type: BINARY_TYPE, body: vectorBytes((vector ?? vectors)!) };
  }
  const body = {
    ...(vector === undefined ? {} : { vector_b64: encodeVector(vector) }),
    ...(vectors === undefined ? {} : { vectors_b64: encodeVectors(vectors) }),
    ...(seeds === undefined ? {} : { seeds: seeds.map(encodeSeed) }),
    ...rest,
  };
  return { query: '', type: JSON_TYPE, body: JSON.stringify(body) };
}

function encodeSeed({ vector, ...rest }: Seed): Record<string, unknown> {
  return vector === undefined ? rest : { vector_b64: encodeVector(vector), ...rest };
}

/** A view that fetch accepts: over an ArrayBuffer, not over shared memory. */
function asArrayBufferView(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
}

/** Options as a query string: lists repeat their name, members are `include.vectors`, a filter is JSON text. */
function encodeTerms(terms: SearchTerms, extra: Readonly<Record<string, string>>): string {
  const parameters = new URLSearchParams(extra);
  for (const [name, value] of Object.entries(terms)) {
    if (name === 'filter' && value !== undefined) parameters.append(name, JSON.stringify(value));
    else appendParameter(parameters, name, value);
  }
  return `?${parameters.toString()}`;
}

function appendParameter(parameters: URLSearchParams, name: string, value: unknown): void {
  if (value === undefined) return;
  if (Array.isArray(value)) for (const item of value) appendParameter(parameters, name, item);
  else if (typeof value === 'object' && value !== null) {
    for (const [member, inner] of Object.entries(value)) appendParameter(parameters, `${name}.${member}`, inner);
  } else if (name !== 'include.attributes' || value !== false) parameters.append(name, value as string);
}
