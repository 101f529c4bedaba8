/** Clauses on one attribute: what passes, by its values' index and by which rows have a value. Indexes are built at need. */
import type { AttributeColumn } from '../../version/attribute-column.js';
import { Bitset } from '../../base/bitset.js';
import { invertWords, intersectWords } from './bits.js';
import { BoolIndex } from './bool-index.js';
import { readPresence } from './column-blocks.js';
import type { Clause } from './filter-plan.js';
import { ListIndex } from './list-index.js';
import { NumberIndex } from './number-index.js';
import { TextIndex } from './text-index.js';
import type { IndexBudget, ValueIndex } from './value-index.js';
import { runAtOnce, type Work } from './work.js';

/** Rows with a value. */
interface Presence {
  /** Null where every row has one. */
  readonly words: Uint32Array | null;
  readonly count: number;
}

export class ColumnIndex {
  private readonly values: ValueIndex;
  private known: Presence | null = null;

  constructor(
    private readonly column: AttributeColumn,
    budget: IndexBudget,
  ) {
    const presence = (): Uint32Array | null => this.presence().words;
    this.values = valueIndex(column, presence, budget);
  }

  /** Rows that pass at most, where that is known without a pass over the column. */
  estimate({ test, negated }: Clause): number | null {
    if (test.kind !== 'null') return negated ? null : this.values.estimate(test);
    const { count } = this.presence();
    return test.isNull ? this.column.count - count : count;
  }

  /** The rows that pass, as a new set. */
  select({ test, negated }: Clause): Uint32Array {
    const { count } = this.column;
    const presence = this.presence().words;
    if (test.kind === 'null') return this.selectNull(test.isNull);
    const words = negated ? invertWords(this.values.select(test), count) : this.values.select(test);
    if (presence !== null) intersectWords(words, presence);
    return words;
  }

  /** Whether one row passes. */
  matcher({ test, negated }: Clause): (ordinal: number) => boolean {
    const { words } = this.presence();
    const isPresent = (ordinal: number): boolean =>
      words === null || (words[ordinal >>> 5]! & (1 << (ordinal & 31))) !== 0;
    if (test.kind === 'null') return (ordinal) => isPresent(ordinal) !== test.isNull;
    const passes = this.values.matcher(test);
    return (ordinal) => isPresent(ordinal) && passes(ordinal) !== negated;
  }

  *prepare(): Work<void> {
    this.known ??= yield* this.readPresence();
    yield* this.values.prepare();
  }

  private selectNull(isNull: boolean): Uint32Array {
    const { count } = this.column;
    const { words } = this.presence();
    const present = words ?? Bitset.full(count).words;
    return isNull ? invertWords(present, count) : present.slice();
  }

  private presence(): Presence {
    return (this.known ??= runAtOnce(this.readPresence()));
  }

  private *readPresence(): Work<Presence> {
    const { count } = this.column;
    const words = yield* readPresence(this.column);
    return { words, count: words === null ? count : new Bitset(count, words).count() };
  }
}

function valueIndex(column: AttributeColumn, presence: () => Uint32Array | null, budget: IndexBudget): ValueIndex {
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
