/**
 * Filters over one loaded version: from a plan (parse-filter.ts, where their meaning is told) to the rows of each shard
 * that pass.
 *
 * Takes the attributes by ordinal, the ids, and the ordinals of each shard. How a filter is evaluated is told in
 * evaluation.ts. Results of clauses and of whole filters are kept by their canonical text, so that a filter asked again
 * costs a lookup. All of that changes the time a filter takes and nothing else.
 *
 *     const filters = new FilterIndex({ count, attributes, ids, shards });
 *     await filters.prepare(); // optional: builds indexes in turns with the event loop
 *     const plan = parseFilter(json, filters.schema, '/filter'); // once for a request
 *     const { shards, count } = filters.select(plan); // must not be changed: they are kept
 *     filters.explain(plan, [ordinal]);                           // the clauses that remove each row
 *
 * `select` and `explain` run at once; `selecting` and `explaining` are the same as work in slices, of which the
 * longest takes about a millisecond. What they keep is whole when it is kept, so work may end between any two slices.
 *
 * Memory is bounded: results by `cacheBytes`, indexes by `indexBytes`, both this process's own; what one filter takes
 * while it is evaluated by MAX_FILTER_WORK.
 */
import { Bitset } from '../../base/bitset.js';
import { ShortlistError } from '../../base/errors.js';
import type { JsonValue } from '../../arrow/column-value.js';
import type { AttributeStore } from '../../version/sealed/attribute-store.js';
import { countWords, gatherBits, hasBit, listMembers } from './bits.js';
import { BoundedCache } from './bounded-cache.js';
import { ColumnIndex } from './column-index.js';
import { distinctClauses, Evaluation, type ClauseCache } from './evaluation.js';
import { attributeNames, filterSchema, MAX_FILTER_WORK } from './filter-plan.js';
import type { FilterNode, FilterPlan, FilterSchema } from './filter-plan.js';
import type { FilterIds } from './id-index.js';
import { someRows } from './rows.js';
import { IndexBudget } from './value-index.js';
import { Meter, runSync, runAsync, type Work } from '../../base/work.js';
import type { Rejection } from '../../wire/answers.js';

/** What of a loaded version filters need. */
interface FilterSource {
  /** Rows of all shards. */
  readonly count: number;
  /** Null where the version has none: only `{}` is a filter then. */
  readonly attributes: AttributeStore | null;
  /** Left out where ids are not filtered. */
  readonly ids?: FilterIds | undefined;
  /** Ordinal of each row, ascending. */
  readonly shards: readonly { readonly ordinals: Uint32Array }[];
}

export interface FilterOptions {
  readonly cacheBytes?: number | undefined;
  readonly indexBytes?: number | undefined;
}

/** Results kept: a filter and its three clauses over a million rows take half a MiB. */
const FILTER_CACHE_BYTES = 64 * 1024 * 1024;

/**
 * Sorted rows, dictionaries and postings: 4 to 8 bytes a row and attribute, so about 15 attributes of 2.5 million
 * rows.
 */
const FILTER_INDEX_BYTES = 256 * 1024 * 1024;

/** What passes a filter. Shared with later callers: not to be changed. */
export interface Selection {
  readonly shards: readonly ShardSelection[];
  /** Over all shards. */
  readonly count: number;
}

interface ShardSelection {
  /** Rows of the shard. */
  readonly rows: Bitset;
  readonly count: number;
  /**
   * The same one by one, in shared memory, where few pass: a search would spend more time on their bits than on them.
   */
  readonly list?: Uint32Array | undefined;
}

/**
 * Rows are listed where no more than this share passes: searches scan them then, and the list takes as much memory as
 * the bits.
 */
const LISTED_SHARE = 1 / 32;

export class FilterIndex {
  readonly schema: FilterSchema;
  private readonly source: FilterSource;
  private readonly budget: IndexBudget;
  private readonly columns = new Map<string, ColumnIndex>();
  private readonly clauses: ClauseCache;
  private readonly selections: BoundedCache<Selection>;

