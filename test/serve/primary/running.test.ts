/** How a server lives among the others: orchestrators, balancers, proxies, browsers, log collectors. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, type TestContext } from 'vitest';
import { corsHeadersOfRefusals } from '../../../src/serve/worker/cors.js';
import { Guard } from '../../../src/serve/worker/guard.js';
import { readServeOptions } from '../../../src/serve/channel/options.js';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer } from '../server.js';

async function start(
  test: TestContext,
  flags: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<TestServer> {
  const root = temporaryFolder();
  await publishVersion(root, 'listings');
  const server = await TestServer.start(root, ['--workers', '1', ...flags], env);
  test.onTestFinished(async () => {
    await server.stop();
  });
  return server;
}

describe.concurrent('variables of Kubernetes Services', { timeout: 120_000 }, () => {
  const env = {
    SHORTLIST_PORT: 'tcp://10.96.0.7:8080',
    SHORTLIST_PORT_8080_TCP: 'tcp://10.96.0.7:8080',
    SHORTLIST_PORT_8080_TCP_ADDR: '10.96.0.7',
    SHORTLIST_SERVICE_HOST: '10.96.0.7',
    SHORTLIST_SERVICE_PORT: '8080',
    SHORTLIST_SERVICE_PORT_HTTP: '8080',
    SHORTLIST_IMAGES_PORT: 'udp://10.96.0.8:53',
    SHORTLIST_IMAGES_SERVICE_HOST: '10.96.0.8',
  };

  it('are no options: the default holds, and the log names them', async (test) => {
    expect(readServeOptions({}, env)).toEqual(readServeOptions({}));
    const server = await start(test, [], { ...env, SHORTLIST_WORKERS: '1' });
    const line = await server.waitForLog('ignoring variables of a Kubernetes Service');
    expect(line['variables']).toEqual(Object.keys(env).sort());
  });

  it('are not looked for among variables that someone wrote', async (test) => {
    expect(() => readServeOptions({}, { SHORTLIST_PORT: 'http://10.0.0.1:80' })).toThrow('SHORTLIST_PORT');
    const server = await start(test, [], { SHORTLIST_WORKERS: '1', SHORTLIST_INDEX: 'listings' });
    expect(server.lines.map(({ msg }) => msg)).not.toContain('ignoring variables of a Kubernetes Service');
  });
});

describe('the health check of the container', () => {
  const PROGRAM = fileURLToPath(new URL('../../../dist/serve/health-check.js', import.meta.url));
  /** As a container shows its processes. */
  function check(processes: string): number | null {
    return spawnSync(process.execPath, [PROGRAM, processes], { stdio: 'inherit' }).status;
  }
  function fakeProcess(args: readonly string[], env: Record<string, string> = {}): string {
    const processes = temporaryFolder();
    const folder = join(processes, '7');
    mkdirSync(folder);
    const asKernel = (parts: readonly string[]) => parts.map((part) => `${part}\0`).join('');
    writeFileSync(join(folder, 'cmdline'), asKernel(['node', '/app/dist/cli/main.js', ...args]));
    writeFileSync(join(folder, 'environ'), asKernel(Object.entries(env).map(([name, value]) => `${name}=${value}`)));
    return processes;
  }

  it('finds a server wherever its flags or variables have it listen', async (test) => {
    const server = await start(test);
    const port = String(server.port);
    expect(check(fakeProcess(['serve', '--port', port]))).toBe(0);
    expect(check(fakeProcess(['--root', '/indexes', 'serve', `--port=${port}`, '--host', '0.0.0.0'], { SHORTLIST_PORT: '1' }))).toBe(0);
    expect(check(fakeProcess(['serve', '--index', 'a', 'b'], { SHORTLIST_PORT: port, SHORTLIST_HOST: '::1' }))).toBe(1);
    expect(check(fakeProcess(['serve', '--index', 'a', 'b'], { SHORTLIST_PORT: port }))).toBe(0);
    expect(check(fakeProcess(['serve', '--port', '1']))).toBe(1);
    // The server itself, which was told to take any port.
    const processes = temporaryFolder();
    for (const pid of [server.pid, ...server.workers]) symlinkSync(`/proc/${pid}`, join(processes, String(pid)));
    expect(check(processes)).toBe(0);
  }); // prettier-ignore

  it('says yes where there is no server', () => {
    expect(check(fakeProcess(['build', 'serve', '--input', 'x.arrow']))).toBe(0);
    expect(check(fakeProcess(['--root', 'serve', 'list']))).toBe(0);
    expect(check(temporaryFolder())).toBe(0);
  });
});

