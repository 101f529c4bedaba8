/**
 * Filters over one loaded version: from a plan (parse-filter.ts, where their meaning is told) to the rows of each shard
 * that pass.
 *
 * Takes the attributes by ordinal and the ordinals of each shard. A clause is answered from sorted rows or postings where
 * those are built and it passes few rows, else by a pass over the column; a conjunction with a clause that passes very few
 * rows tries the other clauses on those rows alone. Results of clauses and of whole filters are kept by their canonical
 * text, so that a filter asked again costs a lookup. All of that changes the time a filter takes and nothing else.
 *
 *     const filters = new FilterIndex({ count, attributes, shards });
 *     await filters.prepare();                                   // optional: builds indexes in turns with the event loop
 *     const plan = parseFilter(json, filters.schema, '/filter');  // once for a request
 *     const { shards, count } = filters.select(plan);             // must not be changed: they are kept
 *     filters.explain(plan, ordinal);                             // the clauses that remove one row
 *
 * Memory is bounded: results by `cacheBytes`, indexes by `indexBytes`; both are this process's own.
 */
import { Bitset } from '../../base/bitset.js';
import type { JsonValue } from '../../arrow/column-value.js';
import type { AttributeStore } from '../../version/attribute-store.js';
import { emptyWords, intersectWords, invertWords, keepPassing, uniteWords } from './bits.js';
import { BoundedCache } from './bounded-cache.js';
import { ColumnIndex } from './column-index.js';
import { filterSchema } from './filter-plan.js';
import type { Clause, FilterNode, FilterPlan, FilterSchema, Operator } from './filter-plan.js';
import { IndexBudget } from './value-index.js';
import { runInTurns } from './work.js';

/** What of a loaded version filters need. */
export interface FilterSource {
  /** Rows of all shards. */
  readonly count: number;
  /** Null where the version has none: only `{}` is a filter then. */
  readonly attributes: AttributeStore | null;
  /** Ordinal of each row, ascending. */
  readonly shards: readonly { readonly ordinals: Uint32Array }[];
}

export interface FilterOptions {
  readonly cacheBytes?: number | undefined;
  readonly indexBytes?: number | undefined;
}

/** Results kept: a filter and its three clauses over a million rows take half a MiB. */
export const FILTER_CACHE_BYTES = 64 * 1024 * 1024;

/** Sorted rows, dictionaries and postings: 4 to 6 bytes a row and attribute, so about 20 attributes of 2.5 million rows. */
export const FILTER_INDEX_BYTES = 256 * 1024 * 1024;

/** What passes a filter. Shared with later callers: not to be changed. */
export interface Selection {
  readonly shards: readonly ShardSelection[];
  /** Over all shards. */
  readonly count: number;
}

export interface ShardSelection {
  /** Rows of the shard. */
  readonly rows: Bitset;
  readonly count: number;
  /** The same one by one, in shared memory, where few pass: a search would spend more time on their bits than on them. */
  readonly list?: Uint32Array | undefined;
}

/** A part of a filter that a row does not pass. */
export interface Rejection {
  /** JSON pointer into the filter. */
  readonly path: string;
  readonly operator: Operator | '$or' | '$not';
  /** Null for `$or` and `$not` over attributes. */
  readonly attribute: string | null;
  /** What the row has; absent where there is no attribute. */
  readonly value?: JsonValue;
}

/** Rows of a clause, by ordinal. */
interface Rows {
  readonly words: Uint32Array;
  readonly count: number;
}

/**
 * A conjunction tries its other clauses row by row where one passes fewer rows than this share: a try costs about as much
 * as passing over 50 values.
 */
const SPARSE_SHARE = 1 / 64;

/** Rows are listed where no more than this share passes: searches scan them then, and the list takes as much memory as the bits. */
const LISTED_SHARE = 1 / 32;

