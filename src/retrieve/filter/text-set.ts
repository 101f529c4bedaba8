/**
 * The set of texts that several tests compare with. Takes the texts of each test, with duplicates; numbers the distinct
 * texts and finds them by their bytes.
 */
import { hashBytes, isEqual } from './text-hash.js';
import type { Meter, Work } from '../../base/work.js';

export class TextSet {
  /** By length: 1 if the set has such a text. Most rows end here, since a hash costs as much as ten comparisons. */
  private hasLength = new Uint8Array(1);
  private readonly slots: Int32Array;
  private bytes = Buffer.alloc(1024);
  /** Where each text ends, which is where the next one begins. */
  private readonly ends: number[] = [];
  /** The tests of each text: a place in the two lists, which form a linked list. */
  private readonly firstTest: number[] = [];
  private readonly testList: number[] = [];
  private readonly nextTest: number[] = [];

  private constructor(maxTexts: number) {
    let slots = 16;
    while (slots < 2 * maxTexts) slots *= 2;
    this.slots = new Int32Array(slots).fill(-1);
  }

  static *build(lists: readonly (readonly string[])[], meter: Meter): Work<TextSet> {
    const set = new TextSet(lists.reduce((sum, texts) => sum + texts.length, 0));
    for (const [test, texts] of lists.entries()) {
      for (const text of texts) {
        set.add(text, test);
        if (meter.spend(400 + 3 * text.length)) yield;
      }
    }
    return set;
  }

  get size(): number {
    return this.ends.length;
  }

  /** The number of a text; -1 if the set does not have it. */
  find(source: Uint8Array, start: number, end: number): number {
    if (this.hasLength[end - start] !== 1) return -1;
    return this.slots[this.slotOf(source, start, end)]!;
  }

  /** Calls `visit` for each test of the text, possibly more than once. */
  eachTest(text: number, visit: (test: number) => void): void {
    for (let at = this.firstTest[text]!; at >= 0; at = this.nextTest[at]!) visit(this.testList[at]!);
  }

  *texts(): Generator<Uint8Array, void, undefined> {
    for (const [text, end] of this.ends.entries()) yield this.bytes.subarray(this.startOf(text), end);
  }

  private add(text: string, test: number): void {
    const start = this.startOf(this.size);
    this.reserve(start + 3 * text.length);
    const end = start + this.bytes.write(text, start);
    const slot = this.slotOf(this.bytes, start, end);
    let known = this.slots[slot]!;
    if (known < 0) {
      known = this.size;
      this.slots[slot] = known;
      this.ends.push(end);
      this.firstTest.push(-1);
      this.addLength(end - start);
    }
    this.nextTest.push(this.firstTest[known]!);
    this.firstTest[known] = this.testList.push(test) - 1;
  }

  /** The slot of a text, or the free slot for it. */
  private slotOf(source: Uint8Array, start: number, end: number): number {
    const mask = this.slots.length - 1;
    let slot = hashBytes(source, start, end) & mask;
    for (; this.slots[slot]! >= 0; slot = (slot + 1) & mask) {
      const text = this.slots[slot]!;
      if (isEqual(this.bytes, this.startOf(text), this.ends[text]!, source, start, end)) break;
    }
    return slot;
  }

  private startOf(text: number): number {
    return text === 0 ? 0 : this.ends[text - 1]!;
  }

  private addLength(length: number): void {
    if (length >= this.hasLength.length) {
      const grown = new Uint8Array(2 * length + 1);
      grown.set(this.hasLength);
      this.hasLength = grown;
    }
    this.hasLength[length] = 1;
  }

  private reserve(needed: number): void {
    if (needed <= this.bytes.length) return;
    const grown = Buffer.alloc(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(grown);
    this.bytes = grown;
  }
}
