/** `prepare`: what a gateway must know of a request before it searches. */
import type { FilterExplain } from '../../wire/answers.js';
import type { ExplainedId } from '../../retrieve/search/explained-ids.js';
import type { Fields } from '../../version/disk/fields.js';
import { encodeFrame } from './frame.js';
import { FrameReader } from './frame-reader.js';
import { readSelection, writeSelection, type Selection } from './selection.js';

/** Ordinal of an unknown id. */
export const UNKNOWN = 2 ** 32 - 1;

interface PrepareRequest {
  readonly selection: Selection;
  /** False: the rows of shards need not be counted. */
  readonly counts: boolean;
  readonly ids: readonly string[];
  readonly whyNot: readonly string[];
}

export interface PrepareAnswer {
  /** For each shard of the leaf the rows that may be returned; empty if they were not asked for. */
  readonly allowed: Uint32Array;
  readonly filter: FilterExplain | null;
  /** One per id. */
  readonly items: ItemColumns;
  readonly explained: readonly ExplainedId[];
}

/** Items in columns. */
export interface ItemColumns {
  /** `UNKNOWN` for an unknown id. */
  readonly ordinals: Uint32Array;
  readonly shards: Uint32Array;
  readonly rows: Uint32Array;
  /** 1 if the item passes the filter and is not excluded. */
  readonly mayReturn: Uint8Array;
  /** Their vectors end to end. */
  readonly vectors: Float32Array;
}

export function writePrepareRequest(request: PrepareRequest): Buffer {
  const { selection, counts, ids, whyNot } = request;
  return encodeFrame({ ...writeSelection(selection), counts, ids, why_not: whyNot });
}

export function readPrepareRequest(bytes: Buffer): PrepareRequest {
  const reader = new FrameReader(bytes);
  reader.end();
  const { fields } = reader;
  return {
    selection: readSelection(fields),
    counts: fields.flag('counts'),
    ids: fields.texts('ids'),
    whyNot: fields.texts('why_not'),
  };
}

export function writePrepareAnswer({ allowed, filter, items, explained }: PrepareAnswer): Buffer {
  const { ordinals, shards, rows, mayReturn, vectors } = items;
  return encodeFrame({ filter, explained }, [allowed, ordinals, shards, rows, mayReturn, vectors]);
}

/** @param shards number of shards of the leaf, if their rows were asked for */
export function readPrepareAnswer(bytes: Buffer, shards: number, ids: number, dim: number): PrepareAnswer {
  const reader = new FrameReader(bytes);
  const { fields } = reader;
  const answer = {
    allowed: reader.words('allowed', shards),
    filter: fields.raw('filter') === null ? null : readFilter(fields.object('filter')),
    items: {
      ordinals: reader.words('ordinals', ids),
      shards: reader.words('shards', ids),
      rows: reader.words('rows', ids),
      mayReturn: reader.bytes('mayReturn', ids),
      vectors: reader.floats('vectors', ids * dim),
    },
    explained: fields.list('explained', readExplained),
  };
  reader.end();
  return answer;
}

function readFilter(fields: Fields): FilterExplain {
  return {
    selectivity: fields.number('selectivity'),
    passed: fields.integer('passed'),
    took_us: fields.number('took_us'),
    cached: fields.flag('cached'),
  };
}

function readExplained(fields: Fields): ExplainedId {
  const item = fields.raw('item');
  if (item !== null) {
    const inner = fields.object('item');
    for (const name of ['ordinal', 'shard', 'row']) inner.integer(name, 0, UNKNOWN);
    inner.flag('excluded');
  }
  return { id: fields.text('id'), item: item as ExplainedId['item'] };
}
