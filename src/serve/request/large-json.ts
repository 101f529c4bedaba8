/**
 * Reads a large JSON body in steps, between which the event loop can run.
 *
 * It returns what JSON.parse would, except that vectors are float32 arrays already (or errors), which takes a tenth of
 * their memory as numbers. Vectors may be long. Everything else is limited in number, depth and length while it is
 * read, so that parsing takes at most twice the memory of the body. JSON.parse makes 1 GB of 30 MiB of `{},`, and
 * blocks for seconds.
 *
 * Fails with `bad_json`, `body_too_large` beyond the limits, `bad_request` for a duplicate member, `batch_too_large`,
 * and `overloaded` if memory is short.
 */
import { isUtf8 } from 'node:buffer';
import { ShortlistError } from '../../base/errors.js';
import { pointerStep } from '../../base/json-pointer.js';
import type { ByteCounter } from './byte-account.js';
import type { TimeSlicer } from './time-slicer.js';
import { PLAIN, SEARCH_PLACE, type Place } from './body-places.js';
import { fieldError } from './field-error.js';
import { readBase64Text } from './json-base64.js';
import { NumberLists } from './json-numbers.js';
import { COLON, COMMA, JsonScanner, LIST_END, LIST_START, OBJECT_END, OBJECT_START, QUOTE } from './json-scan.js';
import { duplicateMember } from './json-values.js';

/** Bodies of at least this size are read in steps. JSON.parse takes up to 2 ms for a body of this size. */
export const LARGE_BODY_BYTES = 64 * 1024;

/** Maximum number of values outside of vectors: thirty lists of the 10,000 literals that `$in` allows. */
const MAX_VALUES = 300_000;

/** Maximum number of members of all objects: a filter has at most 256 clauses, each of about two members. */
const MAX_MEMBERS = 10_000;

/** Maximum nesting: filters nest at most 16 deep, each level an object and a list. */
const MAX_DEPTH = 64;

/** Maximum size of all texts outside of vectors: 10,000 excluded ids of maximum length, and half as much again. */
const MAX_TEXTS_BYTES = 16 * 1024 * 1024;

/** Estimated memory of a value in its list, including the minimum of an object, list or text; and of a member. */
const VALUE_BYTES = 64;
const MEMBER_BYTES = 128;

/** Values between two updates of the memory count, and between two pauses. */
const VALUES_PER_STEP = 64;

/** @param memory counts what is allocated in addition to the body */
export async function readLargeJson(bytes: Buffer, memory: ByteCounter, slicer: TimeSlicer): Promise<unknown> {
  if (!isUtf8(bytes)) throw new ShortlistError('bad_json', 'the body is not UTF-8');
  return slicer.run(new LargeJson(bytes, memory).read());
}

export class LargeJson {
  private readonly scanner: JsonScanner;
  private readonly numbers: NumberLists;
  private readonly path: (string | number)[] = [];
  private values = 0;
  private depth = 0;
  private members = 0;
  private textsBytes = 0;
  /** Bytes not counted yet. */
  private uncounted = 0;

  /** @param bytes valid UTF-8 */
  constructor(
    bytes: Buffer,
    private readonly memory: ByteCounter,
  ) {
    this.scanner = new JsonScanner(bytes);
    this.numbers = new NumberLists(this.scanner, memory);
  }

  *read(): Generator<void, unknown, void> {
    yield* this.skipSpace();
    const value = yield* this.readValue(SEARCH_PLACE);
    yield* this.skipSpace();
    if (this.scanner.at < this.scanner.length) throw this.scanner.malformed();
    return value;
  }

  private *readValue(place: Place): Generator<void, unknown, void> {
    if (++this.values % VALUES_PER_STEP === 0) {
      this.countBytes();
      yield;
    }
    if (this.values > MAX_VALUES) throw tooMuch('values', MAX_VALUES);
    this.uncounted += VALUE_BYTES;
    const { scanner } = this;
    switch (scanner.next) {
      case OBJECT_START:
        return yield* this.readObject(place);
      case LIST_START:
        return (place.isVector && (yield* this.numbers.read(this.field))) ?? (yield* this.readList(place));
      case QUOTE:
        return place.isBase64 ? yield* readBase64Text(scanner, this.memory, this.field) : this.readText();
      default:
        return scanner.readScalar();
    }
  }

  private *readObject(place: Place): Generator<void, Record<string, unknown>, void> {
    const { scanner, path } = this;
    this.enter();
    const object: Record<string, unknown> = {};
    for (let isFirst = true; yield* this.hasNext(OBJECT_END, isFirst); isFirst = false) {
      if (scanner.next !== QUOTE) throw scanner.malformed();
      const name = this.readName();
      path.push(name);
      if (Object.hasOwn(object, name)) throw duplicateMember(this.field);
      yield* this.skipSpace();
      scanner.skip(COLON);
      yield* this.skipSpace();
      const value = yield* this.readValue(place.members?.get(name) ?? PLAIN);
      // Not by assignment: `__proto__` must be an ordinary name.
      Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
      path.pop();
    }
    return object;
  }

  private *readList(place: Place): Generator<void, unknown[], void> {
    const { path } = this;
    const { items = PLAIN, maxItems = Infinity, tooMany = 'bad_field' } = place;
    const field = this.field;
    this.enter();
    const list: unknown[] = [];
    for (; yield* this.hasNext(LIST_END, list.length === 0);) {
      if (list.length === maxItems) {
        throw fieldError(tooMany, field, `${field} has more than ${maxItems} entries, which is the limit`);
      }
      path.push(list.length);
      list.push(yield* this.readValue(items));
      path.pop();
    }
    return list;
  }

  private enter(): void {
    if (++this.depth > MAX_DEPTH) throw tooMuch('levels of nested lists and objects', MAX_DEPTH);
    this.scanner.at++;
  }

  /** Skips the comma before the next item, or the closing bracket. @returns whether there is an item */
  private *hasNext(end: number, isFirst: boolean): Generator<void, boolean, void> {
    const { scanner } = this;
    yield* this.skipSpace();
    if (scanner.skipIf(end)) {
      this.depth--;
      return false;
    }
    if (isFirst) return true;
    scanner.skip(COMMA);
    yield* this.skipSpace();
    return true;
  }

  private readName(): string {
    if (++this.members > MAX_MEMBERS) throw tooMuch('members of objects', MAX_MEMBERS);
    this.uncounted += MEMBER_BYTES;
    return this.readText();
  }

  private readText(): string {
    const { scanner } = this;
    const start = scanner.at;
    const text = scanner.readText();
    this.textsBytes += scanner.at - start;
    if (this.textsBytes > MAX_TEXTS_BYTES) throw tooMuch('bytes of texts', MAX_TEXTS_BYTES);
    this.uncounted += 2 * text.length;
    return text;
  }

  private *skipSpace(): Generator<void, void, void> {
    while (this.scanner.skipSpace()) yield;
  }

  private countBytes(): void {
    this.memory.grow(this.uncounted);
    this.uncounted = 0;
  }

  /** JSON pointer to the current value. */
  private get field(): string {
    return this.path.map(pointerStep).join('');
  }
}

function tooMuch(what: string, limit: number): ShortlistError {
  const message = `the body has more than ${limit} ${what} outside of its vectors, which is the limit`;
  return new ShortlistError('body_too_large', message, { limit });
}