export class FilterIndex {
  readonly schema: FilterSchema;
  private readonly source: FilterSource;
  private readonly budget: IndexBudget;
  private readonly columns = new Map<string, ColumnIndex>();
  private readonly clauses: BoundedCache<Rows>;
  private readonly selections: BoundedCache<Selection>;

  constructor(source: FilterSource, options: FilterOptions = {}) {
    this.source = source;
    this.schema = filterSchema(source.attributes?.fields ?? []);
    this.budget = new IndexBudget(options.indexBytes ?? FILTER_INDEX_BYTES);
    const cacheBytes = options.cacheBytes ?? FILTER_CACHE_BYTES;
    this.clauses = new BoundedCache(cacheBytes / 2);
    this.selections = new BoundedCache(cacheBytes / 2);
  }

  /** Memory that results and indexes take now, in bytes. */
  get residentBytes(): number {
    return this.budget.used + this.clauses.usedBytes + this.selections.usedBytes;
  }

  /** The rows that pass. Synchronous. */
  select(plan: FilterPlan): Selection {
    if (plan.schema !== this.schema) throw new Error('a filter was parsed against the schema of another version');
    const known = this.selections.get(plan.key);
    if (known !== undefined) return known;
    const selection = this.split(this.evaluate(plan.root));
    const bytes = selection.shards.reduce((sum, { rows, list }) => sum + rows.words.byteLength + (list?.byteLength ?? 0), 0); // prettier-ignore
    this.selections.set(plan.key, selection, bytes);
    return selection;
  }

  /** Whether `select` has the answer already. */
  keeps(plan: FilterPlan): boolean {
    return this.selections.has(plan.key);
  }

  /** Why a row does not pass: each part of the filter that by itself removes it. Empty for a row that passes. */
  explain(plan: FilterPlan, ordinal: number): Rejection[] {
    return this.rejections(plan.root, ordinal);
  }

  /**
   * Builds what makes the first filters as quick as later ones, in slices of about a millisecond: for a server that loads
   * a version while it answers. About 0.1 s a million rows and attribute.
   * @param names attributes that will be filtered by; all by default
   */
  async prepare(names: Iterable<string> = this.schema.keys()): Promise<void> {
    for (const name of names) {
      if (this.schema.has(name)) await runInTurns(this.column(name).prepare());
    }
  }

  /** The attributes that were prepared or filtered by so far: what to prepare of the next version. */
  get usedAttributes(): string[] {
    return [...this.columns.keys()];
  }

  /** By ordinal. May be kept by a cache: not to be changed. */
  private evaluate(node: FilterNode): Uint32Array {
    const { count } = this.source;
    switch (node.kind) {
      case 'all':
        return Bitset.full(count).words;
      case 'clause':
        return this.evaluateClause(node).words;
      case 'not':
        return invertWords(this.evaluate(node.node), count);
      case 'or': {
        const words = emptyWords(count);
        for (const branch of node.nodes) uniteWords(words, this.evaluate(branch));
        return words;
      }
      case 'and':
        return this.evaluateAnd(node.steps);
    }
  }

  private evaluateClause(clause: Clause): Rows {
    const known = this.clauses.get(clause.key);
    if (known !== undefined) return known;
    const words = this.column(clause.attribute).select(clause);
    const rows = { words, count: new Bitset(this.source.count, words).count() };
    this.clauses.set(clause.key, rows, words.byteLength);
    return rows;
  }

  private evaluateAnd(steps: readonly FilterNode[]): Uint32Array {
    const estimates = steps.map((step) => this.estimate(step) ?? Infinity);
    const least = Math.min(...estimates);
    const rarest = estimates.indexOf(least);
    const others = steps.filter((_, position) => position !== rarest);
    const words = this.evaluate(steps[rarest]!).slice();
    if (least <= this.source.count * SPARSE_SHARE) {
      for (const other of others) keepPassing(words, this.matcher(other));
    } else {
      for (const other of others) intersectWords(words, this.evaluate(other));
    }
    return words;
  }

