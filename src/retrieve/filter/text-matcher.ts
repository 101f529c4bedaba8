/** Whether a text passes a test. */
import type { Test } from './filter-plan.js';
import { isWithin } from './text-order.js';
import { unfit } from './value-index.js';

export function textMatcher(test: Test): (text: string) => boolean {
  switch (test.kind) {
    case 'texts': {
      const values = new Set(test.values);
      return (text) => values.has(text);
    }
    case 'text_range':
      return (text) => isWithin(text, test.low, test.high);
    case 'substring':
      return (text) => text.includes(test.text);
    case 'item':
      return (text) => text === test.text;
    default:
      return unfit(test);
  }
}
