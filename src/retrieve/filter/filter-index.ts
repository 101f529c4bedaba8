/**
 * Filters over one loaded version: from a plan (parse-filter.ts defines its meaning) to the rows of each shard that
 * pass.
 *
 * Takes the attributes, the ids, and where the rows of each shard are; evaluation.ts evaluates. In this folder rows
 * have positions (version/sealed/row-places.ts), also where they are called ordinals. Results of clauses and of whole
 * filters are cached by their canonical text. Caches and indexes change only the time that a filter takes.
 *
 *     const filters = new FilterIndex({ count, attributes, ids, shards });
 *     await filters.prepare(); // optional: builds indexes in turns with the event loop
 *     const plan = parseFilter(json, filters.schema, '/filter'); // once per request
 *     const { shards, count } = filters.select(plan); // cached: must not be changed
 *     filters.explain(plan, [ordinal]); // the clauses that remove each row
 *
 * `select` and `explain` run at once; `selectInSlices` and `explainInSlices` do the same in slices of about a
 * millisecond. Work may end between any two slices: only complete results are cached.
 *
 * Memory is bounded: results by `cacheBytes`, indexes by `indexBytes`, both for this process; the evaluation of one
 * filter by MAX_FILTER_WORK.
 */
import { Bitset } from '../../base/bitset.js';
import { ShortlistError } from '../../base/errors.js';
import type { JsonValue } from '../../arrow/column-value.js';
import type { AttributeStore } from '../../version/sealed/attribute-store.js';
import type { RowPlaces } from '../../version/sealed/row-places.js';
import { countWords, gatherBits, hasBit, listMembers, sliceBits } from './bits.js';
import { BoundedCache } from './bounded-cache.js';
import { ColumnIndex } from './column-index.js';
import { distinctClauses, Evaluation, type ClauseCache } from './evaluation.js';
import { attributeNames, filterSchema, MAX_FILTER_WORK } from './filter-plan.js';
import type { FilterNode, FilterPlan, FilterSchema } from './filter-plan.js';
import type { FilterIds } from './id-index.js';
import { listedRows } from './rows.js';
import { IndexBudget } from './value-index.js';
import { Meter, runSync, runAsync, type Work } from '../../base/work.js';
import type { Rejection } from '../../wire/answers.js';

interface FilterSource {
  readonly count: number;
  /** Null if the version has none; then `{}` is the only valid filter. */
  readonly attributes: AttributeStore | null;
  /** Undefined if ids cannot be filtered. */
  readonly ids?: FilterIds | undefined;
  /** Ordinal of each row, ascending. */
  readonly shards: readonly { readonly ordinals: Uint32Array }[];
  /** How ordinals become positions; undefined if they are equal. */
  readonly places?: RowPlaces | undefined;
}

export interface FilterOptions {
  readonly cacheBytes?: number | undefined;
  readonly indexBytes?: number | undefined;
}

/** Cached results: a filter with three clauses over a million rows takes half a MiB. */
const FILTER_CACHE_BYTES = 64 * 1024 * 1024;

/**
 * Sorted rows, dictionaries and postings take 4 to 8 bytes per row and attribute: 15 attributes of 2.5 million rows.
 */
const FILTER_INDEX_BYTES = 256 * 1024 * 1024;

/** The rows that pass a filter. Shared with later callers; must not be changed. */
export interface Selection {
  readonly shards: readonly ShardSelection[];
  readonly count: number;
}

interface ShardSelection {
  readonly rows: Bitset;
  readonly count: number;
  /** The same as a list in shared memory, if few pass: reading their bits would take longer than searching them. */
  readonly list?: Uint32Array | undefined;
}

/** Rows are listed up to this share: searches then scan them, and the list takes as much memory as the bits. */
const MAX_LISTED_SHARE = 1 / 32;

export class FilterIndex {
  readonly schema: FilterSchema;
  private readonly budget: IndexBudget;
  private readonly columns = new Map<string, ColumnIndex>();
  private readonly clauses: ClauseCache;
  private readonly selections: BoundedCache<Selection>;

  constructor(
    private readonly source: FilterSource,
    options: FilterOptions = {},
  ) {
    this.schema = filterSchema(source.attributes?.fields ?? [], source.ids !== undefined);
    this.budget = new IndexBudget(options.indexBytes ?? FILTER_INDEX_BYTES);
    const cacheBytes = options.cacheBytes ?? FILTER_CACHE_BYTES;
    this.clauses = new BoundedCache(cacheBytes / 2);
    this.selections = new BoundedCache(cacheBytes / 2);
  }

  /** Bytes that cached results and indexes take now. */
  get residentBytes(): number {
    return this.budget.used + this.clauses.usedBytes + this.selections.usedBytes;
  }

  /** The rows that pass. @throws filter_too_costly */
  select(plan: FilterPlan): Selection {
    return runSync(this.selectInSlices(plan));
  }

  /** As `select`, in slices. */
  *selectInSlices(plan: FilterPlan): Work<Selection> {
    if (plan.schema !== this.schema) throw new Error('a filter was parsed against the schema of another version');
    const known = this.selections.get(plan.key);
    if (known !== undefined) return known;
    checkCost(plan, this.source.count);
    const selection = yield* this.split(yield* this.evaluation().select(plan.root));
    const bytes = selection.shards.reduce((sum, { rows, list }) => sum + rows.words.byteLength + (list?.byteLength ?? 0), 0); // prettier-ignore
    this.selections.set(plan.key, selection, bytes);
    return selection;
  }

