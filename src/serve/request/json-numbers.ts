/**
 * A list of numbers in a large JSON body, straight to float32, in steps.
 *
 * Numbers are read by JSON.parse, a stretch between two commas at a time, and rounded as typed arrays round, so that
 * they are the same to the bit as those of a small body. What is no list of numbers and nulls is left to whoever
 * reads any list.
 */
import { MAX_DIM } from '../../base/limits.js';
import type { ShortlistError } from '../../base/errors.js';
import type { ByteCounter } from './byte-account.js';
import { fieldError } from './field-error.js';
import { COMMA, LIST_END, LIST_START, STEP_BYTES, type JsonScanner } from './json-scan.js';

/** What a typed array takes beside its values. */
const VECTOR_BYTES = 200;

/** Reads vectors of one body one after the other. */
export class NumberLists {
  /** Components of the vector that is being read, as far as a vector goes. */
  private readonly components = new Float32Array(MAX_DIM);
  private count = 0;

  constructor(
    private readonly scanner: JsonScanner,
    private readonly memory: ByteCounter,
  ) {}

  /**
   * @param field where the list stands
   * @returns the vector; the error of one that is longer than any; null, and nothing is passed over, for another list
   */
  *read(field: string): Generator<void, Float32Array | ShortlistError | null, void> {
    const { scanner } = this;
    const start = scanner.at;
    scanner.skip(LIST_START);
    this.count = 0;
    let isMore = false;
    do {
      while (scanner.skipSpace()) yield;
      const piece = this.findPiece();
      const isRead = piece !== null && this.append(piece.text, isMore || piece.isMore);
      if (!isRead) {
        scanner.at = start;
        return null;
      }
      scanner.at = piece.end;
      isMore = piece.isMore;
      yield;
    } while (isMore);
    return this.count > MAX_DIM ? tooLong(field, this.count) : this.copyVector();
  }

  /** Up to the end of the list, or else to the last comma of a step. @returns null where neither is there */
  private findPiece(): { readonly text: string; readonly end: number; readonly isMore: boolean } | null {
    const { bytes, at } = this.scanner;
    const window = bytes.subarray(at, at + STEP_BYTES);
    const close = window.indexOf(LIST_END);
    const length = close === -1 ? window.lastIndexOf(COMMA) : close;
    if (length === -1) return null;
    return { text: window.toString('latin1', 0, length), end: at + length + 1, isMore: close === -1 };
  }

  /** @returns false where the text is no numbers and nulls with commas between, or none though a comma wants one */
  private append(text: string, isRequired: boolean): boolean {
    let list: readonly unknown[];
    try {
      list = JSON.parse(`[${text}]`) as unknown[];
    } catch {
      return false;
    }
    if (list.length === 0) return !isRequired;
    const { components } = this;
    let { count } = this;
    for (const component of list) {
      if (typeof component !== 'number' && component !== null) return false;
      if (count < MAX_DIM) components[count] = component ?? NaN;
      count++;
    }
    this.count = count;
    return true;
  }

  private copyVector(): Float32Array {
    this.memory.grow(4 * this.count + VECTOR_BYTES);
    return this.components.slice(0, this.count);
  }
}

function tooLong(field: string, count: number): ShortlistError {
  const message = `${field} has ${count} components; vectors of an index have ${MAX_DIM} at most`;
  return fieldError('dimension_mismatch', field, message);
}
