/**
 * Evaluates one filter over one version: from the tree of a plan to a set of rows.
 *
 * First, indexes look up every clause that is not cached, column by column. A conjunction with a part that passes few
 * rows then tests its other parts on those rows only. For what remains, one scan of each column answers all clauses on
 * it, wherever they are in the filter. Last, the sets of the clauses are combined as the tree says.
 *
 * Works in slices. The only shared state it changes is the cache, which receives complete results.
 */
import { Bitset } from '../../base/bitset.js';
import type { BoundedCache } from './bounded-cache.js';
import {
  countWords,
  emptyWords,
  gatherBits,
  intersectWords,
  invertWords,
  listMembers,
  scatterBits,
  uniteWords,
} from './bits.js';
import type { ColumnIndex } from './column-index.js';
import type { AndNode, Clause, FilterNode } from './filter-plan.js';
import { allRows, listedRows, type Rows } from './rows.js';
import type { LookupResult } from './value-index.js';
import { Meter, type Work } from '../../base/work.js';

/** Rows of a clause, by ordinal. Owned by the cache; must not be changed. */
interface ClauseRows {
  readonly words: Uint32Array;
  readonly count: number;
}

export type ClauseCache = BoundedCache<ClauseRows>;

/**
 * A conjunction tests its other parts only on the rows of a part that passes less than this share: testing one row
 * costs about as much as scanning 50 values.
 */
const SPARSE_SHARE = 1 / 64;

interface EvaluationSource {
  readonly count: number;
  column(name: string): ColumnIndex;
  readonly clauses: ClauseCache;
}

export class Evaluation {
  private readonly meter = new Meter();
  /** Sets over all rows, by key. Some belong to the cache. */
  private readonly known = new Map<string, Uint32Array>();
  private readonly counts = new Map<string, number>();
  private readonly lookups = new Map<string, LookupResult>();
  /** For each sparse conjunction, the part that passes few rows. */
  private readonly sparse = new Map<AndNode, FilterNode>();

  constructor(private readonly source: EvaluationSource) {}

  /** The rows that pass, by ordinal. May belong to the cache; must not be changed. */
  *select(root: FilterNode): Work<Uint32Array> {
    const clauses = distinctClauses(root, 'steps');
    this.readCache(clauses);
    yield* this.lookUp(clauses);
    const needed = new Map<string, Clause>();
    this.collectNeeded(root, needed);
    yield* this.findRows([...needed.values()]);
    return yield* this.combine(root, this.known, allRows(this.source.count));
  }

  /** For each clause as written, by key: which of these rows pass it. */
  scanClauses(root: FilterNode, rows: Rows): Work<Map<string, Uint32Array>> {
    return this.scanRows(distinctClauses(root, 'nodes'), rows);
  }

  private readCache(clauses: readonly Clause[]): void {
    for (const { key } of clauses) {
      const kept = this.source.clauses.get(key);
      if (kept === undefined) continue;
      this.known.set(key, kept.words);
      this.counts.set(key, kept.count);
    }
  }

  private *lookUp(clauses: readonly Clause[]): Work<void> {
    for (const [name, group] of byAttribute(clauses.filter(({ key }) => !this.known.has(key)))) {
      const found = yield* this.source.column(name).lookUp(group, this.meter);
      for (const [i, { key }] of group.entries()) {
        if (found[i] === null) continue;
        this.lookups.set(key, found[i]!);
        this.counts.set(key, found[i]!.atMost);
      }
    }
  }

  /** Finds sparse conjunctions, and collects the clauses that must be evaluated over all rows. */
  private collectNeeded(node: FilterNode, needed: Map<string, Clause>): void {
    switch (node.kind) {
      case 'all':
        return;
      case 'clause':
        if (!this.known.has(node.key)) needed.set(node.key, node);
        return;
      case 'not':
        this.collectNeeded(node.node, needed);
        return;
      case 'or':
        for (const branch of node.steps) this.collectNeeded(branch, needed);
        return;
      case 'and': {
        const rarest = this.rarestStep(node);
        if (rarest === null) for (const step of node.steps) this.collectNeeded(step, needed);
        else {
          this.sparse.set(node, rarest);
          this.collectNeeded(rarest, needed);
        }
      }
    }
  }

  private rarestStep({ steps }: AndNode): FilterNode | null {
    if (steps.length === 1) return null;
    const estimates = steps.map((step) => this.estimate(step) ?? Infinity);
    const min = Math.min(...estimates);
    return min <= this.source.count * SPARSE_SHARE ? steps[estimates.indexOf(min)]! : null;
  }

