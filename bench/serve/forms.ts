/** The wire forms: how a search is sent and answered in each, as complete HTTP requests. */
import { openArrowBytes } from '../../src/arrow/read/reader.js';
import { encodeVectors } from '../../src/serve/worker/rehearsal-requests.js';

export const FORMS = ['json', 'base64', 'octet-stream', 'arrow'] as const;
export type Form = (typeof FORMS)[number];

export interface Ask {
  readonly k: number;
  readonly filter?: Readonly<Record<string, unknown>>;
  readonly exact?: boolean;
  readonly timeout_ms?: number;
}

const JSON_TYPE = 'application/json';
const BINARY_TYPE = 'application/octet-stream';
const ARROW_TYPE = 'application/vnd.apache.arrow.stream';

/** @param vectors one a query; more than one only in Arrow */
export function makeRequest(form: Form, path: string, vectors: readonly Float32Array[], ask: Ask): Buffer {
  const [vector] = vectors;
  if (form === 'json') return post(path, JSON_TYPE, JSON_TYPE, JSON.stringify({ vector: [...vector!], ...ask }));
  const bytes = Buffer.from(vector!.buffer, vector!.byteOffset, vector!.byteLength);
  if (form === 'base64') {
    return post(path, JSON_TYPE, JSON_TYPE, JSON.stringify({ vector_b64: bytes.toString('base64'), ...ask }));
  }
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(ask)) query.set(name, JSON.stringify(value));
  const target = `${path}?${query.toString()}`;
  if (form === 'octet-stream') return post(target, BINARY_TYPE, JSON_TYPE, bytes);
  return post(target, ARROW_TYPE, ARROW_TYPE, encodeVectors(vectors));
}

function post(path: string, type: string, accept: string, body: string | Uint8Array): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    `content-type: ${type}`,
    `accept: ${accept}`,
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), Buffer.from(body as Uint8Array)]);
}

export interface Candidates {
  readonly ids: string[];
  readonly scores: number[];
}

/** Candidates of every query of an answer, one after the other. */
export async function readAnswer(form: Form, body: Buffer): Promise<Candidates> {
  if (form === 'arrow') return readArrow(body);
  const { candidates } = JSON.parse(body.toString()) as { candidates: { id: string; score: number }[] };
  return { ids: candidates.map(({ id }) => id), scores: candidates.map(({ score }) => Math.fround(score)) };
}

async function readArrow(body: Buffer): Promise<Candidates> {
  const reader = await openArrowBytes('the answer', body);
  const wanted = ['id', 'score'].map((name) => reader.fields.findIndex((field) => field.name === name));
  const found: Candidates = { ids: [], scores: [] };
  for await (const { columns } of reader.read(wanted)) {
    const [ids, scores] = columns;
    if (ids?.shape !== 'numbers' || scores?.shape !== 'numbers') throw new Error('an answer without numbers');
    found.ids.push(...Array.from(ids.values, String));
    found.scores.push(...Array.from(scores.values, Number));
  }
  return found;
}
