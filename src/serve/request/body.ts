/**
 * Reads request bodies: counted against the worker's memory as they arrive, and bounded; one that comes compressed is
 * counted as it unfolds. A body that is refused is still read to its end, and thrown away, so that a client that is
 * sending gets to see the answer; the server's time limit for a whole request bounds that.
 *
 * Nothing is taken for what a header announces, or a client would hold memory by saying so; but what could not fit is
 * refused before it is read.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { createGunzip, type Gunzip } from 'node:zlib';
import { ShortlistError } from '../../base/errors.js';
import type { ByteAccount } from './byte-account.js';
import { BodyBytes } from './body-bytes.js';
import { refuseDuplicates } from './json-values.js';

/** What unfolds at once: four times Node's own, for a quarter of the steps. */
const GUNZIP_CHUNK_BYTES = 64 * 1024;

interface BodyBounds {
  /** Of the body as it is used, so also of what a compressed one unfolds to. */
  readonly limit: number;
  readonly memory: ByteAccount;
}

/** @throws body_too_large, overloaded, bad_encoding, malformed_http when the client breaks off */
export async function receiveBody(payload: IncomingMessage, { limit, memory }: BodyBounds): Promise<BodyBytes> {
  const announced = Number(payload.headers['content-length'] ?? 0);
  if (announced > limit) throw tooLarge(limit);
  memory.check(announced);
  const isPacked = isGzip(payload.headers['content-encoding']);
  const body = new BodyBytes(memory.claim(), isPacked || announced === 0 ? limit : announced);
  await fill(body, payload, isPacked ? createGunzip({ chunkSize: GUNZIP_CHUNK_BYTES }) : null, limit);
  return body;
}

/** On failure the body is empty, and what comes still is thrown away. */
function fill(body: BodyBytes, payload: IncomingMessage, gunzip: Gunzip | null, limit: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const source = gunzip ?? payload;
    const stop = () => {
      isOver = true;
      source.off('data', onData).off('end', onEnd);
      payload.off('close', onBreak).off('error', onBreak);
    };
    const fail = (error: Error) => {
      if (isOver) return;
      stop();
      body.free();
      payload.on('error', () => undefined);
      if (gunzip !== null) payload.unpipe(gunzip.destroy());
      payload.resume();
      reject(error);
    };
    const onData = (piece: Buffer) => {
      try {
        if (body.length + piece.length > limit) throw tooLarge(limit);
        body.add(piece);
      } catch (error) {
        fail(error as ShortlistError);
      }
    };
    const onEnd = () => {
      stop();
      resolve();
    };
    const onBreak = () => {
      if (payload.complete) return; // it is all there, and unfolds still
      fail(new ShortlistError('malformed_http', 'the body broke off before its end'));
    };
    source.on('data', onData).on('end', onEnd);
    payload.on('close', onBreak).on('error', onBreak);
    if (gunzip !== null) unfold(payload, gunzip, fail);
  });
}

function unfold(payload: IncomingMessage, gunzip: Gunzip, fail: (error: Error) => void): void {
  gunzip.on('error', ({ message }) => {
    fail(new ShortlistError('bad_encoding', `the body is not gzip, as its Content-Encoding says: ${message}`));
  });
  payload.pipe(gunzip);
}

/** Codings of a body that are taken, beside none. */
export function isGzip(encoding: string | undefined): boolean {
  return encoding !== undefined && /^(x-)?gzip$/i.test(encoding.trim());
}

function tooLarge(limit: number): ShortlistError {
  return new ShortlistError('body_too_large', `the body is larger than ${limit} bytes, the most that is taken`, {
    limit,
  });
}

/** @throws bad_json; bad_request for an object that has a member twice */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw new ShortlistError('bad_json', 'the body is empty; give a JSON object');
  if (!isUtf8(bytes)) throw new ShortlistError('bad_json', 'the body is not UTF-8');
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch (error) {
    throw new ShortlistError('bad_json', `the body is not valid JSON: ${describeSyntaxError(error)}`);
  }
  refuseDuplicates(text, '');
  return value;
}

/** Only where: what V8 says otherwise quotes the body. */
function describeSyntaxError(error: unknown): string {
  const position = /at position \d+/.exec(error instanceof Error ? error.message : '');
  return position === null
    ? 'it ends too early or holds something that is not JSON, such as NaN'
    : `see ${position[0].slice(3)}`;
}
