/** Starts the real command in a process of its own, and talks to it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** A hundred servers are started: what makes them fast before they answer is tried where it matters. */
const WARM_UP_MS = '0';

export interface LogLine {
  readonly msg: string;
  readonly level: number;
  readonly role: string;
  readonly pid: number;
  readonly [field: string]: unknown;
}

// A test that fails before it stops its server leaves nothing behind.
const launched: ChildProcess[] = [];
process.once('exit', () => launched.forEach((server) => server.kill('SIGKILL')));

export class TestServer {
  readonly lines: LogLine[] = [];
  stderr = '';
  private exited: number | NodeJS.Signals | null = null;

  private constructor(
    readonly process: ChildProcess,
    readonly base: { port: number; url: string } = { port: 0, url: '' },
  ) {
    launched.push(process);
    let rest = '';
    process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      const parts = (rest + text).split('\n');
      rest = parts.pop()!;
      for (const part of parts) if (part.startsWith('{')) this.lines.push(JSON.parse(part) as LogLine);
    });
    process.once('exit', (code, signal) => {
      this.exited = signal ?? code;
    });
  }

  /** Waits until it listens. */
  static async start(
    root: string,
    flags: readonly string[] = [],
    env: Record<string, string> = {},
    node = process.execPath,
  ): Promise<TestServer> {
    return TestServer.listening(TestServer.launch(root, flags, env, node));
  }

  private static async listening(server: TestServer): Promise<TestServer> {
    const line = await server.waitForLog('listening');
    server.base.port = line['port'] as number;
    server.base.url = `http://127.0.0.1:${server.base.port}`;
    return server;
  }

  /** Does not wait: for starts that fail. */
  static launch(
    root: string,
    flags: readonly string[] = [],
    env: Record<string, string> = {},
    node = process.execPath,
  ): TestServer {
    const workers = flags.includes('--workers') ? [] : ['--workers', '2'];
    return TestServer.spawn(['--root', root, 'serve', ...workers], flags, env, node);
  }

  /** A gateway in front of servers, as soon as it listens. */
  static async startGateway(leaves: readonly TestServer[], flags: readonly string[] = []): Promise<TestServer> {
    const addresses = leaves.map(({ port }) => `127.0.0.1:${port}`);
    return TestServer.listening(TestServer.spawn(['gateway', '--leaves', ...addresses], flags, {}, process.execPath));
  }

  private static spawn(
    command: readonly string[],
    flags: readonly string[],
    env: Record<string, string>,
    node: string,
  ): TestServer {
    const args = [CLI, ...command, ...(flags.includes('--port') ? [] : ['--port', '0']), ...flags];
    // Nobody waits for a balancer here, and most servers end before a worker dies: tests of those say what they need.
    const own = { SHORTLIST_DRAIN_DELAY_MS: '0', SHORTLIST_STANDBY: '0', SHORTLIST_WARM_UP_MS: WARM_UP_MS, ...env };
    return new TestServer(spawn(node, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...own } }));
  }

  get url(): string {
    return this.base.url;
  }

  get port(): number {
    return this.base.port;
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** Process ids of the workers as of the last line that says them. */
  get workers(): number[] {
    return this.lines.findLast((line) => line['worker_pids'] !== undefined)?.['worker_pids'] as number[];
  }

  /** The first line with this message from position `from` on, which may still have to come. */
  async waitForLog(message: string, from = 0, match: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    return waitFor(`the log line '${message}'`, () => {
      const found = this.lines.slice(from).find((line) => line.msg === message && match(line));
      if (found === undefined && this.exited !== null)
        throw new Error(`the server ended with ${this.exited}:\n${this.stderr}`);
      return found;
    });
  }

  async waitForExit(): Promise<number | NodeJS.Signals> {
    if (this.exited === null) await once(this.process, 'exit');
    if (!this.process.stderr!.readableEnded) await once(this.process.stderr!, 'end');
    return this.exited!;
  }

  async stop(): Promise<number | NodeJS.Signals> {
    if (this.exited === null) this.process.kill('SIGTERM');
    return this.waitForExit();
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.url + path, { headers });
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    return fetch(this.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: text as string,
    });
  }

  search(body: unknown, index = 'listings'): Promise<Response> {
    return this.post(`/v1/indexes/${index}/search`, body);
  }

  /** Bytes on a socket of their own; everything that comes back until the server closes it or `until` is there. */
  raw(bytes: string | Uint8Array, until?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(bytes));
      let text = '';
      socket.setEncoding('latin1');
      socket.on('data', (part: string) => {
        text += part;
        if (until !== undefined && text.includes(until)) socket.destroy();
      });
      socket.once('error', reject);
      socket.once('close', () => resolve(text));
    });
  }
}

/** Polls until the function gives something. The only limit is the test's own. */
export async function waitFor<T>(what: string, probe: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const end = Date.now() + 30_000;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`waited 30 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
