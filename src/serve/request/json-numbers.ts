/**
 * Reads a list of numbers in a large JSON body to float32, in steps.
 *
 * JSON.parse reads the numbers of one piece, cut at commas, and they are rounded as typed arrays do, so that they equal
 * those of a small body to the bit. A list that has other values is left to the reader of lists.
 */
import { MAX_DIM } from '../../base/limits.js';
import type { ShortlistError } from '../../base/errors.js';
import type { ByteCounter } from './byte-account.js';
import { fieldError } from './field-error.js';
import { COMMA, LIST_END, LIST_START, STEP_BYTES, type JsonScanner } from './json-scan.js';

/** Overhead of a typed array. */
const VECTOR_BYTES = 200;

/** Reads the vectors of one body, one after the other. */
export class NumberLists {
  /** Components of the current vector, up to the maximum dimension. */
  private readonly components = new Float32Array(MAX_DIM);
  private count = 0;

  constructor(
    private readonly scanner: JsonScanner,
    private readonly memory: ByteCounter,
  ) {}

  /**
   * @param field JSON pointer to the list
   * @returns the vector; an error if it is too long; null, without skipping anything, if it is another kind of list
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

  /** Up to the end of the list, or to the last comma within one step. @returns null if there is neither */
  private findPiece(): { readonly text: string; readonly end: number; readonly isMore: boolean } | null {
    const { bytes, at } = this.scanner;
    const window = bytes.subarray(at, at + STEP_BYTES);
    const close = window.indexOf(LIST_END);
    const length = close === -1 ? window.lastIndexOf(COMMA) : close;
    if (length === -1) return null;
    return { text: window.toString('latin1', 0, length), end: at + length + 1, isMore: close === -1 };
  }

  /** @returns false if the text is not a comma-separated list of numbers and nulls, or is empty although required */
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
  const message = `${field} has ${count} components; the maximum dimension of an index is ${MAX_DIM}`;
  return fieldError('dimension_mismatch', field, message);
}
