/** Columns of bools: a pass is all it takes. */
import type { AttributeColumn } from '../../version/attribute-column.js';
import { emptyWords } from './bits.js';
import { chunksOf } from './column-blocks.js';
import type { Test } from './filter-plan.js';
import { unfit, type ValueIndex } from './value-index.js';
import type { Work } from './work.js';

export class BoolIndex implements ValueIndex {
  constructor(private readonly column: AttributeColumn) {}

  estimate(): null {
    return null;
  }

  select(test: Test): Uint32Array {
    const mask = maskOf(test);
    const words = emptyWords(this.column.count);
    for (const { firstOrdinal, chunk } of chunksOf(this.column, 'bools')) {
      for (let row = 0; row < chunk.rows; row++) {
        const ordinal = firstOrdinal + row;
        words[ordinal >>> 5]! |= ((mask >>> chunk.values[row]!) & 1) << (ordinal & 31);
      }
    }
    return words;
  }

  matcher(test: Test): (ordinal: number) => boolean {
    const mask = maskOf(test);
    return (ordinal) => (mask & (this.column.value(ordinal) === true ? 2 : 1)) !== 0;
  }

  *prepare(): Work<void> {
    return;
  }
}

function maskOf(test: Test): number {
  return test.kind === 'bools' ? test.mask : unfit(test);
}
