import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import { NeedleReader, Needles, type NeedleGroup } from '../../../src/retrieve/filter/needles.js';
import { Meter, runSync } from '../../../src/base/work.js';
import { below, pick } from './random-filters.js';

/** For each text the groups that are complete in it, each once. @param piece bytes that are read at once */
function completeIn(groups: readonly NeedleGroup[], texts: readonly string[], piece = Infinity): number[][] {
  const needles = runSync(Needles.build(groups, new Meter()));
  let complete: number[] = [];
  const reader = new NeedleReader(needles, (group) => complete.push(group));
  return texts.map((text) => {
    complete = [];
    const bytes = Buffer.from(text);
    reader.begin();
    for (let from = 0; from < bytes.length; from += piece) {
      if (!reader.read(bytes, from, Math.min(from + piece, bytes.length))) break;
    }
    return complete.sort((a, b) => a - b);
  });
}

function wanted(groups: readonly NeedleGroup[], texts: readonly string[]): number[][] {
  return texts.map((text) =>
    groups.flatMap(({ texts: parts, all }, group) => {
      const holds = (part: string) => text.includes(part);
      return (all ? parts.every(holds) : parts.some(holds)) ? [group] : [];
    }),
  );
}

describe('many substrings', () => {
  it('are found as each would be by itself, in whatever pieces a text is read', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '日'), maxLength: 20 });
    const part = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '日'), minLength: 1, maxLength: 5 });
    const group = fc.record({ texts: fc.array(part, { minLength: 1, maxLength: 4 }), all: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(group, { minLength: 1, maxLength: 6 }),
        fc.array(text, { maxLength: 12 }),
        fc.integer({ min: 1, max: 7 }),
        (groups, texts, piece) => {
          expect(completeIn(groups, texts)).toEqual(wanted(groups, texts));
          expect(completeIn(groups, texts, piece)).toEqual(wanted(groups, texts));
        },
      ),
      { seed: 4010, numRuns: 300 },
    );
  });

  it('are found where they are too long and many for a table of states', () => {
    const random = seededRandom(4011);
    const letters = Array.from({ length: 90 }, (_, i) => String.fromCharCode(33 + i));
    const make = (length: number) => Array.from({ length }, () => pick(random, letters)).join('');
    const parts = Array.from({ length: 256 }, () => make(250));
    const groups = parts.map((part, i) => ({ texts: [part, part.slice(0, 1 + (i % 40))], all: i % 2 === 0 }));
    const texts = Array.from({ length: 60 }, (_, i) => {
      const part = parts[below(random, 256)]!;
      return `${make(i)}${i % 3 === 0 ? part.slice(0, -1) : part}${pick(random, parts).slice(0, 90)}`;
    });
    expect(completeIn(groups, texts)).toEqual(wanted(groups, texts));
  });

  it('are found where every byte occurs in them', () => {
    const all = Array.from({ length: 0x500 }, (_, i) => String.fromCodePoint(i === 0 ? 1 : i)).join('');
    const groups = [{ texts: [all, '\u0001'], all: true }, { texts: ['\u04ff\u0001'], all: false }]; // prettier-ignore
    const texts = [all, `x${all}\u0001`, 'x'];
    expect(completeIn(groups, texts)).toEqual(wanted(groups, texts));
  });
});
