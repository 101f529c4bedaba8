/** Texts by code points, which is the order of their UTF-8 bytes and not that of JavaScript's `<`. */
import type { TextBound } from './filter-plan.js';

export function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [unitA, unitB] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (unitA !== unitB) return liftSurrogate(unitA) - liftSurrogate(unitB);
  }
  return a.length - b.length;
}

/** Halves of characters beyond U+FFFF (0xd800 to 0xdfff) go behind U+E000 to U+FFFF. */
function liftSurrogate(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

export function isWithin(text: string, low: TextBound | null, high: TextBound | null): boolean {
  if (low !== null) {
    const order = compareTexts(text, low.text);
    if (order < 0 || (order === 0 && !low.inclusive)) return false;
  }
  if (high === null) return true;
  const order = compareTexts(text, high.text);
  return order < 0 || (order === 0 && high.inclusive);
}
