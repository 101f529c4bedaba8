/** What a gateway answers when servers are missing, stopped or slow. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer, waitFor } from '../server.js';
import { ask, startFleet, type TestFleet } from './fleet.js';

const SPEC = { rows: 800, dim: 8, shards: 4 };
const vector = [1, 2, 3, 4, 5, 6, 7, 8];

describe('a gateway without one of its groups', () => {
  const root = temporaryFolder();
  let fleet: TestFleet;

  beforeAll(async () => {
    await publishVersion(root, 'listings', SPEC);
    fleet = await startFleet(root, ['0-1', '2-3']);
  });
  afterAll(async () => {
    for (const leaf of fleet.leaves) leaf.process.kill('SIGCONT');
    await fleet.stop();
  });

  const search = (body: object) => ask(fleet.gateway, { vector, k: 20, ...body }, 'listings');
  const quality = (body: Record<string, unknown>) => body['quality'] as { shards: unknown; short: string | null };

  it('is ready, and says of each server that clients must ask the gateway', async () => {
    expect((await fleet.gateway.get('/readyz')).status).toBe(200);
    const { status, body } = await ask(fleet.leaves[0]!, { vector }, 'listings');
    expect({ status, code: body['code'], detail: body['detail'] }).toEqual({
      status: 400,
      code: 'unsupported',
      detail: 'this server holds only the shards 0, 1 and answers a gateway; send the search to the gateway',
    });
  });

  it('passes the id of a request on to every server', async () => {
    const sent = { 'x-request-id': 'request-of-a-shopper' };
    expect((await fleet.gateway.post('/v1/indexes/listings/search', { vector, k: 5 }, sent)).status).toBe(200);
    const isSame = (line: Record<string, unknown>) => line['request_id'] === sent['x-request-id'];
    for (const server of [fleet.gateway, ...fleet.leaves]) await server.waitForLog('request completed', 0, isSame);
  });

  it('answers with the shards that are there in time, if partial answers are allowed', async () => {
    const whole = await search({});
    expect(quality(whole.body)).toMatchObject({ shards: { total: 4, answered: 4 }, short: null });
    fleet.leaves[1]!.process.kill('SIGSTOP');
    for (const worker of fleet.leaves[1]!.workers) process.kill(worker, 'SIGSTOP');
    for (const more of [{}, { include: { attributes: true } }, { crowding: { attribute: 'price', limit: 2 } }]) {
      const partial = await search({ timeout_ms: 400, allow_partial: true, ...more });
      expect(partial.status).toBe(200);
      expect(quality(partial.body)).toMatchObject({ shards: { total: 4, answered: 2 }, short: 'timeout' });
      expect((partial.body['candidates'] as unknown[]).length).toBeGreaterThan(5);
    }
    expect(await search({ timeout_ms: 400 })).toMatchObject({ status: 504, body: { code: 'deadline_exceeded' } });
    const filtered = await search({ timeout_ms: 400, allow_partial: true, filter: { price: { $gt: 3 } } });
    expect(filtered).toMatchObject({ status: 200, body: { quality: { short: 'timeout' } } });
    for (const worker of fleet.leaves[1]!.workers) process.kill(worker, 'SIGCONT');
    fleet.leaves[1]!.process.kill('SIGCONT');
    await waitFor('the group', async () => ((await search({})).status === 200 ? true : undefined));
  });

  it('says which shards are lost, or how many shards answered', async () => {
    await fleet.leaves[1]!.stop();
    const refused = await search({});
    expect(refused).toMatchObject({ status: 503, body: { code: 'shards_unavailable', shards: [2, 3] } });
    const partial = await search({ allow_partial: true });
    expect(quality(partial.body)).toMatchObject({ shards: { total: 4, answered: 2 }, short: 'timeout' });
    const seeds = await search({ vector: undefined, seeds: [{ vector }, { vector: [8, 7, 6, 5, 4, 3, 2, 1] }], allow_partial: true }); // prettier-ignore
    expect(quality(seeds.body)).toMatchObject({ shards: { total: 4, answered: 2 }, short: 'timeout' });
    const filtered = await search({
      filter: { price: { $gt: 3 } },
      allow_partial: true,
      include: { attributes: true },
    });
    expect(quality(filtered.body)).toMatchObject({ shards: { total: 4, answered: 2 }, short: 'timeout' });
    const metrics = await (await fleet.gateway.get('/metrics')).text();
    expect(metrics).toMatch(/shortlist_fleet_servers\{state="ready"\} \d/);
  });

  it('answers in full again when the group is back', async () => {
    const again = await TestServer.start(root, ['--workers', '1', '--shards', '2-3', '--port', String(fleet.leaves[1]!.port)]); // prettier-ignore
    try {
      await waitFor('the group', async () => ((await search({})).status === 200 ? true : undefined));
      expect(quality((await search({})).body).shards).toEqual({ total: 4, answered: 4 });
    } finally {
      await again.stop();
    }
  });
});

it('does not start without addresses, and is not ready without all shards', async () => {
  const root = temporaryFolder();
  await publishVersion(root, 'listings', SPEC);
  const leaf = await TestServer.start(root, ['--workers', '1', '--shards', '0-2']);
  const gateway = await TestServer.startGateway([leaf]);
  expect((await gateway.get('/readyz')).status).toBe(503);
  expect(await ask(gateway, { vector }, 'listings')).toMatchObject({ status: 503, body: { code: 'not_ready' } });
  await Promise.all([leaf.stop(), gateway.stop()]);
  await expect(TestServer.startGateway([])).rejects.toThrow(/--leaves/);
});