  constructor(source: FilterSource, options: FilterOptions = {}) {
    this.source = source;
    this.schema = filterSchema(source.attributes?.fields ?? [], source.ids !== undefined);
    this.budget = new IndexBudget(options.indexBytes ?? FILTER_INDEX_BYTES);
    const cacheBytes = options.cacheBytes ?? FILTER_CACHE_BYTES;
    this.clauses = new BoundedCache(cacheBytes / 2);
    this.selections = new BoundedCache(cacheBytes / 2);
  }

  /** Memory that results and indexes take now, in bytes. */
  get residentBytes(): number {
    return this.budget.used + this.clauses.usedBytes + this.selections.usedBytes;
  }

  /** The rows that pass. @throws filter_too_costly */
  select(plan: FilterPlan): Selection {
    return runSync(this.selecting(plan));
  }

  /** As `select`, in slices. */
  *selecting(plan: FilterPlan): Work<Selection> {
    if (plan.schema !== this.schema) throw new Error('a filter was parsed against the schema of another version');
    const known = this.selections.get(plan.key);
    if (known !== undefined) return known;
    checkCost(plan, this.source.count);
    const selection = yield* this.split(yield* this.evaluation().select(plan.root));
    const bytes = selection.shards.reduce((sum, { rows, list }) => sum + rows.words.byteLength + (list?.byteLength ?? 0), 0); // prettier-ignore
    this.selections.set(plan.key, selection, bytes);
    return selection;
  }

  /** Whether `select` has the answer already. */
  keeps(plan: FilterPlan): boolean {
    return this.selections.has(plan.key);
  }

  /**
   * Why rows do not pass: for each, every part of the filter that by itself removes it. Empty for a row that passes.
   */
  explain(plan: FilterPlan, ordinals: readonly number[]): Rejection[][] {
    return runSync(this.explaining(plan, ordinals));
  }

  /** As `explain`, in slices. */
  *explaining(plan: FilterPlan, ordinals: readonly number[]): Work<Rejection[][]> {
    const passed = yield* this.evaluation().passClauses(plan.root, someRows(Uint32Array.from(ordinals)));
    return ordinals.map((ordinal, position) =>
      this.rejections(plan.root, ordinal, (key) => hasBit(passed.get(key)!, position)),
    );
  }

  /**
   * Builds what makes the first filters as quick as later ones, in slices of about a millisecond: for a server that
   * loads a version while it answers. About 0.1 s a million rows and attribute.
   * @param names attributes that will be filtered by; all by default
   */
  async prepare(names: Iterable<string> = attributeNames(this.schema)): Promise<void> {
    for (const name of names) {
      if (this.schema.has(name)) await runAsync(this.column(name).prepare());
    }
  }

  /** The attributes that were prepared or filtered by so far: what to prepare of the next version. */
  get usedAttributes(): string[] {
    return [...this.columns.keys()].filter((name) => this.schema.get(name)!.kind !== 'id');
  }

  private evaluation(): Evaluation {
    const { source, clauses } = this;
    return new Evaluation({ count: source.count, clauses, column: (name) => this.column(name) });
  }

  private rejections(node: FilterNode, ordinal: number, passes: (key: string) => boolean): Rejection[] {
    // Each part of a conjunction removes by itself; of a disjunction none does, only all together.
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
      column = isId ? ColumnIndex.ofIds(ids!) : ColumnIndex.ofAttribute(attributes!.column(name), this.budget);
      this.columns.set(name, column);
    }
    return column;
  }

  /** From ordinals to the rows of each shard. */
  private *split(words: Uint32Array): Work<Selection> {
    const { shards, count } = this.source;
    const meter = new Meter();
    const parts: ShardSelection[] = [];
    for (const { ordinals } of shards) {
      // The only shard of a version has every ordinal as its own row.
      const own = ordinals.length === count ? words : yield* gatherBits(words, ordinals, meter);
      const rows = new Bitset(ordinals.length, own);
      const passed = yield* countWords(own, meter);
      const isListed = passed <= LISTED_SHARE * rows.size;
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
  const most = Math.floor(MAX_FILTER_WORK / rows);
  const message = `the filter has ${clauses} clauses over ${rows} rows; at most ${most} are taken: $in, $containsAny and $containsAll join values of one attribute`;
  throw new ShortlistError('filter_too_costly', message, { clauses, rows, max: most });
}
