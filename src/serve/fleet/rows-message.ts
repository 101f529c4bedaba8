/** `scores` and `hydrate`: what a gateway needs of rows that it knows by their ordinals. */
import type { IdTable, IdType } from '../../base/id-table.js';
import { encodeFrame, FrameError } from './frame.js';
import { FrameReader } from './frame-reader.js';
import { readIds, writeIds } from './id-columns.js';

/** Scores of rows with queries. */
interface ScoresRequest {
  /** Vectors end to end. */
  readonly queries: Float32Array;
  /** For each query, how many of the ordinals are to be scored with it. */
  readonly counts: Uint32Array;
  readonly ordinals: Uint32Array;
}

export function writeScoresRequest(request: ScoresRequest): Buffer {
  return encodeFrame({}, [request.queries, request.counts, request.ordinals]);
}

export function readScoresRequest(bytes: Buffer, dim: number): ScoresRequest {
  const reader = new FrameReader(bytes);
  const [queries, counts, ordinals] = [reader.floats('queries'), reader.words('counts'), reader.words('ordinals')];
  reader.end();
  if (queries.length !== counts.length * dim) throw new FrameError('queries has a wrong length');
  if (counts.reduce((sum, count) => sum + count, 0) !== ordinals.length) throw new FrameError('counts do not add up');
  return { queries, counts, ordinals };
}

export function writeScoresAnswer(scores: Float32Array): Buffer {
  return encodeFrame({}, [scores]);
}

export function readScoresAnswer(bytes: Buffer, count: number): Float32Array {
  const reader = new FrameReader(bytes);
  const scores = reader.floats('scores', count);
  reader.end();
  return scores;
}

/**
 * The form of what a candidate has besides id and score. `text`: as it stands in a JSON answer, so that the gateway
 * only copies it. `arrow`: columns, as an Arrow stream.
 */
const EXTRA_FORMS = ['text', 'arrow'] as const;
export type ExtraForm = (typeof EXTRA_FORMS)[number];

export interface HydrateRequest {
  readonly form: ExtraForm;
  /** Null for none. */
  readonly attributes: readonly string[] | null;
  readonly vectors: boolean;
  readonly ordinals: Uint32Array;
}

export interface HydrateAnswer {
  readonly ids: IdTable;
  /** Of `text`: the texts end to end. Of `arrow`: a stream. */
  readonly extras: Uint8Array;
  /** Of `text`: where each text ends. */
  readonly ends: Uint32Array;
}

export function writeHydrateRequest(request: HydrateRequest): Buffer {
  const { form, attributes, vectors } = request;
  return encodeFrame({ form, attributes, vectors }, [request.ordinals]);
}

export function readHydrateRequest(bytes: Buffer): HydrateRequest {
  const reader = new FrameReader(bytes);
  const { fields } = reader;
  const ordinals = reader.words('ordinals');
  reader.end();
  return {
    form: fields.oneOf('form', EXTRA_FORMS),
    attributes: fields.raw('attributes') === null ? null : fields.texts('attributes'),
    vectors: fields.flag('vectors'),
    ordinals,
  };
}

export function writeHydrateAnswer({ ids, extras, ends }: HydrateAnswer): Buffer {
  return encodeFrame({}, [extras, ends, ...writeIds(ids)]);
}

export function readHydrateAnswer(bytes: Buffer, count: number, form: ExtraForm, idType: IdType): HydrateAnswer {
  const reader = new FrameReader(bytes);
  const extras = reader.bytes('extras');
  const ends = reader.words('ends', form === 'text' ? count : 0);
  const ids = readIds(idType, count, reader);
  reader.end();
  let before = 0;
  for (const end of ends) {
    if (end < before || end > extras.length) throw new FrameError('ends are not in order');
    before = end;
  }
  return { ids, extras, ends };
}
