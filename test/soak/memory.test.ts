/**
 * Bodies of the largest size, of every shape, against a server that has 1 GiB: each costs at most three times its size, and
 * none ends the worker, nor all of them together.
 */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishVersion, temporaryFolder } from '../indexes.js';
import { canMeasurePeaks, limitMemory, readPeak, startPeak, type MemoryLimit } from './limited-memory.js';
import { TestServer, waitFor } from '../serve/server.js';

const MiB = 2 ** 20;
const LARGEST = 48 * MiB;
const LIMIT = limitMemory(1024 * MiB);
if ('reason' in LIMIT) console.warn(`the worker's memory is not limited: ${LIMIT.reason}`);

/** Bodies that come at the same time: three times what the server takes at once, and the test holds them too. */
const AT_ONCE = 12;

const JSON_TYPE = 'application/json';

/** So many items as the largest body holds, between what opens and closes it. */
function fill(open: string, item: string, close: string): Buffer {
  const body = Buffer.alloc(LARGEST, item);
  body.write(open);
  const room = LARGEST - open.length - close.length;
  const items = Math.floor(room / item.length) * item.length - 1; // without the last comma
  body.fill(item, open.length, open.length + items);
  body.write(close, open.length + items);
  return body.subarray(0, open.length + items + close.length);
}

/** Members of other names each. */
function manyMembers(): Buffer {
  const parts = ['{"filter":{"k":1'];
  for (let i = 0, bytes = 0; bytes < LARGEST - 100; i++) bytes += parts[parts.push(`,"k${i}":1`) - 1]!.length;
  return Buffer.from(`${parts.join('')}}}`);
}

const vectors = (numbers: number, rows: number, number: string) =>
  Buffer.from(
    `{"vectors":[${Array(rows)
      .fill(`[${Array(numbers).fill(number).join()}]`)
      .join()}]}`,
  );

interface Shape {
  readonly what: string;
  readonly make: () => Buffer;
  readonly type?: string;
  readonly headers?: Record<string, string>;
}

const SHAPES: readonly Shape[] = [
  { what: 'empty filters', make: () => fill('{"filter":{"$and":[', '{},', ']}}') },
  { what: 'lists', make: () => fill('[', '[],', ']') },
  { what: 'lists in each other', make: () => Buffer.alloc(LARGEST, '[') },
  { what: 'one text', make: () => fill('{"id":"', 'abcdefg,', '"}') },
  { what: 'texts', make: () => fill('{"exclude_ids":[', `"${'x'.repeat(4_000)}",`, ']}') },
  { what: 'one text of backslashes', make: () => fill('"', '\\\\', '"') },
  { what: 'numbers', make: () => fill('{"filter":{"a":{"$in":[', '1,', ']}}}') },
  { what: 'members', make: manyMembers },
  { what: 'one vector', make: () => fill('{"vector":[', '0.25,', ']}') },
  { what: 'vectors of the greatest length', make: () => vectors(16_384, 1_000, '15') },
  { what: 'vectors of the index', make: () => vectors(64, 1_024, `0.${'1'.repeat(700)}`) },
  { what: 'base64', make: () => fill('{"vectors_b64":"', 'AAAAAAAA', 'AAA"}') },
  { what: 'base64 with escapes', make: () => fill('{"vector_b64":"', 'AA\\/A', 'A"}') },
  { what: 'white space', make: () => fill('{"id":1', ' \n\t ', '}') },
  { what: 'raw vectors', make: () => Buffer.alloc(LARGEST, Uint8Array.of(0, 0, 128, 63)), type: 'application/octet-stream' },
  { what: 'a bomb', make: () => gzipSync(Buffer.alloc(4 * LARGEST, '{},')), headers: { 'content-encoding': 'gzip' } },
]; // prettier-ignore

describe('the largest bodies', () => {
  let server: TestServer;
  beforeAll(async () => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings', { rows: 200, dim: 64 });
    const flags = ['--workers', '1', '--request-timeout-ms', '60000'];
    server = await TestServer.start(root, flags, {}, 'node' in LIMIT ? LIMIT.node : process.execPath);
  });
  afterAll(async () => {
    expect(await server.stop()).toBe(0);
    if ('node' in LIMIT) LIMIT.remove();
  });

  const send = async (body: Buffer, type = JSON_TYPE, headers: Record<string, string> = {}) => {
    const response = await server.post('/v1/indexes/listings/search', body, { 'content-type': type, ...headers });
    await response.arrayBuffer();
    return response.status;
  };

  const idle = () =>
    waitFor('nothing to be held', async () => {
      const page = await (await server.get('/metrics')).text();
      return page.includes('shortlist_buffered_bytes 0\n') ? true : undefined;
    });

  it.skipIf(!canMeasurePeaks).each(SHAPES)(
    'of $what cost three times their size at most',
    async ({ make, type, headers }) => {
      const body = make();
      await idle();
      const [worker] = server.workers as [number];
      const before = startPeak(worker);
      expect([200, 400, 413]).toContain(await send(body, type, headers));
      expect(readPeak(worker) - before).toBeLessThan(3 * LARGEST);
    },
  );

  it.skipIf(!('node' in LIMIT))('all at once leave a worker of 1 GiB alive, and nothing stays counted', async () => {
    const from = server.lines.length;
    const bodies = SHAPES.slice(0, AT_ONCE).map(({ make, type, headers }) => [make(), type, headers] as const);
    const statuses = await Promise.all(bodies.map((one) => send(...one)));
    for (const status of statuses) expect([200, 400, 413, 503]).toContain(status);
    await idle();
    expect((await server.search({ id: 1, k: 1 })).status).toBe(200);
    expect(server.lines.slice(from).filter(({ level }) => level >= 50)).toEqual([]);
    expect((LIMIT as MemoryLimit).killed() ?? 0).toBe(0);
  });
});
