/**
 * Checks the runs of a page before hyparquet decodes them.
 *
 * Levels and indices are runs: a number of values, then one value or all of them packed. hyparquet writes as many
 * values as a run says into an array that grows. A damaged run of 2^31 values would end the process, which no code can
 * catch.
 */
import { corrupt } from '../../arrow/fault.js';

/** Packed runs come in groups of eight, and some writers fill up whole blocks of them. */
const MAX_FILLING = 512;

/**
 * @param bytes runs from the first byte on
 * @param width bits of a value
 * @param values how many there may be at most
 */
export function checkRuns(bytes: Uint8Array, width: number, values: number): void {
  let at = 0;
  for (let seen = 0; seen < values && at < bytes.length;) {
    let header = 0;
    for (let shift = 0; at < bytes.length; shift += 7) {
      const byte = bytes[at++]!;
      header += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
      if (shift > 28) throw corrupt('the length of a run has too many bytes');
    }
    const packed = header % 2 === 1;
    const count = Math.floor(header / 2) * (packed ? 8 : 1);
    if (count > values - seen + (packed ? MAX_FILLING : 0))
      throw corrupt(`a run has ${count} of ${values - seen} values`);
    at += packed ? (count / 8) * width : Math.ceil(width / 8);
    seen += count;
  }
}

/** Bits of the levels from 0 to `max`. */
export function levelWidth(max: number): number {
  return 32 - Math.clz32(max);
}
