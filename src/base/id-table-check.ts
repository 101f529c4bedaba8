/** Checks the sections of an id table before they are used: the bytes may be hostile. Fails with `file_corrupt`. */
import { isUtf8 } from 'node:buffer';
import { ShortlistError } from './errors.js';
import { MAX_ID_BYTES } from './limits.js';

/** The bytes of a section by name. */
export type GetSection = (name: string) => Uint8Array;

export function damagedTable(problem: string): ShortlistError {
  return new ShortlistError('file_corrupt', `the table of ids is damaged: ${problem}`);
}

/** A section of `length` uint32 values: a view of its bytes if they are aligned, else a copy. */
export function readWords(get: GetSection, name: string, length: number): Uint32Array {
  const bytes = get(name);
  if (bytes.length !== length * 4) throw damagedTable(`section ${name} has ${bytes.length} bytes, not ${length * 4}`);
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(aligned.buffer, aligned.byteOffset, length);
}

/** Every value must fit into `bits`. @param words two of each value, low and high */
export function checkIntegers(words: Uint32Array, bits: number, signed: boolean): void {
  if (bits === 64) return;
  const spare = 32 - bits;
  for (let i = 0; i < words.length; i += 2) {
    const low = words[i]!;
    const kept = signed ? (low << spare) >> spare : (low << spare) >>> spare;
    const sign = signed && kept < 0 ? 0xffffffff : 0;
    if (kept >>> 0 !== low || words[i + 1] !== sign) {
      throw damagedTable(`the id at ordinal ${i / 2} does not fit into ${bits} bits`);
    }
  }
}

export function checkTexts(offsets: Uint32Array, bytes: Uint8Array, count: number): void {
  if (offsets[0] !== 0 || offsets[count] !== bytes.length) throw damagedTable('its offsets do not span its bytes');
  for (let ordinal = 0; ordinal < count; ordinal++) {
    const length = offsets[ordinal + 1]! - offsets[ordinal]!;
    if (length <= 0 || length > MAX_ID_BYTES) throw damagedTable(`the id at ordinal ${ordinal} has ${length} bytes`);
    if ((bytes[offsets[ordinal]!]! & 0xc0) === 0x80) {
      throw damagedTable(`the id at ordinal ${ordinal} starts inside a character`);
    }
  }
  // Invalid bytes would be shown as U+FFFD, so two ids could have one text. The whole is UTF-8 and no id starts inside
  // a character, so each id is UTF-8.
  if (!isUtf8(bytes)) throw damagedTable('its bytes are not UTF-8');
}

/** Exactly `count` slots must be filled, each with an ordinal below `count`. */
export function checkSlots(slots: Uint32Array, count: number): void {
  let filled = 0;
  for (let slot = 0; slot < slots.length; slot++) {
    const entry = slots[slot]!;
    if (entry !== 0) filled++;
    if (entry > count) throw damagedTable(`slot ${slot} holds ordinal ${entry - 1} of ${count}`);
  }
  if (filled !== count) throw damagedTable(`${filled} of its slots are filled, not ${count}`);
}
