/** Large answers: sent as they are read, counted until they are sent, and not held when their readers leave. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer, waitFor } from '../server.js';

const ARROW = 'application/vnd.apache.arrow.stream';

/** Eight megabytes. */
const BODY = JSON.stringify({ ids: [0, 1, 2, 3, 4, 5, 6, 7], k: 50, include: { attributes: ['generation'] } });

describe('a large answer', () => {
  let server: TestServer;
  beforeAll(async () => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings', { generation: 'x'.repeat(20_000) });
    server = await TestServer.start(root, ['--workers', '1', '--max-buffered', '64MiB']);
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  function ask(headers: string): string {
    const length = `Content-Length: ${BODY.length}\r\nContent-Type: application/json\r\n`;
    return `POST /v1/indexes/listings/search HTTP/1.1\r\nHost: test\r\n${length}${headers}\r\n${BODY}`;
  }

  async function exchange(headers: string): Promise<{ head: string; bytes: Buffer }> {
    const all = Buffer.from(await server.raw(ask(`Connection: close\r\n${headers}`)), 'latin1');
    const end = all.indexOf('\r\n\r\n');
    return { head: all.toString('latin1', 0, end).toLowerCase(), bytes: all.subarray(end + 4) };
  }

  async function heldBytes(): Promise<number> {
    const page = await (await server.get('/metrics')).text();
    return Number(/^shortlist_buffered_bytes (.*)$/m.exec(page)![1]);
  }

  it.each(['application/json', ARROW])('says how long it is, and is whole, as %s', async (accept) => {
    const { head, bytes } = await exchange(`Accept: ${accept}\r\n`);
    expect(head).toContain('200 ok');
    expect(head).toContain(`content-length: ${bytes.length}`);
    expect(bytes.length).toBeGreaterThan(7e6);
    if (accept !== ARROW) expect((JSON.parse(bytes.toString()) as { results: unknown[] }).results).toHaveLength(8);
  });

  it('is the same compressed', async () => {
    const plain = await exchange('');
    const packed = await exchange('Accept-Encoding: gzip\r\n');
    expect(packed.head).toContain('content-encoding: gzip');
    expect(packed.head).toContain('transfer-encoding: chunked');
    const [one, other] = [plain.bytes, gunzipSync(unchunk(packed.bytes))].map(
      (bytes) => JSON.parse(bytes.toString()) as { results: unknown },
    );
    expect(other!.results).toEqual(one!.results);
  });

  it.each([
    ['json', ''],
    ['arrow', `Accept: ${ARROW}\r\n`],
    ['gzip', 'Accept-Encoding: gzip\r\n'],
  ])('is counted while nobody reads it, and released once when its readers leave: %s', async (form, headers) => {
    const sockets: Socket[] = [];
    for (let i = 0; i < 3; i++) {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => undefined).pause();
      await once(socket, 'connect');
      socket.write(ask(headers));
      sockets.push(socket);
    }
    // What is compressed is small enough for the buffers of the system, and is sent.
    if (form === 'gzip') await waitFor('the answers to be sent', async () => ((await heldBytes()) === 0 ? true : undefined));
    else await waitFor('the answers to be held', async () => ((await heldBytes()) > 3 * 7e6 ? true : undefined));
    for (const [i, socket] of sockets.entries()) {
      if (i === 0) socket.destroy();
      else if (i === 1) socket.resetAndDestroy();
      else socket.end();
    }
    sockets[2]!.resume(); // it has said all that it had to say, and reads now
    await waitFor('nothing to be held', async () => ((await heldBytes()) === 0 ? true : undefined));
    sockets[2]!.destroy();
    expect((await server.search({ id: 1, k: 1 })).status).toBe(200);
    expect(await heldBytes()).toBe(0);
    expect(server.lines.filter(({ level }) => level >= 50)).toEqual([]);
  }); // prettier-ignore
});

function unchunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const length = parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (length === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 4 + length;
  }
}
