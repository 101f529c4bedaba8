/**
 * A large JSON body, read in steps between which the event loop can turn.
 *
 * Takes the bytes of a search and gives what JSON.parse would, but that vectors stand in it as float32 already (or as
 * the error of the one that is none), which takes a tenth of their memory as numbers. Vectors may be long; everything
 * else is small, and bounded in number, depth and length while it is read, so that a body costs at most as many bytes
 * as it has, twice, whatever it holds. JSON.parse makes 1 GB of 30 MiB of `{},`, in one stall of seconds.
 *
 * Fails with `bad_json`, `body_too_large` beyond the bounds, `bad_request` for an object that has a member twice,
 * `batch_too_large`, and `overloaded` where memory is short.
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

/** From here on a body is read in steps. JSON.parse takes 2 ms for this much of whatever is slowest. */
export const LARGE_BODY_BYTES = 64 * 1024;

/** Most values outside of vectors: thirty lists of the 10,000 literals that `$in` takes. */
const MAX_VALUES = 300_000;

/** Most members of all objects: each clause of a filter has about two, and it has at most 256. */
const MAX_MEMBERS = 10_000;

/** Deepest nesting: filters nest at most 16 deep, each level an object and a list. */
const MAX_DEPTH = 64;

/** Most bytes of texts outside of vectors: 10,000 excluded ids of the greatest length, and half as much again. */
const MAX_TEXTS_BYTES = 16 * 1024 * 1024;

/** A value's place in its list, and the least that an object, a list or a text takes. */
const VALUE_BYTES = 64;
const MEMBER_BYTES = 128;

/** Values that are read between two counts, and between two places where the event loop may turn. */
const VALUES_PER_STEP = 64;

/** @param memory counts what is made of the body, beside its bytes */
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
  /** Bytes that are not counted yet. */
  private uncounted = 0;

  /** @param bytes valid UTF-8 */
  constructor(
    bytes: Buffer,
    private readonly memory: ByteCounter,
  ) {
    this.scanner = new JsonScanner(bytes);
    this.numbers = new NumberLists(this.scanner, memory);
  }

  /** Steps of some tens of microseconds each. */
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
      // Not assigned: `__proto__` is a name like others.
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
        throw fieldError(tooMany, field, `${field} has more than ${maxItems} entries, the most that are taken`);
      }
      path.push(list.length);
      list.push(yield* this.readValue(items));
      path.pop();
    }
    return list;
  }
  private enter(): void {
    if (++this.depth > MAX_DEPTH) throw tooMuch('levels of lists and objects in each other', MAX_DEPTH);
    this.scanner.at++;
  }

  /** Passes over the comma before the next item, or over what ends the items. @returns whether there is an item */
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

  /** Of the value that is being read, as a JSON pointer. */
  private get field(): string {
    return this.path.map(pointerStep).join('');
  }
}

function tooMuch(what: string, limit: number): ShortlistError {
  const message = `the body has more than ${limit} ${what} outside of its vectors, the most that is taken`;
  return new ShortlistError('body_too_large', message, { limit });
}
