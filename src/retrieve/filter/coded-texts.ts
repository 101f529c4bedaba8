/** The rows of a column of texts that repeat: a code and a place in the postings each. */
import { emptyWords } from './bits.js';
import type { Test } from './filter-plan.js';
import { addPostings, buildPostings, type Postings } from './postings.js';
import type { TextDictionary } from './text-dictionary.js';
import { textMatcher } from './text-matcher.js';
import type { Work } from './work.js';

/** The codes that pass a test, as a list and as a table of 0 and 1. */
interface Passing {
  readonly codes: readonly number[];
  readonly table: Uint8Array;
  /** Rows that have one of the codes. */
  readonly count: number;
}

export class CodedTexts {
  private readonly passing = new WeakMap<Test, Passing>();

  private constructor(
    private readonly count: number,
    private readonly dictionary: TextDictionary,
    private readonly postings: Postings,
  ) {}

  static *ofRows(dictionary: TextDictionary): Work<CodedTexts> {
    const postings = yield* buildPostings(dictionary.codes, dictionary.counts, null);
    return new CodedTexts(dictionary.codes.length, dictionary, postings);
  }

  /** Rows that pass. */
  estimate(test: Test): number {
    return this.find(test).count;
  }

  select(test: Test): Uint32Array {
    const words = emptyWords(this.count);
    const { codes, table, count } = this.find(test);
    // A pass over the codes costs as much as setting the bits of a quarter of the rows one by one.
    if (count > this.count / 4) scanCodes(this.dictionary.codes, table, words);
    else addPostings(words, this.postings, codes);
    return words;
  }

  matcher(test: Test): (ordinal: number) => boolean {
    const { codes } = this.dictionary;
    const { table } = this.find(test);
    return (ordinal) => table[codes[ordinal]!] === 1;
  }

  private find(test: Test): Passing {
    const known = this.passing.get(test);
    if (known !== undefined) return known;
    const codes = findCodes(this.dictionary, test);
    const table = new Uint8Array(this.dictionary.texts.length);
    let count = 0;
    for (const code of codes) {
      table[code] = 1;
      count += this.dictionary.counts[code]!;
    }
    const passing = { codes, table, count };
    this.passing.set(test, passing);
    return passing;
  }
}

/** Codes whose text passes, never 0. Texts that are asked for are looked up, everything else is tried on every text. */
export function findCodes({ texts, codeOf }: TextDictionary, test: Test): number[] {
  const asked = test.kind === 'texts' ? test.values : test.kind === 'item' ? [test.text] : null;
  if (asked !== null) return asked.flatMap((text) => codeOf.get(text) ?? []);
  const passes = textMatcher(test);
  const codes: number[] = [];
  for (let code = 1; code < texts.length; code++) if (passes(texts[code]!)) codes.push(code);
  return codes;
}

function scanCodes(codes: Uint16Array, table: Uint8Array, words: Uint32Array): void {
  for (let ordinal = 0, word = 0; ordinal < codes.length; word++) {
    let bits = 0;
    const end = Math.min(ordinal + 32, codes.length);
    for (let bit = 0; ordinal < end; ordinal++, bit++) bits |= table[codes[ordinal]!]! << bit;
    words[word] = bits;
  }
}
