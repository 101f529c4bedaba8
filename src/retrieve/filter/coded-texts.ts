/** The index of a text column with few distinct texts: a code per row, and postings per code. */
import { emptyWords, hasBit } from './bits.js';
import type { Test } from './filter-plan.js';
import { addPostings, buildPostings, type Postings } from './postings.js';
import type { TextDictionary } from './text-dictionary.js';
import { scanTextRows } from './text-scan.js';
import type { LookupResult } from './value-index.js';
import type { Meter, Work } from '../../base/work.js';

export class CodedTexts {
  private constructor(
    private readonly dictionary: TextDictionary,
    private readonly postings: Postings,
  ) {}

  static *ofRows(dictionary: TextDictionary): Work<CodedTexts> {
    return new CodedTexts(dictionary, yield* buildPostings(dictionary.codes, dictionary.counts, null));
  }

  *lookUp(tests: readonly Test[], meter: Meter): Work<LookupResult[]> {
    const found: LookupResult[] = [];
    for (const codes of yield* findCodes(this.dictionary, tests, meter)) found.push(this.rowsOf(codes));
    return found;
  }

  private rowsOf(passing: readonly number[]): LookupResult {
    const { dictionary, postings } = this;
    const { codes, counts } = dictionary;
    const atMost = passing.reduce((sum, code) => sum + counts[code]!, 0);
    const select = function* (meter: Meter): Work<Uint32Array> {
      const words = emptyWords(codes.length);
      // A scan of the codes costs as much as setting the bits of a quarter of the rows one by one.
      if (atMost > codes.length / 4) yield* scanCodes(codes, tableOf(passing, counts.length), words, meter);
      else yield* addPostings(words, postings, passing, meter);
      return words;
    };
    return { atMost, select };
  }
}

/** For each test, the codes whose text passes; never 0. Equality looks texts up; other tests scan all texts. */
function* findCodes(dictionary: TextDictionary, tests: readonly Test[], meter: Meter): Work<number[][]> {
  const tried = tests.filter(({ kind }) => kind !== 'texts');
  const sets = tried.length === 0 ? [] : yield* scanTextRows(dictionary.texts, tried, meter);
  const found: number[][] = [];
  for (const test of tests) {
    if (test.kind === 'texts') found.push(yield* lookUpTexts(dictionary, test.values, meter));
    else found.push(yield* listCodes(sets[tried.indexOf(test)]!, dictionary.texts.rows, meter));
  }
  return found;
}

function* lookUpTexts({ codeOf }: TextDictionary, texts: readonly string[], meter: Meter): Work<number[]> {
  const codes = new Set<number>();
  for (const text of texts) {
    const code = codeOf(Buffer.from(text));
    if (code !== 0) codes.add(code);
    if (meter.spend(400 + 3 * text.length)) yield;
  }
  return [...codes];
}

function* listCodes(words: Uint32Array, count: number, meter: Meter): Work<number[]> {
  const codes: number[] = [];
  for (let code = 1; code < count; code++) if (hasBit(words, code)) codes.push(code);
  if (meter.spend(3 * count)) yield;
  return codes;
}

function tableOf(codes: readonly number[], count: number): Uint8Array {
  const table = new Uint8Array(count);
  for (const code of codes) table[code] = 1;
  return table;
}

/** Codes per slice; a multiple of 32. */
const SLICE_CODES = 2 ** 17;

function* scanCodes(codes: Uint16Array, table: Uint8Array, words: Uint32Array, meter: Meter): Work<void> {
  for (let from = 0; from < codes.length; from += SLICE_CODES) {
    const to = Math.min(from + SLICE_CODES, codes.length);
    for (let ordinal = from, word = from >>> 5; ordinal < to; word++) {
      let bits = 0;
      const end = Math.min(ordinal + 32, to);
      for (let bit = 0; ordinal < end; ordinal++, bit++) bits |= table[codes[ordinal]!]! << bit;
      words[word] = bits;
    }
    if (meter.spend(to - from)) yield;
  }
}
