/** `facts` and `ranks`: exact scores of items to explain, and how many rows are ahead of them. */
import { MAX_WHY_NOT } from '../../base/limits.js';
import type { BestScore } from '../../retrieve/search/search-space.js';
import type { Fields } from '../../version/disk/fields.js';
import { encodeFrame, FrameError } from './frame.js';
import { FrameReader } from './frame-reader.js';
import { readOwn, readSelection, writeOwn, writeSelection, type OwnSelection, type Selection } from './selection.js';

/** What both say of the search. */
interface ItemsRequest {
  readonly selection: Selection;
  readonly own: OwnSelection;
  /** -Infinity: none. */
  readonly minScore: number;
  /** Vectors end to end. */
  readonly queries: Float32Array;
  /** One per query. */
  readonly weights: readonly number[];
}

export interface FactsRequest extends ItemsRequest {
  /** Of items of the leaf. */
  readonly ordinals: Uint32Array;
}

export interface RanksRequest extends ItemsRequest {
  readonly items: readonly RankedItem[];
}

interface RankedItem extends BestScore {
  readonly ordinal: number;
  /** True if the leaf has the item. */
  readonly isOwn: boolean;
}

export interface ItemRanks {
  /** Rows of the leaf that are ahead: all of them, and those that may be returned. */
  readonly all: number;
  readonly allowed: number;
  /** Null for items of other leaves. */
  readonly reached: boolean | null;
}

export function writeFactsRequest(request: FactsRequest): Buffer {
  return encodeFrame(writeItems(request), [request.queries, request.ordinals]);
}

export function readFactsRequest(bytes: Buffer, dim: number): FactsRequest {
  const reader = new FrameReader(bytes);
  const request = readItems(reader, dim);
  const ordinals = reader.words('ordinals');
  reader.end();
  if (ordinals.length > MAX_WHY_NOT) throw new FrameError(`ordinals has ${ordinals.length} values`);
  return { ...request, ordinals };
}

export function writeFactsAnswer(facts: readonly BestScore[]): Buffer {
  return encodeFrame({ facts });
}

export function readFactsAnswer(bytes: Buffer, count: number): BestScore[] {
  const reader = new FrameReader(bytes);
  reader.end();
  const facts = reader.fields.list('facts', readScore);
  return facts.length === count ? facts : reader.fields.fail('facts', `has ${facts.length} entries, not ${count}`);
}

export function writeRanksRequest(request: RanksRequest): Buffer {
  const items = request.items.map(({ ordinal, score, own, source, passes, isOwn }) => ({
    ordinal, score, own, source, passes, is_own: isOwn,
  })); // prettier-ignore
  return encodeFrame({ ...writeItems(request), items }, [request.queries]);
}

export function readRanksRequest(bytes: Buffer, dim: number): RanksRequest {
  const reader = new FrameReader(bytes);
  const request = readItems(reader, dim);
  reader.end();
  const items = reader.fields.list('items', (item) => ({
    ...readScore(item),
    ordinal: item.integer('ordinal', 0, 2 ** 32 - 2),
    isOwn: item.flag('is_own'),
  }));
  if (items.length > MAX_WHY_NOT) throw new FrameError(`items has ${items.length} entries`);
  return { ...request, items };
}

export function writeRanksAnswer(ranks: readonly ItemRanks[]): Buffer {
  return encodeFrame({ ranks });
}

export function readRanksAnswer(bytes: Buffer, count: number): ItemRanks[] {
  const reader = new FrameReader(bytes);
  reader.end();
  const ranks = reader.fields.list('ranks', (rank) => ({
    all: rank.integer('all'),
    allowed: rank.integer('allowed'),
    reached: rank.raw('reached') === null ? null : rank.flag('reached'),
  }));
  return ranks.length === count ? ranks : reader.fields.fail('ranks', `has ${ranks.length} entries, not ${count}`);
}

function readScore(fields: Fields): BestScore {
  return {
    score: fields.number('score'),
    own: fields.number('own'),
    source: fields.integer('source'),
    passes: fields.flag('passes'),
  };
}

function writeItems(request: ItemsRequest): object {
  const { selection, own, minScore, weights } = request;
  return {
    ...writeSelection(selection),
    own: writeOwn(own),
    min_score: Number.isFinite(minScore) ? minScore : null,
    weights,
  };
}

function readItems(reader: FrameReader, dim: number): ItemsRequest {
  const { fields } = reader;
  const weights = fields.raw('weights');
  if (!Array.isArray(weights) || !weights.every((weight) => typeof weight === 'number' && weight > 0))
    return fields.fail('weights', 'is not a list of numbers above 0');
  return {
    selection: readSelection(fields),
    own: readOwn(fields.object('own')),
    minScore: fields.raw('min_score') === null ? -Infinity : fields.number('min_score'),
    queries: reader.floats('queries', weights.length * dim),
    weights: weights as number[],
  };
}
