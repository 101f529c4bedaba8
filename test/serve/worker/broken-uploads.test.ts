/**
 * Uploads that break off, in every way that a connection can, against a real server: afterwards it holds nothing.
 *
 * `SHORTLIST_BROKEN_UPLOADS` says how many of each kind; 10,000 in all are 180.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer, waitFor } from '../server.js';

const EACH = Number(process.env['SHORTLIST_BROKEN_UPLOADS'] ?? 25);

/** Connections at once: their bodies together stay below what the server takes. */
const AT_ONCE = 25;

const LIMIT = 1024 * 1024;

const HEAD = 'POST /v1/indexes/listings/search HTTP/1.1\r\nHost: test\r\n';
const JSON_HEAD = `${HEAD}Content-Type: application/json\r\n`;
const GZIP_HEAD = `${JSON_HEAD}Content-Encoding: gzip\r\n`;
const PART = Buffer.from(`{"vector":[${'0.25,'.repeat(40_000)}`);
const QUERY = Buffer.from('{"id":"1","k":1}');
const BATCH = Buffer.from(JSON.stringify({ ids: Array.from({ length: 200 }, (_, id) => id), k: 100 }));
const BOMB = gzipSync(Buffer.alloc(40 * LIMIT));
const PACKED = gzipSync(Buffer.concat([QUERY, Buffer.alloc(LIMIT - 100, ' ')]));

function sized(head: string, length: number, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${head}Content-Length: ${length}\r\n\r\n`), body]);
}

function chunked(head: string, ...pieces: (Uint8Array | string)[]): Buffer {
  const chunks = pieces.flatMap((piece) =>
    typeof piece === 'string'
      ? [Buffer.from(piece)]
      : [Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')],
  );
  return Buffer.concat([Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`), ...chunks]);
}

const whole = (head: string, body: Uint8Array) => sized(head, body.length, body);

/** How a client leaves. */
const LEAVE = {
  close: (socket: Socket) => void socket.destroy(),
  reset: (socket: Socket) => void socket.resetAndDestroy(),
  'half-close': (socket: Socket) => void socket.end(),
  // Waits for the server to end the connection, or for its answer.
  stay: () => undefined,
} as const;

type Leave = keyof typeof LEAVE;

const half = sized(JSON_HEAD, PART.length + 1000, PART);

const UPLOADS: readonly (readonly [what: string, bytes: Buffer, ways: readonly Leave[]])[] = [
  ['half a body', half, ['close', 'reset', 'half-close', 'stay']],
  ['a body that is announced too large', sized(JSON_HEAD, 2 * LIMIT, PART), ['close', 'reset']],
  ['a body that nothing came of', sized(JSON_HEAD, 1000, Buffer.alloc(0)), ['close', 'reset', 'half-close']],
  ['half a chunk', chunked(JSON_HEAD, PART, `fff\r\n${'1,'.repeat(100)}`), ['close', 'reset', 'half-close']],
  ['a chunk of no size', chunked(JSON_HEAD, PART, 'zz\r\n'), ['close', 'stay']],
  ['chunks of one byte', chunked(JSON_HEAD, ...Array.from(PART.subarray(0, 500), (one) => Uint8Array.of(one))), ['close']],
  ['chunks that are too many', chunked(JSON_HEAD, PART, PART, PART, PART, PART, PART), ['close', 'half-close']],
  ['a bomb', whole(GZIP_HEAD, BOMB), ['close', 'reset', 'half-close', 'stay']],
  ['half a bomb', sized(GZIP_HEAD, BOMB.length, BOMB.subarray(0, BOMB.length / 2)), ['close', 'reset']],
  ['a gzip that still unfolds', whole(GZIP_HEAD, PACKED), ['close', 'reset', 'half-close']],
  ['a gzip that is cut short', whole(GZIP_HEAD, PACKED.subarray(0, -9)), ['close', 'half-close', 'stay']],
  ['what is no gzip', whole(GZIP_HEAD, PART), ['close', 'stay']],
  ['half of what is no gzip', sized(GZIP_HEAD, 2 * PART.length, PART), ['close', 'reset']],
  ['more than was announced', sized(JSON_HEAD, 100, PART), ['close', 'stay']],
  ['an Expect that is met', sized(`${JSON_HEAD}Expect: 100-continue\r\n`, 1000, Buffer.alloc(0)), ['close', 'reset']],
  ['an Expect, and half a body', sized(`${JSON_HEAD}Expect: 100-continue\r\n`, 500_000, PART), ['close', 'half-close']],
  [
    'requests behind each other, the last broken off',
    Buffer.concat([whole(JSON_HEAD, BATCH), whole(JSON_HEAD, BATCH), whole(JSON_HEAD, QUERY), half]),
    ['close', 'reset', 'half-close', 'stay'],
  ],
  ['requests behind each other, whole', Buffer.concat(Array(5).fill(whole(JSON_HEAD, BATCH)) as Buffer[]), ['close', 'reset']],
  ['what is no JSON', whole(JSON_HEAD, PART), ['close', 'reset', 'half-close', 'stay']],
  ['what is no Arrow', whole(`${HEAD}Content-Type: application/vnd.apache.arrow.stream\r\n`, PART), ['close', 'stay']],
  ['what is no vector', whole(`${HEAD}Content-Type: application/octet-stream\r\n`, PART), ['reset', 'stay']],
  ['a request whose answer is not waited for', whole(JSON_HEAD, BATCH), ['close', 'reset', 'half-close']],
]; // prettier-ignore

describe('uploads that break off', () => {
  let server: TestServer;
  beforeAll(async () => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings', { rows: 500 });
    const flags = ['--workers', '1', '--body-limit', '1MiB', '--request-timeout-ms', '1500'];
    server = await TestServer.start(root, [...flags, '--max-buffered', '64MiB']);
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  it.each(UPLOADS.flatMap(([what, bytes, ways]) => ways.map((way) => ({ what, way, bytes }))))(
    '$what, then $way: nothing stays counted',
    async ({ bytes, way }) => {
      for (let done = 0; done < EACH; done += AT_ONCE) {
        const count = Math.min(AT_ONCE, EACH - done);
        await Promise.all(Array.from({ length: count }, (_, i) => upload(bytes, way, i)));
      }
      await idle();
    },
  );

  it('the server is as it was, and none of it was a bug', async () => {
    expect((await server.search({ id: 1, k: 1 })).status).toBe(200);
    expect(server.lines.filter(({ level }) => level >= 50)).toEqual([]);
  });

  async function upload(bytes: Buffer, way: Leave, i: number): Promise<void> {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    const closed = once(socket, 'close').catch(() => undefined);
    const answered = once(socket, 'data').catch(() => undefined);
    socket.on('error', () => undefined);
    socket.once('end', () => socket.end()).resume();
    await once(socket, 'connect');
    await new Promise((resolve) => socket.write(bytes, resolve));
    // In the middle of whatever the server does with it: at once, and ever later.
    await new Promise((resolve) => setTimeout(resolve, (i % 10) * 3));
    LEAVE[way](socket);
    // A server that has answered keeps the connection.
    await Promise.race(way === 'stay' ? [closed, answered] : [closed]);
    socket.destroy();
    await closed;
  }

  async function metrics(): Promise<string> {
    return (await server.get('/metrics')).text();
  }

  async function idle(): Promise<void> {
    await waitFor('nothing to be held', async () => {
      const page = await metrics();
      const gauges = page.match(/^shortlist_(buffered_bytes|requests_in_flight) .*$/gm);
      return gauges?.every((line) => line.endsWith(' 0')) === true ? true : undefined;
    });
  }
});