  hasCached(plan: FilterPlan): boolean {
    return this.selections.has(plan.key);
  }

  /** For each row, every part of the filter that by itself removes it; empty for a row that passes. */
  explain(plan: FilterPlan, ordinals: readonly number[]): Rejection[][] {
    return runSync(this.explainInSlices(plan, ordinals));
  }

  /** As `explain`, in slices. */
  *explainInSlices(plan: FilterPlan, ordinals: readonly number[]): Work<Rejection[][]> {
    const positions = Uint32Array.from(ordinals, (ordinal) => this.positionOf(ordinal));
    const passed = yield* this.evaluation().scanClauses(plan.root, listedRows(positions));
    return ordinals.map((ordinal, position) =>
      this.rejections(plan.root, ordinal, (key) => hasBit(passed.get(key)!, position)),
    );
  }

  /**
   * Builds the indexes, so that the first filters are as fast as later ones, in slices of about a millisecond. Takes
   * about 0.1 s per million rows and attribute.
   * @param names attributes that will be filtered; default: all
   */
  async prepare(names: Iterable<string> = attributeNames(this.schema)): Promise<void> {
    for (const name of names) {
      if (this.schema.has(name)) await runAsync(this.column(name).prepare());
    }
  }

  /** The attributes that were prepared or filtered: those to prepare for the next version. */
  get usedAttributes(): string[] {
    return [...this.columns.keys()].filter((name) => this.schema.get(name)!.kind !== 'id');
  }

  private evaluation(): Evaluation {
    const { source, clauses } = this;
    return new Evaluation({ count: source.count, clauses, column: (name) => this.column(name) });
  }

  private rejections(node: FilterNode, ordinal: number, passes: (key: string) => boolean): Rejection[] {
    // Each part of a conjunction can remove a row by itself; parts of a disjunction only together.
    if (node.kind === 'and') return node.nodes.flatMap((part) => this.rejections(part, ordinal, passes));
    if (node.kind === 'all' || isPassed(node, passes)) return [];
    const { path } = node;
    if (node.kind !== 'clause') return [{ path, operator: node.kind === 'or' ? '$or' : '$not', attribute: null }];
    const { attribute, operator } = node;
    return [{ path, operator, attribute, value: this.valueOf(attribute, ordinal) }];
  }

  private valueOf(name: string, ordinal: number): JsonValue {
    const { attributes, ids } = this.source;
    return this.schema.get(name)!.kind === 'id' ? ids!.text(ordinal) : attributes!.value(name, ordinal);
  }

  private column(name: string): ColumnIndex {
    let column = this.columns.get(name);
    if (column === undefined) {
      const { attributes, ids } = this.source;
      const isId = this.schema.get(name)!.kind === 'id';
      column = isId
        ? ColumnIndex.ofIds(this.placedIds(ids!))
        : ColumnIndex.ofAttribute(attributes!.column(name), this.budget);
      this.columns.set(name, column);
    }
    return column;
  }

  private positionOf(ordinal: number): number {
    return this.source.places?.positionOf(ordinal) ?? ordinal;
  }

  /** The ids, found by position. */
  private placedIds(ids: FilterIds): FilterIds {
    if (this.source.places === undefined) return ids;
    const find = (id: string): number => {
      const ordinal = ids.find(id);
      return ordinal < 0 ? ordinal : this.positionOf(ordinal);
    };
    return { count: ids.count, find, text: (ordinal) => ids.text(ordinal) };
  }

  private *split(words: Uint32Array): Work<Selection> {
    const { shards, count, places } = this.source;
    const meter = new Meter();
    const parts: ShardSelection[] = [];
    for (const [shard, { ordinals }] of shards.entries()) {
      // In a version with one shard, each ordinal is its own row.
      const own =
        ordinals.length === count
          ? words
          : places === undefined
            ? yield* gatherBits(words, ordinals, meter)
            : yield* sliceBits(words, places.startOf(shard), ordinals.length, meter);
      const rows = new Bitset(ordinals.length, own);
      const passed = yield* countWords(own, meter);
      const isListed = passed <= MAX_LISTED_SHARE * rows.size;
      parts.push({
        rows,
        count: passed,
        list: isListed ? yield* listMembers(own, sharedList(passed), meter) : undefined,
      });
    }
    return { shards: parts, count: parts.reduce((sum, part) => sum + part.count, 0) };
  }
}

function sharedList(count: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(4 * count));
}

function isPassed(node: FilterNode, passes: (key: string) => boolean): boolean {
  switch (node.kind) {
    case 'all':
      return true;
    case 'clause':
      return passes(node.key);
    case 'not':
      return !isPassed(node.node, passes);
    case 'and':
      return node.nodes.every((part) => isPassed(part, passes));
    case 'or':
      return node.nodes.some((branch) => isPassed(branch, passes));
  }
}

/** @throws filter_too_costly */
function checkCost({ root }: FilterPlan, rows: number): void {
  const clauses = distinctClauses(root, 'steps').length;
  if (clauses * rows <= MAX_FILTER_WORK) return;
  const maxClauses = Math.floor(MAX_FILTER_WORK / rows);
  const message = `the filter has ${clauses} clauses over ${rows} rows; at most ${maxClauses} are allowed; use $in, $containsAny or $containsAll to join values of one attribute`;
  throw new ShortlistError('filter_too_costly', message, { clauses, rows, max: maxClauses });
}
