/**
 * Decodes base64 in a large JSON body to float32, in steps, without another copy of the text or its bytes. It accepts
 * the same texts as `readBase64Vector`, with escapes: some writers escape slashes and equals signs, `\/` and `\u003d`.
 */
import type { ShortlistError } from '../../base/errors.js';
import type { ByteCounter } from './byte-account.js';
import { BACKSLASH, QUOTE, STEP_BYTES, type JsonScanner } from './json-scan.js';
import { badBase64, decodeBase64, vectorOfBytes } from './vectors.js';

/** Length of the longest escape without its backslash: `u003d`. */
const ESCAPE_REST = 5;

/**
 * @param field JSON pointer to the text
 * @returns the values, or the error of the text; both skip the text
 */
export function* readBase64Text(
  scanner: JsonScanner,
  memory: ByteCounter,
  field: string,
): Generator<void, Float32Array | ShortlistError, void> {
  const start = scanner.at + 1;
  const end = yield* findTextEnd(scanner);
  scanner.at = end + 1;
  memory.grow(Math.ceil(((end - start) / 4) * 3));
  return (yield* decode(scanner.bytes.subarray(start, end), field)) ?? badBase64(field);
}

/** @returns the position of the closing quote. @throws bad_json */
function* findTextEnd(scanner: JsonScanner): Generator<void, number, void> {
  const { bytes } = scanner;
  let isEscaped = false; // the byte at `at` follows a backslash
  for (let at = scanner.at + 1; at < bytes.length;) {
    const window = bytes.subarray(at, at + STEP_BYTES);
    if (!isEscaped && !window.includes(BACKSLASH)) {
      const end = window.indexOf(QUOTE);
      if (end !== -1) return at + end;
    } else {
      for (let i = 0; i < window.length; i++) {
        if (isEscaped) isEscaped = false;
        else if (window[i] === BACKSLASH) isEscaped = true;
        else if (window[i] === QUOTE) return at + i;
      }
    }
    at += window.length;
    yield;
  }
  throw scanner.malformed(bytes.length);
}

/** @returns null if the text is not base64 */
function* decode(source: Buffer, field: string): Generator<void, Float32Array | ShortlistError | null, void> {
  const bytes = Buffer.allocUnsafeSlow(Math.ceil((source.length / 4) * 3));
  let length = 0;
  let rest = ''; // characters that are not a whole group yet, or may be the last group
  for (let at = 0; at < source.length;) {
    const piece = source.subarray(at, at + STEP_BYTES);
    const whole = at + piece.length === source.length ? piece : piece.subarray(0, endOfEscapes(piece));
    const text = unescape(whole);
    if (text === null) return null;
    rest += text;
    const groups = rest.length - ((rest.length - 1) % 4) - 1; // at least one character remains for the last group
    const decoded = decodeBase64(rest.slice(0, groups));
    if (decoded === null || rest.lastIndexOf('=', groups - 1) !== -1) return null;
    length += decoded.copy(bytes, length);
    rest = rest.slice(groups);
    at += whole.length;
    yield;
  }
  const last = decodeBase64(rest);
  if (last === null) return null;
  length += last.copy(bytes, length);
  return vectorOfBytes(bytes.subarray(0, length), field);
}

/** The position where a piece can be cut without cutting an escape. */
function endOfEscapes(piece: Buffer): number {
  const at = piece.lastIndexOf(BACKSLASH);
  return at >= piece.length - ESCAPE_REST ? at : piece.length;
}

function unescape(piece: Buffer): string | null {
  const text = piece.toString('latin1');
  if (!piece.includes(BACKSLASH)) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return null;
  }
}
