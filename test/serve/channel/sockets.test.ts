import { connect, createServer, Socket } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Acceptor, type ConnectionTarget } from '../../../src/serve/primary/acceptor.js';
import { Pulse, PULSE_MS } from '../../../src/serve/primary/pulse.js';
import {
  closeDescriptor,
  openLoadShedder,
  openSocketPair,
  receiveSockets,
  sendSockets,
} from '../../../src/serve/channel/sockets/sockets.js';
import { waitFor } from '../server.js';

describe('a channel of connections', () => {
  it('hands over many sockets at once, which live on when the sender closes its copies', async () => {
    const [from, to] = openSocketPair();
    const pairs = Array.from({ length: 600 }, () => openSocketPair()); // more than one message holds
    const received: number[] = [];
    const receiver = receiveSockets(to, (sockets) => received.push(...(sockets ?? [])));
    const sent = sendSockets(from, pairs.map(([, theirs]) => theirs)); // prettier-ignore
    expect(sent).toBe(600);
    for (const [, theirs] of pairs) closeDescriptor(theirs);
    await waitFor('all sockets', () => (received.length === 600 ? true : undefined));
    expect(new Set(received).size).toBe(600);
    const ours = new Socket({ fd: pairs[599]![0] });
    const moved = new Socket({ fd: received[599]! });
    moved.write('hello');
    expect(String((await once(ours, 'data'))[0])).toBe('hello');
    ours.destroy();
    moved.destroy();
    for (const [fd] of pairs.slice(0, 599)) closeDescriptor(fd);
    for (const fd of received.slice(0, 599)) closeDescriptor(fd);
    receiver.close();
    closeDescriptor(from);
    closeDescriptor(to);
  });

  it('tells its end once, and a sender whose receiver is gone', async () => {
    const [from, to] = openSocketPair();
    const calls: unknown[] = [];
    const receiver = receiveSockets(to, (sockets) => calls.push(sockets));
    closeDescriptor(from);
    await waitFor('the end', () => (calls.length > 0 ? true : undefined));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(calls).toEqual([null]);
    receiver.close();
    const [lone, peer] = openSocketPair();
    closeDescriptor(peer);
    expect(() => sendSockets(lone, [0])).toThrow(expect.objectContaining({ code: 'EPIPE' }) as Error);
    closeDescriptor(lone);
    closeDescriptor(to);
  });
});

/** Takes at most so many connections. */
class FakeTaker implements ConnectionTarget {
  connections = 0;
  private readonly kept: Socket[] = [];

  constructor(private readonly most = Infinity) {}

  send(sockets: readonly number[]): number {
    const [from, to] = openSocketPair();
    const count = Math.min(sockets.length, this.most - this.connections);
    sendSockets(from, sockets.slice(0, count));
    this.connections += count;
    const receiver = receiveSockets(to, (taken) => {
      if (taken === null) {
        receiver.close();
        closeDescriptor(to);
      } else for (const fd of taken) this.kept.push(new Socket({ fd }).on('error', () => undefined));
    });
    closeDescriptor(from);
    return count;
  }

  close(): void {
    for (const socket of this.kept) socket.destroy();
  }
}

describe('the acceptor', () => {
  async function accept(takers: () => readonly FakeTaker[]): Promise<{ acceptor: Acceptor; port: number }> {
    const acceptor = new Acceptor(takers);
    const { port } = await acceptor.listen('127.0.0.1', 0);
    onTestFinished(() => acceptor.close());
    return { acceptor, port };
  }

  async function open(port: number, count: number): Promise<Socket[]> {
    const sockets = Array.from({ length: count }, () => connect(port, '127.0.0.1').on('error', () => undefined));
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
    return sockets;
  }

  it('spreads connections evenly, and gives more to those that have fewer', async () => {
    const takers = [new FakeTaker(), new FakeTaker(), new FakeTaker()];
    onTestFinished(() => takers.forEach((taker) => taker.close()));
    takers[2]!.connections = 10;
    const { port } = await accept(() => takers);
    await open(port, 50);
    const total = () => takers.reduce((sum, { connections }) => sum + connections, 0);
    await waitFor('all', () => (total() === 60 ? true : undefined));
    expect(takers.map(({ connections }) => connections)).toEqual([20, 20, 20]);
  });

  it('keeps connections while nobody takes them, and hands them over when somebody does', async () => {
    const taker = new FakeTaker();
    let isThere = false;
    const { acceptor, port } = await accept(() => (isThere ? [taker] : []));
    const sockets = await open(port, 5);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(sockets.every((socket) => !socket.destroyed)).toBe(true);
    isThere = true;
    acceptor.wake();
    await waitFor('all', () => (taker.connections === 5 ? true : undefined));
    taker.close();
  });

  it('tries again what a full channel did not take', async () => {
    const taker = new FakeTaker(3);
    const others = new FakeTaker(100);
    others.connections = 90;
    const { port } = await accept(() => [taker, others]);
    await open(port, 8);
    await waitFor('all', () => (taker.connections + others.connections === 98 ? true : undefined));
    expect(taker.connections).toBe(3);
    taker.close();
    others.close();
  });

  it('says which address it cannot have', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await expect(new Acceptor(() => []).listen('127.0.0.1', port)).rejects.toMatchObject({
      code: 'io_error',
      message: expect.stringContaining('another process is listening there') as string,
    });
    other.close();
  });
});

