/** Columns of bools: one scan answers all tests, so there is no index. */
import type { Column } from '../../arrow/column.js';
import type { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { emptySets } from './bits.js';
import { BLOCK_ROWS, eachPart } from './column-blocks.js';
import type { Test } from './filter-plan.js';
import type { Rows } from './rows.js';
import { throwUnsupported, type LookupResult, type ValueIndex } from './value-index.js';
import type { Meter, Work } from '../../base/work.js';

type Bools = Column & { readonly shape: 'bools' };

export class BoolIndex implements ValueIndex {
  constructor(private readonly column: AttributeColumn) {}

  *lookUp(tests: readonly Test[]): Work<(LookupResult | null)[]> {
    return tests.map(() => null);
  }

  *scan(tests: readonly Test[], rows: Rows, meter: Meter): Work<Uint32Array[]> {
    const values = new Uint8Array(BLOCK_ROWS);
    const masks = tests.map(maskOf);
    const outs = yield* emptySets(tests.length, rows.count, meter);
    for (let from = 0; from < rows.count; from += BLOCK_ROWS) {
      const to = Math.min(from + BLOCK_ROWS, rows.count);
      this.read(rows, from, to, values);
      for (const [i, mask] of masks.entries()) addPassing(values, to - from, mask, outs[i]!, from);
      if (meter.spend((rows.list === null ? 1 : 30) * (1 + tests.length) * (to - from))) yield;
    }
    return outs;
  }

  *prepare(): Work<void> {
    return;
  }

  private read({ list }: Rows, from: number, to: number, out: Uint8Array): void {
    if (list !== null) {
      for (let i = from; i < to; i++) out[i - from] = Number(this.column.value(list[i]!) === true);
      return;
    }
    eachPart(this.column, from, to, (chunk, row, rows, ordinal) => {
      out.set((chunk as Bools).values.subarray(row, row + rows), ordinal - from);
    });
  }
}

function addPassing(values: Uint8Array, rows: number, mask: number, out: Uint32Array, firstPosition: number): void {
  for (let row = 0, word = firstPosition >>> 5; row < rows; word++) {
    let bits = 0;
    const end = Math.min(row + 32, rows);
    for (let bit = 0; row < end; row++, bit++) bits |= ((mask >>> values[row]!) & 1) << bit;
    out[word] = bits;
  }
}

function maskOf(test: Test): number {
  return test.kind === 'bools' ? test.mask : throwUnsupported(test);
}
