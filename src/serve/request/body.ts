/**
 * Receives request bodies. Bytes are limited and counted against the worker's memory as they arrive, compressed ones as
 * they are decompressed. A refused body is still read to its end and discarded, so that a client that is sending sees
 * the answer; the server's request timeout limits that.
 *
 * Nothing is reserved for the announced length, or clients could occupy memory with a header. But a body that could not
 * fit is refused before it is read.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { createGunzip, type Gunzip } from 'node:zlib';
import { ShortlistError } from '../../base/errors.js';
import type { ByteAccount } from './byte-account.js';
import { BodyBytes } from './body-bytes.js';
import { refuseDuplicates } from './json-values.js';

/** Bytes decompressed at a time: four times Node's default, for a quarter of the steps. */
const GUNZIP_CHUNK_BYTES = 64 * 1024;

interface BodyBounds {
  /** Maximum size in bytes, after decompression. */
  readonly limit: number;
  readonly memory: ByteAccount;
}

/** @throws body_too_large, overloaded, bad_encoding; malformed_http if the client breaks off */
export async function receiveBody(payload: IncomingMessage, { limit, memory }: BodyBounds): Promise<BodyBytes> {
  const announced = Number(payload.headers['content-length'] ?? 0);
  if (announced > limit) throw tooLarge(limit);
  memory.check(announced);
  const isPacked = isGzip(payload.headers['content-encoding']);
  const body = new BodyBytes(memory.claim(), isPacked || announced === 0 ? limit : announced);
  await fill(body, payload, isPacked ? createGunzip({ chunkSize: GUNZIP_CHUNK_BYTES }) : null, limit);
  return body;
}

/** On failure the body is empty, and further bytes are discarded. */
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
      if (payload.complete) return; // it has arrived completely and is still being decompressed
      fail(new ShortlistError('malformed_http', 'the body ended before its announced length'));
    };
    source.on('data', onData).on('end', onEnd);
    payload.on('close', onBreak).on('error', onBreak);
    if (gunzip !== null) unfold(payload, gunzip, fail);
  });
}

function unfold(payload: IncomingMessage, gunzip: Gunzip, fail: (error: Error) => void): void {
  gunzip.on('error', ({ message }) => {
    fail(
      new ShortlistError(
        'bad_encoding',
        `the body is not valid gzip, although its Content-Encoding says so: ${message}`,
      ),
    );
  });
  payload.pipe(gunzip);
}

export function isGzip(encoding: string | undefined): boolean {
  return encoding !== undefined && /^(x-)?gzip$/i.test(encoding.trim());
}

function tooLarge(limit: number): ShortlistError {
  return new ShortlistError('body_too_large', `the body is larger than the limit of ${limit} bytes`, {
    limit,
  });
}

/** @throws bad_json; bad_request for a duplicate member */
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

/** Only the position: the rest of V8's message quotes the body. */
function describeSyntaxError(error: unknown): string {
  const position = /at position \d+/.exec(error instanceof Error ? error.message : '');
  return position === null
    ? 'it ends too early or contains something that is not JSON, such as NaN'
    : `see ${position[0].slice(3)}`;
}