describe('a pulse', () => {
  it('counts silence from the last answer, and not the time in which the asker stood still', () => {
    let now = 0;
    const pulse = new Pulse(() => now);
    for (let i = 0; i < 6; i++) {
      now += PULSE_MS;
      pulse.notePing();
    }
    expect(pulse.silentMs).toBe(3_000);
    expect(pulse.isQuiet).toBe(true);
    pulse.noteAnswer();
    expect(pulse.isQuiet).toBe(false);
    now += 60_000; // the machine slept
    pulse.notePing();
    expect(pulse.isQuiet).toBe(false);
    expect(pulse.silentMs).toBeLessThanOrEqual(2 * PULSE_MS);
  });
});

describe.runIf(process.platform === 'linux')('the load shedder', () => {
  const REFUSAL = 'HTTP/1.1 503 Service Unavailable\r\nx-request-id: iiiiiiiiiiiiiiii\r\ncontent-length: 2\r\n\r\nno';
  const SEARCH = 'POST /v1/indexes/a/search HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody';

  /** A connection between the load shedder and a client. */
  async function setUp() {
    const given: number[] = [];
    const bytes = Buffer.from(REFUSAL);
    const shedder = openLoadShedder(bytes, [bytes.indexOf('iiii')], (sockets) => given.push(...sockets))!;
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as { port: number }).port, '127.0.0.1');
    const [held] = (await once(server, 'connection')) as [Socket & { _handle: { fd: number } }];
    let text = '';
    client.setEncoding('latin1').on('data', (part: string) => (text += part));
    const fd = held._handle.fd;
    expect(shedder.watch(fd)).toBe(true);
    onTestFinished(() => {
      client.destroy();
      held.destroy();
      server.close();
      shedder.close();
    });
    const read = async () => {
      held.resume();
      return String((await once(held, 'data'))[0]);
    };
    return { shedder, client, fd, given, text: () => text, read };
  }

  it('refuses a search for which there is no place, with an id of its own each time, and keeps the connection', async () => {
    const { shedder, client, fd, given, text } = await setUp();
    client.write(SEARCH + SEARCH); // one after the other on one connection
    await waitFor('two refusals', () => (shedder.refused() === 2 ? true : undefined));
    await waitFor('both answers', () => (text().length === 2 * REFUSAL.length ? true : undefined));
    const ids = [...text().matchAll(/x-request-id: ([0-9a-f]{16})/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(2);
    expect(given).toEqual([]);
    expect([...shedder.takeRefused()]).toEqual([fd]);
    expect([...shedder.takeRefused()]).toEqual([]);
  });

  it('gives back a connection with a search while there are places', async () => {
    const { shedder, client, fd, given, text, read } = await setUp();
    shedder.setCapacity(1);
    client.write(SEARCH);
    await waitFor('the connection', () => (given.length === 1 ? true : undefined));
    expect(given).toEqual([~fd]); // it has a place
    expect(text()).toBe('');
    expect(await read()).toBe(SEARCH); // nothing of it was taken
  });

  it.each([
    ['a probe', 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['another path', SEARCH.replace('/v1/', '/v2/')],
    ['HTTP/1.0', SEARCH.replace('HTTP/1.1', 'HTTP/1.0')],
    ['a body that is still on its way', SEARCH.replace('Content-Length: 4', 'Content-Length: 5')],
    ['headers that are still on their way', SEARCH.slice(0, 50)],
    ['chunks', SEARCH.replace('Content-Length: 4', 'Transfer-Encoding: chunked')],
    ['a length that is no number', SEARCH.replace('Content-Length: 4', 'Content-Length: 4x')],
    ['two lengths', SEARCH.replace('Content-Length: 4', 'Content-Length: 4\r\nContent-Length: 4')],
    ['an Expect', SEARCH.replace('Host: x', 'Host: x\r\nExpect: 100-continue')],
    ['a wish to close', SEARCH.replace('Host: x', 'Host: x\r\nConnection: close')],
    ['no headers at all', 'POST /v1/indexes/a/search HTTP/1.1\r\n\r\n'],
    ['bytes that are no HTTP', '\x16\x03\x01'],
  ])('judges nothing else: %s is given back as it came', async (_what, bytes) => {
    const { shedder, client, given, read } = await setUp();
    client.write(bytes);
    await waitFor('the connection', () => (given.length === 1 ? true : undefined));
    expect(shedder.refused()).toBe(0);
    expect(await read()).toBe(bytes);
  });

  it('gives back a connection that its client has closed', async () => {
    const { client, fd, given } = await setUp();
    client.destroy();
    await waitFor('the connection', () => (given.length === 1 ? true : undefined));
    expect(given).toEqual([fd]);
  });

  it('takes headers in any case, and a large body that is all there', async () => {
    const { shedder, client, text } = await setUp();
    const body = 'x'.repeat(20_000);
    client.write(`POST /v1/indexes/a/search HTTP/1.1\r\nhost: x\r\nCONTENT-LENGTH:  ${body.length}\r\nConnection: keep-alive\r\n\r\n${body}`); // prettier-ignore
    await waitFor('a decision', () => (shedder.refused() === 1 ? true : undefined));
    await waitFor('the answer', () => (text() !== '' ? true : undefined));
    expect(text()).toContain('503');
  });
});
