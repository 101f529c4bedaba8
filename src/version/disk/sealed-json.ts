/**
 * JSON documents that carry their own digest.
 *
 * The text is JSON.stringify(document, null, 2) and a newline, with `"digest": "sha256:<hex>"` as the last member; the
 * digest is taken of the same text without that member. A reader rebuilds the text from what it parsed and wants the
 * file's bytes to be exactly that, so that any flipped byte is noticed, white space and repeated members included.
 *
 * Gives documents whose members are still `unknown`; fails with the code that the caller names, and names the file.
 */
import { createHash } from 'node:crypto';
import { ShortlistError } from '../../base/errors.js';
import { readSmallFile, replaceFile } from './durable.js';
import { FieldError, Fields } from './fields.js';
import type { FileSystem } from './files.js';

type SealedCode = 'state_corrupt' | 'manifest_corrupt';

/** The canonical text of a document: what is written. A member `digest` of the document is replaced. */
export function sealJson(document: object): string {
  const body = withoutDigest(document);
  const digest = createHash('sha256').update(toText(body)).digest('hex');
  return toText({ ...body, digest: `sha256:${digest}` });
}

/** The document in these bytes without its digest, or null where they are not exactly a sealed document. */
export function unsealJson(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const document: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
    if (typeof document !== 'object' || document === null || Array.isArray(document)) return null;
    if (Buffer.compare(Buffer.from(sealJson(document)), bytes) !== 0) return null;
    return withoutDigest(document);
  } catch {
    // JSON.parse on what is no JSON; JSON.stringify on nesting too deep for the stack.
    return null;
  }
}

/** Where a sealed document is, and what its damage is called. */
export interface SealedPlace<T> {
  readonly path: string;
  readonly code: SealedCode;
  readonly maxBytes: number;
  /** What a user can do about damage: one clause, after a semicolon. */
  readonly remedy: string;
  /** Checks the members and gives them their types; throws FieldError. */
  readonly check: (fields: Fields) => T;
}

/** The document there, or null where the file does not exist. */
export async function readSealed<T>(place: SealedPlace<T>, files: FileSystem): Promise<T | null> {
  const bytes = await readCapped(place, files);
  if (bytes === null) return null;
  const document = unsealJson(bytes);
  if (document === null) throw damage(place, 'fails its own digest');
  try {
    return place.check(new Fields(document));
  } catch (error) {
    if (error instanceof FieldError) throw damage(place, `is wrong: ${error.message}`, { field: error.field });
    throw error;
  }
}

/** Replaces the document at `path` at once. */
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