  /** Rows that pass at most, where that is known at once. */
  private estimate(node: FilterNode): number | null {
    switch (node.kind) {
      case 'all':
      case 'not':
        return null;
      case 'clause':
        return this.clauses.get(node.key)?.count ?? this.column(node.attribute).estimate(node);
      case 'or': {
        const branches = node.nodes.map((branch) => this.estimate(branch));
        return branches.reduce((sum, branch) => (sum === null || branch === null ? null : sum + branch), 0);
      }
      case 'and': {
        const known = node.steps.flatMap((step) => this.estimate(step) ?? []);
        return known.length === 0 ? null : Math.min(...known);
      }
    }
  }

  private matcher(node: FilterNode): (ordinal: number) => boolean {
    switch (node.kind) {
      case 'all':
        return () => true;
      case 'clause': {
        const words = this.clauses.get(node.key)?.words;
        if (words === undefined) return this.column(node.attribute).matcher(node);
        return (ordinal) => (words[ordinal >>> 5]! & (1 << (ordinal & 31))) !== 0;
      }
      case 'not': {
        const passes = this.matcher(node.node);
        return (ordinal) => !passes(ordinal);
      }
      case 'and': {
        const all = node.steps.map((step) => this.matcher(step));
        return (ordinal) => all.every((passes) => passes(ordinal));
      }
      case 'or': {
        const any = node.nodes.map((branch) => this.matcher(branch));
        return (ordinal) => any.some((passes) => passes(ordinal));
      }
    }
  }

  private rejections(node: FilterNode, ordinal: number): Rejection[] {
    // Each part of a conjunction removes by itself; of a disjunction none does, only all together.
    if (node.kind === 'and') return node.nodes.flatMap((part) => this.rejections(part, ordinal));
    if (node.kind === 'all' || this.matcher(node)(ordinal)) return [];
    const { path } = node;
    if (node.kind !== 'clause') return [{ path, operator: node.kind === 'or' ? '$or' : '$not', attribute: null }];
    const { attribute, operator } = node;
    return [{ path, operator, attribute, value: this.source.attributes!.value(attribute, ordinal) }];
  }

  private column(name: string): ColumnIndex {
    let column = this.columns.get(name);
    if (column === undefined) {
      column = new ColumnIndex(this.source.attributes!.column(name), this.budget);
      this.columns.set(name, column);
    }
    return column;
  }

  /** From ordinals to the rows of each shard. */
  private split(words: Uint32Array): Selection {
    const { shards, count } = this.source;
    const parts = shards.map(({ ordinals }) => {
      // The only shard of a version has every ordinal as its own row.
      const rows = new Bitset(ordinals.length, ordinals.length === count ? words : gatherBits(words, ordinals));
      const passed = rows.count();
      return { rows, count: passed, list: passed <= LISTED_SHARE * rows.size ? listRows(rows, passed) : undefined };
    });
    return { shards: parts, count: parts.reduce((sum, part) => sum + part.count, 0) };
  }
}

function listRows({ words }: Bitset, count: number): Uint32Array {
  const list = new Uint32Array(new SharedArrayBuffer(4 * count));
  let at = 0;
  for (let word = 0; word < words.length; word++) {
    for (let bits = words[word]!; bits !== 0; bits &= bits - 1) list[at++] = 32 * word + 31 - Math.clz32(bits & -bits);
  }
  return list;
}

/** Bit r of the result is bit ordinals[r] of the words. */
function gatherBits(words: Uint32Array, ordinals: Uint32Array): Uint32Array {
  const gathered = emptyWords(ordinals.length);
  for (let row = 0, word = 0; row < ordinals.length; word++) {
    let bits = 0;
    const end = Math.min(row + 32, ordinals.length);
    for (let bit = 0; row < end; row++, bit++) {
      const ordinal = ordinals[row]!;
      bits |= ((words[ordinal >>> 5]! >>> (ordinal & 31)) & 1) << bit;
    }
    gathered[word] = bits;
  }
  return gathered;
}
