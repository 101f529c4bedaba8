/** Takes the arrays of a message in order, and checks the type and length of each. */
import { Fields } from '../../version/disk/fields.js';
import { decodeFrame, FrameError, type FrameArray } from './frame.js';

export class FrameReader {
  readonly fields: Fields;
  private readonly arrays: readonly FrameArray[];
  private next = 0;

  /** @throws FrameError, FieldError */
  constructor(bytes: Buffer) {
    const { head, arrays } = decodeFrame(bytes);
    this.fields = new Fields(head);
    this.arrays = arrays;
  }

  /** @param length undefined: any */
  words(name: string, length?: number): Uint32Array {
    const array = this.take(name, length);
    return array instanceof Uint32Array ? array : fail(name, 'has no uint32 values');
  }

  floats(name: string, length?: number): Float32Array {
    const array = this.take(name, length);
    return array instanceof Float32Array ? array : fail(name, 'has no float32 values');
  }

  bytes(name: string, length?: number): Uint8Array {
    const array = this.take(name, length);
    return array instanceof Uint8Array ? array : fail(name, 'has no bytes');
  }

  /** Checks that every array was taken. */
  end(): void {
    if (this.next !== this.arrays.length) fail('arrays', `has ${this.arrays.length}, not ${this.next}`);
  }

  private take(name: string, length: number | undefined): FrameArray {
    const array = this.arrays[this.next++];
    if (array === undefined) return fail(name, 'is missing');
    if (length !== undefined && array.length !== length) return fail(name, `has ${array.length} values, not ${length}`);
    return array;
  }
}

function fail(name: string, problem: string): never {
  throw new FrameError(`${name} ${problem}`);
}