describe.concurrent('levels in the log', { timeout: 120_000 }, () => {
  it('are words where collectors want them', async (test) => {
    const words = await start(test, ['--log-levels', 'words']);
    expect(words.lines.every(({ level }) => ['info', 'warn'].includes(String(level)))).toBe(true);
    const severity = await start(test, [], { SHORTLIST_LOG_LEVELS: 'severity' });
    expect(severity.lines.length).toBeGreaterThan(2);
    expect(severity.lines.map(({ level, severity }) => [level, severity])).toEqual(
      severity.lines.map(() => [undefined, 'INFO']),
    );
  });
});

describe.concurrent('pages of other origins', { timeout: 120_000 }, () => {
  const SHOP = 'https://shop.example.com';
  const ROUTE = '/v1/indexes/listings/search';
  const ask = (server: TestServer, method: string, path: string, headers: Record<string, string>) =>
    fetch(server.url + path, { method, headers, ...(method === 'POST' ? { body: '{"id":"1","k":1}' } : {}) });
  const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' };

  it('may not ask without the option', async (test) => {
    const server = await start(test);
    const answer = await ask(server, 'POST', ROUTE, { origin: SHOP, 'content-type': 'application/json' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    expect((await ask(server, 'OPTIONS', ROUTE, { origin: SHOP, ...preflight })).status).toBe(405);
  });

  it('may ask from the origins that are named, and read answers, errors and what tells of them', async (test) => {
    const server = await start(test, ['--cors', SHOP, 'http://localhost:3000']);
    const allowed = await ask(server, 'OPTIONS', ROUTE, { origin: SHOP, ...preflight });
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe(SHOP);
    expect(allowed.headers.get('access-control-allow-methods')).toContain('POST');
    expect(allowed.headers.get('access-control-allow-headers')).toBe('content-type');
    const json = { 'content-type': 'application/json' };
    const requests = [
      ask(server, 'POST', ROUTE, { origin: SHOP, ...json }),
      ask(server, 'POST', '/v1/indexes/nothing/search', { origin: SHOP, ...json }),
      ask(server, 'POST', ROUTE, { origin: SHOP, 'content-type': 'text/plain' }),
      ask(server, 'GET', ROUTE, { origin: SHOP }),
      ask(server, 'GET', '/nowhere', { origin: SHOP }),
      ask(server, 'GET', '/v1/indexes/%ff', { origin: SHOP }),
      ask(server, 'GET', '/metrics', { origin: SHOP }),
    ];
    const answers = await Promise.all(requests);
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 415, 405, 404, 400, 200]);
    for (const { headers } of answers) {
      expect(headers.get('access-control-allow-origin')).toBe(SHOP);
      expect(headers.get('access-control-expose-headers')).toContain('x-request-id');
      expect(headers.get('access-control-expose-headers')).toContain('retry-after');
      expect(headers.get('vary')!.toLowerCase()).toMatch(/accept.*origin/);
    }
    const other = await ask(server, 'POST', ROUTE, { origin: 'https://evil.example.com', ...json });
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
    const second = await ask(server, 'GET', '/livez', { origin: 'http://localhost:3000' });
    expect(second.headers.get('access-control-allow-origin')).toBe('http://localhost:3000');
  });

  it('an OPTIONS request that asks for no permission is refused as a method, or as a route', async (test) => {
    const server = await start(test, ['--cors', '*']);
    const known = await ask(server, 'OPTIONS', ROUTE, {});
    expect([known.status, known.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await ask(server, 'OPTIONS', '/nowhere', {})).status).toBe(404);
    expect((await ask(server, 'GET', '/nowhere', { origin: 'null' })).headers.get('access-control-allow-origin')).toBe(
      '*',
    );
  });

  it('may read that the server is overloaded, which is said without a look at who asks', async () => {
    const full = { ahead: 16, waitMs: Infinity, stepMs: 1, emptyAt: 0, noteAdmitted: () => undefined };
    const read = async (origins: readonly string[]) => {
      const guard = new Guard(full, { refused: () => undefined }, corsHeadersOfRefusals(origins));
      const http = createServer((request, response) => guard.refuse(request, response)).listen(0, '127.0.0.1');
      await once(http, 'listening');
      const { status, headers } = await fetch(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
      guard.close();
      http.close();
      return [status, headers.get('access-control-allow-origin'), headers.get('access-control-expose-headers')];
    };
    expect(await read(['*'])).toEqual([503, '*', expect.stringContaining('retry-after')]);
    expect(await read([SHOP])).toEqual([503, SHOP, expect.stringContaining('retry-after')]);
    expect(await read([SHOP, 'http://localhost:3000'])).toEqual([503, null, null]);
  });

  it.each([
    'shop.example.com',
    'https://shop.example.com/',
    'https://Shop.example.com',
    'https://a:443',
    'null',
    'https://a/b',
  ])('%s is no origin', (text) => expect(() => readServeOptions({ cors: [text] })).toThrow('--cors'));
});

describe('behind a proxy that shows it under a path', () => {
  it('routes answer with the path and without, and what the server links to has it', async (test) => {
    const server = await start(test, ['--base-path', '/candidates/']);
    for (const prefix of ['', '/candidates']) {
      expect((await server.get(`${prefix}/livez`)).status).toBe(200);
      expect((await server.post(`${prefix}/v1/indexes/listings/search`, { id: 1, k: 1 })).status).toBe(200);
      const { servers } = (await (await server.get(`${prefix}/openapi.json`)).json()) as { servers: { url: string }[] };
      expect(servers.map(({ url }) => url)).toEqual(['/candidates']);
      const wrong = await server.get(`${prefix}/v1/indexes/listings/search`);
      expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
    }
    expect((await server.get('/candidatesv1/indexes')).status).toBe(404);
    expect((await server.get('/candidates?x=1')).status).toBe(404);
    const page = await (await server.get('/candidates/docs')).text();
    const parts = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!);
    expect(parts.length).toBeGreaterThan(3);
    for (const part of parts) {
      expect(part).toMatch(/^\/candidates\/docs\//);
      expect((await server.get(part)).status, part).toBe(200);
    }
    const copy = await server.get('/candidates/docs/json');
    expect([copy.url, copy.status]).toEqual([`${server.url}/candidates/openapi.json`, 200]);
    const metrics = await (await server.get('/metrics')).text();
    expect(metrics).toContain('route="/v1/indexes/:index/search",method="POST",status="200"');
    expect(metrics).not.toContain('/candidates');
  });

  it.each(['candidates', '/a//b', '/a b', '/v1', '/docs/x', '/?'])('%s is no base path', (path) =>
    expect(() => readServeOptions({ basePath: path })).toThrow('--base-path'),
  );
});

describe('SIGTERM under keep-alive clients', () => {
  /** Asks over one connection, with pauses, until the server says that it closes it. */
  class Client {
    private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });
    answers = 0;
    readonly failures: string[] = [];

    constructor(
      private readonly server: TestServer,
      private readonly pauseMs: number,
    ) {}

    async run(): Promise<void> {
      while (this.failures.length === 0 && !(await this.ask())) {
        await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
      }
      this.agent.destroy();
    }

    /** @returns whether the connection ends with the answer */
    private ask(): Promise<boolean> {
      const options = { agent: this.agent, method: 'POST', headers: { 'content-type': 'application/json' } };
      return new Promise((resolve) => {
        const sent = request(`${this.server.url}/v1/indexes/listings/search`, options, (response) => {
          if (![200, 503].includes(response.statusCode!)) this.failures.push(String(response.statusCode)); // 503: overloaded
          this.answers++;
          response.resume().once('end', () => resolve(response.headers.connection === 'close'));
        });
        sent.once('error', (error) => {
          this.failures.push(String((error as NodeJS.ErrnoException).code));
          resolve(true);
        });
        sent.end('{"id":"1","k":1}');
      });
    }
  }

  it('by default every connection that is in use is closed by an answer, and new ones are taken meanwhile', async (test) => {
    const server = await start(test, ['--workers', '2'], { SHORTLIST_DRAIN_DELAY_MS: '' });
    const clients = Array.from({ length: 40 }, (_, i) => new Client(server, 5 + 10 * i));
    const runs = clients.map((client) => client.run());
    await Promise.all(clients.map(async (client) => {
      while (client.answers === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    })); // prettier-ignore
    server.process.kill('SIGTERM');
    await server.waitForLog('draining');
    const late = Array.from({ length: 10 }, () => new Client(server, 5));
    await Promise.all([...runs, ...late.map((client) => client.run())]);
    expect([...clients, ...late].flatMap(({ failures }) => failures)).toEqual([]);
    expect(late.map(({ answers }) => answers)).toEqual(late.map(() => 1));
    expect(await server.waitForExit()).toBe(0);
  });

  it('Ctrl-C waits for no balancer', async (test) => {
    const server = await start(test, [], { SHORTLIST_DRAIN_DELAY_MS: '3600000' });
    server.process.kill('SIGINT');
    expect(await server.waitForExit()).toBe(0);
  });
});
