/** Filters on ids, which the id table looks up. */
import type { IdTable } from '../../base/id-table.js';
import { addBit, emptyWords } from './bits.js';
import type { Test } from './filter-plan.js';
import type { Rows } from './rows.js';
import { throwUnsupported, type LookupResult, type ValueIndex } from './value-index.js';
import type { Meter, Work } from '../../base/work.js';

export type FilterIds = Pick<IdTable, 'find' | 'text' | 'count'>;

/** Meter units of one lookup in the table. */
const FIND_UNITS = 500;

export class IdIndex implements ValueIndex {
  constructor(private readonly ids: FilterIds) {}

  *lookUp(tests: readonly Test[], meter: Meter): Work<LookupResult[]> {
    const found: LookupResult[] = [];
    for (const test of tests) {
      const ordinals = yield* this.ordinalsOf(test, meter);
      found.push({ atMost: ordinals.size, select: () => this.select(ordinals) });
    }
    return found;
  }

  *scan(tests: readonly Test[], rows: Rows, meter: Meter): Work<Uint32Array[]> {
    const outs: Uint32Array[] = [];
    for (const test of tests) {
      const ordinals = yield* this.ordinalsOf(test, meter);
      outs.push(rows.list === null ? yield* this.select(ordinals) : yield* scanList(ordinals, rows.list, meter));
    }
    return outs;
  }

  *prepare(): Work<void> {
    return;
  }

  private *ordinalsOf(test: Test, meter: Meter): Work<Set<number>> {
    const ordinals = new Set<number>();
    if (test.kind !== 'ids') return throwUnsupported(test);
    for (const id of test.ids) {
      const ordinal = this.ids.find(id);
      if (ordinal >= 0) ordinals.add(ordinal);
      if (meter.spend(FIND_UNITS + 2 * id.length)) yield;
    }
    return ordinals;
  }

  private *select(ordinals: ReadonlySet<number>): Work<Uint32Array> {
    const words = emptyWords(this.ids.count);
    for (const ordinal of ordinals) addBit(words, ordinal);
    return words;
  }
}

function* scanList(ordinals: ReadonlySet<number>, list: Uint32Array, meter: Meter): Work<Uint32Array> {
  const words = emptyWords(list.length);
  for (let position = 0; position < list.length; position++) {
    if (ordinals.has(list[position]!)) addBit(words, position);
    if (meter.spend(30)) yield;
  }
  return words;
}
