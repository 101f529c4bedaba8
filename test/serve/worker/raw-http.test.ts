import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer } from '../server.js';

const SEARCH = 'POST /v1/indexes/listings/search HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n';
const BODY = '{"id":"1","k":1}';

describe('bytes on a raw socket', () => {
  let server: TestServer;
  beforeAll(async () => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings');
    server = await TestServer.start(root, ['--workers', '1', '--request-timeout-ms', '1000', '--body-limit', '64KiB']);
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  function expectProblem(text: string, status: number, code: string): void {
    const [head, body] = text.split('\r\n\r\n') as [string, string];
    expect(head.split('\r\n')[0]).toContain(`HTTP/1.1 ${status} `);
    expect(head.toLowerCase()).toContain('content-type: application/problem+json');
    const problem = JSON.parse(body) as Record<string, unknown>;
    expect(problem).toMatchObject({ status, code, type: `urn:shortlist:error:${code}` });
    expect(head).toContain(String(problem['request_id']));
  }

  it.each([
    ['garbage', 'hello there\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['an unknown method', 'FETCH / HTTP/1.1\r\nHost: test\r\n\r\n'],
    ['a header without a colon', 'GET /livez HTTP/1.1\r\nHost test\r\n\r\n'],
    ['two lengths', `${SEARCH}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`],
    ['a length and chunks together', `${SEARCH}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['a negative length', `${SEARCH}Content-Length: -5\r\n\r\n`],
    ['a request line without a version', 'GET /livez\r\n\r\n'],
    ['a request line without a version, with headers', 'GET /livez\r\nHost: test\r\n\r\n'],
    ['HTTP/2 without its preface', 'GET /livez HTTP/2.0\r\nHost: test\r\n\r\n'],
    ['a version that there is not', 'GET /livez HTTP/1.2\r\nHost: test\r\n\r\n'],
    ['a chunk size that is no number', `${SEARCH}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
  ])('%s is malformed_http, and the connection ends', async (_what, bytes) => {
    expectProblem(await server.raw(bytes), 400, 'malformed_http');
  });

  it('HTTP/1.1 without Host is malformed_http', async () => {
    expectProblem(await server.raw('GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n'), 400, 'malformed_http');
    expect(await server.raw('GET /livez HTTP/1.0\r\n\r\n')).toContain('200 OK');
  });

  it.each([
    ['two of them', 'Host: a\r\nHost: b'],
    ['the same twice', 'Host: a\r\nX: y\r\nhOsT: a'],
    ['one with a space', 'Host: a b'],
    ['one with a path', 'Host: a/b'],
    ['one with a user', 'Host: user@a'],
    ['a port that is no number', 'Host: a:b'],
  ])('a Host that is none is malformed_http, on every route and version: %s', async (_what, host) => {
    for (const line of ['GET /livez HTTP/1.1', 'GET /livez HTTP/1.0', 'GET /nowhere HTTP/1.1'])
      expectProblem(await server.raw(`${line}\r\n${host}\r\nConnection: close\r\n\r\n`), 400, 'malformed_http');
    const post = `POST /v1/indexes/listings/search HTTP/1.1\r\n${host}\r\nContent-Type: application/json\r\n`;
    const text = await server.raw(`${post}Connection: close\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`);
    expectProblem(text, 400, 'malformed_http');
  });

  it.each(['', 'shortlist', 'shortlist:8080', 'my_host.example.:80', '127.0.0.1:8080', '[::1]:8080', 'a:'])(
    'a Host may be "%s"',
    async (host) => {
      expect(await server.raw(`GET /livez HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).toContain('200 OK');
    },
  );

  it('headers that are too large are headers_too_large', async () => {
    expectProblem(
      await server.raw(`GET /livez HTTP/1.1\r\nHost: test\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`),
      431,
      'headers_too_large',
    );
    expectProblem(
      await server.raw(`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: test\r\n\r\n`),
      431,
      'headers_too_large',
    );
  });

  it('a body that is announced too large is refused before it is sent', async () => {
    const text = await server.raw(`${SEARCH}Content-Length: 70000\r\n\r\n`, '"request_id"');
    expect(text).toContain('HTTP/1.1 413 ');
    expect(text).toContain('"code":"body_too_large"');
  });

  it('chunks that add up to too much are refused, and the answer arrives though the client goes on sending', async () => {
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const text = await server.raw(
      `${SEARCH}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunk.repeat(40)}0\r\n\r\n`,
    );
    expectProblem(text, 413, 'body_too_large');
  });

  it('a body that never comes is request_timeout', async () => {
    expectProblem(await server.raw(`${SEARCH}Content-Length: 100\r\n\r\n{"id"`), 408, 'request_timeout');
  });

  it('headers that never end are request_timeout', async () => {
    expectProblem(await server.raw('GET /livez HTTP/1.1\r\nHost: test\r\nX-'), 408, 'request_timeout');
  });

  it('a client that leaves in the middle of its body is forgotten', async () => {
    const from = server.lines.length;
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`${SEARCH}Content-Length: 100\r\n\r\n{"id"`);
    setTimeout(() => socket.destroy(), 100);
    await server.waitForLog('request aborted', from);
    expect((await server.search({ id: 1 })).status).toBe(200);
  });

  it('a client that has closed its sending half gets its answer', async () => {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.end(`${SEARCH}Content-Length: ${BODY.length}\r\nConnection: close\r\n\r\n${BODY}`);
    let text = '';
    for await (const part of socket.setEncoding('utf8')) text += String(part);
    expect(text).toContain('200 OK');
    expect(text).toContain('"candidates"');
  });

  it('pipelined requests are answered in order', async () => {
    const one = (id: string, close = '') => {
      const body = `{"id":"${id}","k":1}`;
      return `${SEARCH}X-Request-Id: ${id}\r\nContent-Length: ${body.length}\r\n${close}\r\n${body}`;
    };
    const text = await server.raw(one('1') + one('nobody') + one('3', 'Connection: close\r\n'));
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
    expect(text.match(/x-request-id: \w+/g)).toEqual(['x-request-id: 1', 'x-request-id: nobody', 'x-request-id: 3']);
  });

  it('a request to upgrade or to continue is answered as an ordinary one', async () => {
    const upgrade = 'GET /livez HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n';
    expect(await server.raw(upgrade, '"live"')).toContain('200 OK');
    const expecting = `${SEARCH}Expect: 100-continue\r\nConnection: close\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
    expect(await server.raw(expecting)).toMatch(/100 Continue[^]*200 OK/);
    expect(await server.raw('GET /livez HTTP/1.1\r\nHost: test\r\nExpect: wonders\r\n\r\n')).toContain('HTTP/1.1 417 ');
  });

  it('HEAD is answered without a body', async () => {
    const text = await server.raw('HEAD /v1/indexes HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(text.split('\r\n\r\n')[1]).toBe('');
  });

  it('none of it was a bug or ended the worker', () => {
    expect(server.lines.filter(({ level }) => level >= 50)).toEqual([]);
  });
});
