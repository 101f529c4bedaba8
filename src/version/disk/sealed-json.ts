/**
 * JSON documents that carry their own digest.
 *
 * The text is JSON.stringify(document, null, 2) and a newline, with `"digest": "sha256:<hex>"` as the last member; the
 * digest is that of the same text without this member. A reader builds the text again from what it parsed, and the file
 * must have exactly these bytes. So every flipped byte is noticed, white space and repeated members included.
 *
 * Returns documents whose members are still `unknown`. Fails with the code that the caller chose, naming the file.
 */
import { createHash } from 'node:crypto';
import { ShortlistError } from '../../base/errors.js';
import { readSmallFile, replaceFile } from './durable.js';
import { FieldError, Fields } from './fields.js';
import type { FileSystem } from './files.js';

type SealedCode = 'state_corrupt' | 'manifest_corrupt';

/** The text of a document with its digest. An existing member `digest` is replaced. */
export function sealJson(document: object): string {
  const body = withoutDigest(document);
  const digest = createHash('sha256').update(toText(body)).digest('hex');
  return toText({ ...body, digest: `sha256:${digest}` });
}

/** The document in these bytes without its digest; null if they are not exactly a sealed document. */
export function unsealJson(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const document: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
    if (typeof document !== 'object' || document === null || Array.isArray(document)) return null;
    if (Buffer.compare(Buffer.from(sealJson(document)), bytes) !== 0) return null;
    return withoutDigest(document);
  } catch {
    // JSON.parse fails on what is not JSON, JSON.stringify on nesting too deep for the stack.
    return null;
  }
}

/** Where a sealed document is, how it is checked, and the error if it is damaged. */
export interface SealedPlace<T> {
  readonly path: string;
  readonly code: SealedCode;
  readonly maxBytes: number;
  /** What a user can do about damage: the end of the message, after a semicolon. */
  readonly remedy: string;
  /** Checks the members and returns them with their types; throws FieldError. */
  readonly check: (fields: Fields) => T;
}

/** The document, or null if the file does not exist. */
export async function readSealed<T>(place: SealedPlace<T>, files: FileSystem): Promise<T | null> {
  const bytes = await readCapped(place, files);
  return bytes === null ? null : checkSealed(place, bytes);
}

/** The document in the bytes of its file. */
export function checkSealed<T>(place: SealedPlace<T>, bytes: Uint8Array): T {
  const document = unsealJson(bytes);
  if (document === null) throw damage(place, 'fails its own digest');
  try {
    return place.check(new Fields(document));
  } catch (error) {
    if (error instanceof FieldError) throw damage(place, `is wrong: ${error.message}`, { field: error.field });
    throw error;
  }
}

/** Replaces the document at `path` atomically. */
export function writeSealed(path: string, document: object, files: FileSystem): Promise<void> {
  return replaceFile(path, Buffer.from(sealJson(document)), files);
}

async function readCapped<T>(place: SealedPlace<T>, files: FileSystem): Promise<Uint8Array | null> {
  try {
    return await readSmallFile(place.path, place.maxBytes, files);
  } catch (error) {
    if (error instanceof ShortlistError && error.code === 'file_corrupt') {
      throw damage(place, `is larger than the ${place.maxBytes} bytes it may have`);
    }
    throw error;
  }
}

function damage<T>(place: SealedPlace<T>, problem: string, details: object = {}): ShortlistError {
  const message = `${place.path} ${problem}; ${place.remedy}`;
  return new ShortlistError(place.code, message, { file: place.path, ...details });
}

function toText(document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

function withoutDigest(document: object): Record<string, unknown> {
  const body = { ...document } as Record<string, unknown>;
  delete body['digest'];
  return body;
}
