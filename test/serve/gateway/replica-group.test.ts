/** How a gateway chooses among servers that hold the same shards: fake servers on real sockets. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { CallBudget } from '../../../src/serve/gateway/call-budget.js';
import { ConnectionPool } from '../../../src/serve/gateway/connection-pool.js';
import { Replica } from '../../../src/serve/gateway/replica.js';
import { ReplicaGroup } from '../../../src/serve/gateway/replica-group.js';
import type { Manifest } from '../../../src/version/sealed/manifest.js';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const VERSION = { index: 'shop', version: '20260101T000000Z-00000000' } as Manifest;
const SHARDS = [0, 1];

const opened: { server: Server; replica: Replica }[] = [];
afterEach(() => {
  for (const { server, replica } of opened.splice(0)) {
    replica.close();
    server.closeAllConnections();
    server.close();
  }
});

/** A server that holds the shards and answers in its own way. */
class FakeServer {
  received = 0;

  private constructor(
    readonly replica: Replica,
    readonly server: Server,
  ) {}

  static async start(answer: Answer): Promise<FakeServer> {
    const server = createServer((request, response) => {
      fake.received++;
      request.resume();
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const replica = new Replica(address, new ConnectionPool(`http://${address}`));
    const versions = [{ version: VERSION.version, shards: SHARDS }];
    const indexes = [{ index: 'shop', current: VERSION.version, aliases: {}, versions }];
    replica.setState({ protocol: 1, ready: true, indexes });
    replica.isReachable = true;
    const fake = new FakeServer(replica, server);
    opened.push({ server, replica });
    return fake;
  }
}

const reply =
  (text: string): Answer =>
  (_, response) =>
    response.end(text);
const silence: Answer = () => undefined;
const problem = (status: number, code: string): Answer => (_, response) => {
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ code, detail: 'as the test wants it', field: '/filter' }));
}; // prettier-ignore

function groupOf(fakes: readonly FakeServer[]) {
  const again: string[] = [];
  const observer = { answered: () => undefined, failed: () => undefined, sentAgain: (why: string) => void again.push(why) }; // prettier-ignore
  const group = new ReplicaGroup(SHARDS, () => fakes.map(({ replica }) => replica), observer);
  const call = async (signal = new AbortController().signal) => {
    const options = { signal, timeLeftMs: 1_000, headers: { 'x-request-id': 'one' } };
    return (await group.call(VERSION, 'search', Buffer.from('body'), options)).toString();
  };
  return { call, again };
}

describe('a group of servers', () => {
  it('sends about half of the messages to each of two servers that are alike', async () => {
    const fakes = [await FakeServer.start(reply('a')), await FakeServer.start(reply('b'))];
    const { call } = groupOf(fakes);
    for (let i = 0; i < 100; i++) await call();
    expect(Math.min(...fakes.map(({ received }) => received))).toBeGreaterThan(20);
  });

  it('prefers the server with fewer messages in flight', async () => {
    const held: ServerResponse[] = [];
    const slow = await FakeServer.start((_, response) => void held.push(response));
    const quick = await FakeServer.start(reply('quick'));
    const first = slow.replica.send({ method: 'POST', path: '/', headers: {}, body: null }).answer;
    const { call, again } = groupOf([slow, quick]);
    for (let i = 0; i < 20; i++) expect(await call()).toBe('quick');
    await new Promise((resolve) => setTimeout(resolve, 20));
    held[0]!.end('late');
    expect((await first).toString()).toBe('late');
    expect(slow.received).toBe(1 + again.length); // where the machine was slow, it got hedges
  });

  it('asks a second server when the first is late, and takes the first answer', async () => {
    const fakes = [await FakeServer.start(silence), await FakeServer.start(reply('here'))];
    const { call, again } = groupOf(fakes);
    for (let i = 0; i < 5; i++) expect(await call()).toBe('here');
    expect(again.every((why) => why === 'hedge')).toBe(true);
  });

  it('ejects a server that is late three times in a row', async () => {
    const fakes = [await FakeServer.start(silence), await FakeServer.start(reply('here'))];
    const { call } = groupOf(fakes);
    while (!fakes[0]!.replica.isEjected) await call();
    const before = fakes[0]!.received;
    for (let i = 0; i < 10; i++) expect(await call()).toBe('here');
    expect(fakes[0]!.received).toBe(before);
  });

  it('repeats a message elsewhere, once, when a server fails', async () => {
    const fakes = [await FakeServer.start((request) => request.socket.destroy()), await FakeServer.start(reply('here'))]; // prettier-ignore
    const { call, again } = groupOf(fakes);
    for (let i = 0; i < 20; i++) expect(await call()).toBe('here');
    expect(again).toEqual(['retry', 'retry', 'retry']); // then it is ejected
  });

  it('does not repeat a message that is at fault, and passes its error on', async () => {
    const fakes = [await FakeServer.start(problem(400, 'bad_filter')), await FakeServer.start(problem(400, 'bad_filter'))]; // prettier-ignore
    const { call, again } = groupOf(fakes);
    await expect(call()).rejects.toMatchObject({ code: 'bad_filter', details: { field: '/filter' } });
    expect(again).toEqual([]);
  });

  it('says that the shards cannot be reached when all servers fail', async () => {
    const fakes = [await FakeServer.start(silence), await FakeServer.start(silence)];
    for (const { server } of fakes) server.close();
    const { call } = groupOf(fakes);
    await expect(call()).rejects.toMatchObject({ code: 'shards_unavailable', details: { shards: SHARDS } });
    await expect(groupOf([]).call()).rejects.toMatchObject({ code: 'shards_unavailable' });
  });

  it('passes on that its servers are overloaded', async () => {
    const fakes = [await FakeServer.start(problem(503, 'overloaded')), await FakeServer.start(problem(503, 'overloaded'))]; // prettier-ignore
    const { call, again } = groupOf(fakes);
    await expect(call()).rejects.toMatchObject({ code: 'overloaded' });
    expect(again).toEqual(['retry']);
  });

  it('does not multiply an overload: what is repeated stays within a tenth of the messages', async () => {
    const fakes = [await FakeServer.start(problem(503, 'overloaded')), await FakeServer.start(problem(503, 'overloaded'))]; // prettier-ignore
    const { call } = groupOf(fakes);
    for (let i = 0; i < 400; i++) await call().catch(() => undefined);
    const sent = fakes.reduce((sum, { received }) => sum + received, 0);
    expect(sent).toBeLessThanOrEqual(400 + 40 + 32);
  });

  it('ends when the request is over, and gives up its messages', async () => {
    const fakes = [await FakeServer.start(silence), await FakeServer.start(silence)];
    const { call } = groupOf(fakes);
    const over = new AbortController();
    const answer = call(over.signal);
    setTimeout(() => over.abort(new Error('time is over')), 30);
    await expect(answer).rejects.toThrow('time is over');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(fakes.map(({ replica }) => replica.inFlight)).toEqual([0, 0]);
  });
});

describe('the budget of repeated messages', () => {
  it('is a tenth of the messages, and saves up a few', () => {
    const budget = new CallBudget();
    const take = (tries: number) => Array.from({ length: tries }, () => budget.tryTake()).filter(Boolean).length;
    expect(take(100)).toBe(32);
    for (let i = 0; i < 100; i++) budget.noteRequest();
    expect(take(100)).toBe(10);
  });
});
