/**
 * Evaluates clauses on one attribute, from the index of its values and the rows that have a value. Indexes are built
 * when needed.
 */
import type { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { Bitset } from '../../base/bitset.js';
import { countWords, gatherBits, intersectWords, invertWords } from './bits.js';
import { BoolIndex } from './bool-index.js';
import { readPresence } from './column-blocks.js';
import type { Clause } from './filter-plan.js';
import { IdIndex, type FilterIds } from './id-index.js';
import { ListIndex } from './list-index.js';
import { NumberIndex } from './number-index.js';
import type { Rows } from './rows.js';
import { TextIndex } from './text-index.js';
import type { LookupResult, IndexBudget, ValueIndex } from './value-index.js';
import { Meter, type Work } from '../../base/work.js';

interface Presence {
  /** Null if every row has a value. */
  readonly words: Uint32Array | null;
  readonly count: number;
}

export class ColumnIndex {
  private known: Presence | null;

  private constructor(
    private readonly count: number,
    private readonly column: AttributeColumn | null,
    makeValues: (presence: () => Work<Uint32Array | null>) => ValueIndex,
  ) {
    this.known = column === null ? { words: null, count } : null;
    this.values = makeValues(() => this.presentWords());
  }

  private readonly values: ValueIndex;

  static ofAttribute(column: AttributeColumn, budget: IndexBudget): ColumnIndex {
    return new ColumnIndex(column.count, column, (presence) => valueIndex(column, presence, budget));
  }

  static ofIds(ids: FilterIds): ColumnIndex {
    return new ColumnIndex(ids.count, null, () => new IdIndex(ids));
  }

  /** For each clause, the rows that pass if the index knows them; null if only a scan can tell. */
  *lookUp(clauses: readonly Clause[], meter: Meter): Work<(LookupResult | null)[]> {
    const presence = yield* this.presence();
    const valued = clauses.filter(({ test }) => test.kind !== 'null');
    const known = yield* this.values.lookUp(
      valued.map(({ test }) => test),
      meter,
    );
    return clauses.map((clause): LookupResult | null => {
      const { test, negated } = clause;
      if (test.kind === 'null') {
        const atMost = test.isNull ? this.count - presence.count : presence.count;
        return { atMost, select: (own) => this.selectNull(presence, test.isNull, own) };
      }
      const found = known[valued.indexOf(clause)] ?? null;
      if (found === null) return null;
      const atMost = negated ? presence.count : found.atMost;
      return { atMost, select: (own) => this.selectFound(found, negated, presence, own) };
    });
  }

  /** Scans these rows. @returns a new set for each clause */
  *scan(clauses: readonly Clause[], rows: Rows, meter: Meter): Work<Uint32Array[]> {
    const presence = yield* this.presence();
    const present = yield* presentAmong(presence, rows, meter);
    const valued = clauses.filter(({ test }) => test.kind !== 'null');
    const tests = valued.map(({ test }) => test);
    const passed = tests.length === 0 ? [] : yield* this.values.scan(tests, rows, meter);
    const outs: Uint32Array[] = [];
    for (const { test, negated } of clauses) {
      if (test.kind === 'null') {
        const all = present ?? Bitset.full(rows.count).words;
        outs.push(test.isNull ? yield* invertWords(all, rows.count, meter) : all.slice());
        continue;
      }
      const found = passed.shift()!;
      const words = negated ? yield* invertWords(found, rows.count, meter) : found;
      if (present !== null) yield* intersectWords(words, present, meter);
      outs.push(words);
    }
    return outs;
  }

  *prepare(): Work<void> {
    yield* this.presence();
    yield* this.values.prepare();
  }

  private *selectNull({ words }: Presence, isNull: boolean, meter: Meter): Work<Uint32Array> {
    const present = words ?? Bitset.full(this.count).words;
    return isNull ? yield* invertWords(present, this.count, meter) : present.slice();
  }

  private *selectFound(found: LookupResult, negated: boolean, { words }: Presence, meter: Meter): Work<Uint32Array> {
    const selected = yield* found.select(meter);
    const passing = negated ? yield* invertWords(selected, this.count, meter) : selected;
    if (words !== null) yield* intersectWords(passing, words, meter);
    return passing;
  }

  private *presentWords(): Work<Uint32Array | null> {
    return (yield* this.presence()).words;
  }

  private *presence(): Work<Presence> {
    if (this.known !== null) return this.known;
    const words = yield* readPresence(this.column!);
    const count = words === null ? this.count : yield* countWords(words, new Meter());
    return (this.known ??= { words, count });
  }
}

function* presentAmong({ words }: Presence, { list }: Rows, meter: Meter): Work<Uint32Array | null> {
  return words === null || list === null ? words : yield* gatherBits(words, list, meter);
}

function valueIndex(
  column: AttributeColumn,
  presence: () => Work<Uint32Array | null>,
  budget: IndexBudget,
): ValueIndex {
  switch (column.field.type.kind) {
    case 'bool':
      return new BoolIndex(column);
    case 'utf8':
      return new TextIndex(column, presence, budget);
    case 'list':
      return new ListIndex(column, budget);
    default:
      return new NumberIndex(column, presence, budget);
  }
}