  /** Upper bound of the rows that pass; null if unknown. */
  private estimate(node: FilterNode): number | null {
    switch (node.kind) {
      case 'all':
      case 'not':
        return null;
      case 'clause':
        return this.counts.get(node.key) ?? null;
      case 'or': {
        const branches = node.steps.map((branch) => this.estimate(branch));
        return branches.reduce((sum, branch) => (sum === null || branch === null ? null : sum + branch), 0);
      }
      case 'and': {
        const known = node.steps.flatMap((step) => this.estimate(step) ?? []);
        return known.length === 0 ? null : Math.min(...known);
      }
    }
  }

  private *findRows(clauses: readonly Clause[]): Work<void> {
    for (const clause of clauses) {
      const found = this.lookups.get(clause.key);
      if (found !== undefined) yield* this.keep(clause, yield* found.select(this.meter));
    }
    const all = allRows(this.source.count);
    for (const [name, group] of byAttribute(clauses.filter(({ key }) => !this.lookups.has(key)))) {
      const passed = yield* this.source.column(name).scan(group, all, this.meter);
      for (const [i, clause] of group.entries()) yield* this.keep(clause, passed[i]!);
    }
  }

  private *keep({ key }: Clause, words: Uint32Array): Work<void> {
    this.known.set(key, words);
    const count = yield* countWords(words, this.meter);
    this.source.clauses.set(key, { words, count }, words.byteLength);
  }

  /** Combines the sets of clauses. @param known sets among these rows, by key */
  private *combine(node: FilterNode, known: ReadonlyMap<string, Uint32Array>, rows: Rows): Work<Uint32Array> {
    switch (node.kind) {
      case 'all':
        return Bitset.full(rows.count).words;
      case 'clause':
        return known.get(node.key)!;
      case 'not':
        return yield* invertWords(yield* this.combine(node.node, known, rows), rows.count, this.meter);
      case 'or': {
        const words = emptyWords(rows.count);
        for (const step of node.steps) yield* uniteWords(words, yield* this.combine(step, known, rows), this.meter);
        return words;
      }
      case 'and': {
        const rarest = rows.list === null ? this.sparse.get(node) : undefined;
        if (rarest !== undefined) return yield* this.combineSparse(node, rarest);
        const [first, ...others] = node.steps;
        const words = (yield* this.combine(first!, known, rows)).slice();
        for (const step of others) yield* intersectWords(words, yield* this.combine(step, known, rows), this.meter);
        return words;
      }
    }
  }

  private *combineSparse(node: AndNode, rarest: FilterNode): Work<Uint32Array> {
    const { count } = this.source;
    const candidates = yield* this.combine(rarest, this.known, allRows(count));
    const list = new Uint32Array(yield* countWords(candidates, this.meter));
    yield* listMembers(candidates, list, this.meter);
    const others = node.steps.filter((step) => step !== rarest);
    const clauses = others.flatMap((step) => distinctClauses(step, 'steps'));
    const rows = listedRows(list);
    const known = yield* this.scanRows(distinct(clauses), rows);
    const positions = Bitset.full(list.length).words;
    for (const step of others) yield* intersectWords(positions, yield* this.combine(step, known, rows), this.meter);
    return yield* scatterBits(positions, list, count, this.meter);
  }

  /** Which of the listed rows pass these clauses, by key. */
  private *scanRows(clauses: readonly Clause[], rows: Rows): Work<Map<string, Uint32Array>> {
    const among = new Map<string, Uint32Array>();
    for (const { key } of clauses) {
      const known = this.known.get(key) ?? this.source.clauses.get(key)?.words;
      if (known !== undefined) among.set(key, yield* gatherBits(known, rows.list!, this.meter));
    }
    for (const [name, group] of byAttribute(clauses.filter(({ key }) => !among.has(key)))) {
      const passed = yield* this.source.column(name).scan(group, rows, this.meter);
      group.forEach(({ key }, i) => among.set(key, passed[i]!));
    }
    return among;
  }
}

/** The distinct clauses of a filter. @param form `steps`: as evaluated; `nodes`: as written */
export function distinctClauses(root: FilterNode, form: 'steps' | 'nodes'): Clause[] {
  const collect = (node: FilterNode): Clause[] => {
    switch (node.kind) {
      case 'all':
        return [];
      case 'clause':
        return [node];
      case 'not':
        return collect(node.node);
      default:
        return node[form].flatMap(collect);
    }
  };
  return distinct(collect(root));
}

function distinct(clauses: readonly Clause[]): Clause[] {
  return [...new Map(clauses.map((clause) => [clause.key, clause])).values()];
}

function byAttribute(clauses: readonly Clause[]): Map<string, Clause[]> {
  const groups = new Map<string, Clause[]>();
  for (const clause of clauses) {
    const group = groups.get(clause.attribute);
    if (group === undefined) groups.set(clause.attribute, [clause]);
    else group.push(clause);
  }
  return groups;
}
