/** A fleet of real processes over one root: servers that each hold some shards, a gateway, and a server that holds all. */
import { TestServer } from '../server.js';

export interface TestFleet {
  readonly whole: TestServer;
  readonly leaves: readonly TestServer[];
  readonly gateway: TestServer;
  stop(): Promise<void>;
}

/** @param shards of each leaf, such as `0-1` */
export async function startFleet(root: string, shards: readonly string[]): Promise<TestFleet> {
  const [whole, ...leaves] = await Promise.all([
    TestServer.start(root, ['--workers', '1']),
    ...shards.map((list) => TestServer.start(root, ['--workers', '1', '--shards', list])),
  ]);
  const gateway = await TestServer.startGateway(leaves);
  const stop = async () => {
    await Promise.all([gateway, whole, ...leaves].map((server) => server.stop()));
  };
  return { whole, leaves, gateway, stop };
}

export interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** The answer without what differs from process to process: times and ids of requests. */
export async function ask(server: TestServer, body: unknown, index = 'shop'): Promise<Reply> {
  const response = await server.search(body, index);
  return { status: response.status, body: timeless(await response.json()) as Record<string, unknown> };
}

const TIMES = new Set(['took_ms', 'took_us', 'filter_us', 'search_us', 'merge_us', 'request_id', 'cached']);

function timeless(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(timeless);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name]) => !TIMES.has(name));
  return Object.fromEntries(members.map(([name, member]) => [name, timeless(member)]));
}
