/** A server that holds shards gets messages of all kinds: each is answered or refused, and none ends or stops it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import { decodeFrame, encodeFrame, FrameError } from '../../../src/serve/fleet/frame.js';
import { writeFactsRequest, writeRanksRequest } from '../../../src/serve/fleet/items-message.js';
import { OPERATIONS, operationPath, type Operation } from '../../../src/serve/fleet/message-head.js';
import { writePrepareRequest } from '../../../src/serve/fleet/prepare-message.js';
import { writeHydrateRequest, writeScoresRequest } from '../../../src/serve/fleet/rows-message.js';
import { writeCountRequest, writeSearchRequest } from '../../../src/serve/fleet/search-message.js';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer } from '../server.js';

const DIM = 4;
const vectors = Float32Array.from({ length: 2 * DIM }, (_, i) => i + 1);
const selection = { filter: { price: { $gt: 1 } }, excludeIds: ['3'], crowding: { attribute: 'price', limit: 2 } };
const own = { selfs: [1], values: [2.25] };
const items = { selection, own, minScore: 0.1, queries: vectors, weights: [1, 2] };

/** A sound message of each operation. */
const MESSAGES: Readonly<Record<Operation, Buffer>> = {
  prepare: writePrepareRequest({ selection, counts: true, ids: ['1', 'x'], whyNot: ['2'] }),
  search: writeSearchRequest({
    selection,
    shardPlan: undefined,
    explain: true,
    withIds: true,
    plans: [{ k: 5, exact: false, ...own }],
    queries: vectors,
    searches: Uint32Array.of(0, 0, 0, 5, 50, 1, 0, 0, 5, 50),
  }),
  scores: writeScoresRequest({ queries: vectors, counts: Uint32Array.of(1, 1), ordinals: new Uint32Array(2) }),
  count: writeCountRequest({ selection, ...own }),
  hydrate: writeHydrateRequest({ form: 'text', attributes: ['price'], vectors: true, ordinals: new Uint32Array(1) }),
  facts: writeFactsRequest({ ...items, ordinals: new Uint32Array(1) }),
  ranks: writeRanksRequest({ ...items, items: [{ ordinal: 0, isOwn: true, score: 1, own: 1, source: 0, passes: true }] }), // prettier-ignore
};

describe('a server that holds shards', () => {
  let leaf: TestServer;
  let version: string;

  beforeAll(async () => {
    const root = temporaryFolder();
    ({ version } = await publishVersion(root, 'listings', { rows: 200, dim: DIM, shards: 1 }));
    leaf = await TestServer.start(root, ['--workers', '1', '--shards', '0']);
  });
  afterAll(async () => expect(await leaf.stop()).toBe(0));

  const send = async (operation: Operation, body: Uint8Array, of = version) => {
    const headers = { 'content-type': 'application/octet-stream', 'x-time-left-ms': '2000' };
    const response = await leaf.post(operationPath('listings', of, operation), body, headers);
    const bytes = Buffer.from(await response.arrayBuffer());
    return { status: response.status, text: response.status === 200 ? '' : bytes.toString() };
  };

  it.each(OPERATIONS)('answers a sound message: %s', async (operation) => {
    expect(await send(operation, MESSAGES[operation])).toEqual({ status: 200, text: '' });
  });

  it.each(OPERATIONS)('refuses what it does not understand: %s', async (operation) => {
    const random = seededRandom(operation.length);
    const whole = MESSAGES[operation];
    const seen = new Set<number>();
    for (let run = 0; run < 150; run++) {
      const broken = Buffer.from(
        whole.subarray(0, run % 10 === 0 ? Math.floor(random() * whole.length) : whole.length),
      );
      for (let flips = 1 + Math.floor(random() * 3); flips > 0 && broken.length > 0; flips--)
        broken[Math.floor(random() * broken.length)] = Math.floor(random() * 256);
      const { status, text } = await send(operation, broken);
      seen.add(status);
      expect([200, 400, 503], `${text} ${broken.toString('base64')}`).toContain(status);
    }
    expect(seen).toContain(400);
  });

  it.each([
    ['a shard of another server', { searches: Uint32Array.of(0, 0, 7, 5, 50) }, /names shard 7/],
    ['a query that is not there', { searches: Uint32Array.of(9, 0, 0, 5, 50) }, /search 0 is out of range/],
    ['a walk for more rows than any search', { searches: Uint32Array.of(0, 0, 0, 2 ** 31, 50) }, /walks a graph/],
    ['vectors of another length', { queries: new Float32Array(3) }, /queries has 3 values/],
  ])('says what is wrong: %s', async (_, change, message) => {
    const request = { selection: { filter: undefined, excludeIds: [], crowding: undefined }, shardPlan: undefined, explain: false, withIds: false, plans: [{ k: 5, exact: false, selfs: [], values: [] }], queries: vectors, searches: Uint32Array.of(0, 0, 0, 5, 50) }; // prettier-ignore
    const { status, text } = await send('search', writeSearchRequest({ ...request, ...change }));
    expect(status).toBe(400);
    expect(text).toMatch(message);
  });

  it('says that it does not have a version', async () => {
    expect(await send('search', MESSAGES.search, '20200101T000000Z-00000000')).toMatchObject({ status: 409 });
  });
});

describe('a frame', () => {
  const frame = encodeFrame({ a: [1, 'ü'] }, [Uint8Array.of(1, 2, 3), Uint32Array.of(7), Float32Array.of(0.5, -0)]);

  it('has its object and its arrays, wherever its bytes lie in memory', () => {
    for (const shift of [0, 1, 4]) {
      const moved = Buffer.concat([Buffer.alloc(shift), frame]).subarray(shift);
      const { head, arrays } = decodeFrame(moved);
      expect(head).toEqual({ a: [1, 'ü'] });
      expect(arrays).toEqual([Uint8Array.of(1, 2, 3), Uint32Array.of(7), Float32Array.of(0.5, -0)]);
    }
  });

  it('is refused if it is cut or longer', () => {
    for (let length = 0; length < frame.length; length++)
      expect(() => decodeFrame(frame.subarray(0, length))).toThrow(FrameError);
    expect(() => decodeFrame(Buffer.concat([frame, Buffer.alloc(8)]))).toThrow(/8 bytes too many/);
  });
});
