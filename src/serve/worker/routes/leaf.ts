/**
 * The routes of a server that holds some shards for a gateway: its state, the facts of a version, and the operations
 * (fleet/message-head.ts). They are no part of the public interface. Searches of clients are refused, since they would
 * find only a part of what there is.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ShortlistError } from '../../../base/errors.js';
import type { ExactSearch } from '../../../engine/exact-search.js';
import type { Lease, LiveIndexes } from '../../../retrieve/load/live.js';
import { OPERATIONS, operationPath, TIME_LEFT_HEADER, type Operation } from '../../fleet/message-head.js';
import { factsPath, PROTOCOL, STATE_PATH, type LeafState, type VersionFacts } from '../../fleet/state.js';
import { LeafVersion } from '../../leaf/leaf-version.js';
import { runOperation } from '../../leaf/operations.js';
import { TimeLimit } from '../../request/time-limit.js';
import { limitPool, retainAll } from '../request-resources.js';
import type { Scheduler } from '../scheduler.js';

interface LeafHost {
  readonly live: LiveIndexes;
  readonly pool: ExactSearch;
  readonly scheduler: Scheduler;
  /** Numbers of the shards to answer for. */
  readonly shards: readonly number[];
  readonly requestTimeoutMs: number;
  readonly isDraining: () => boolean;
  /** True for requests with which the worker warms up a version. */
  readonly isOwn: (request: FastifyRequest) => boolean;
}

const BYTES_TYPE = 'application/octet-stream';

/** Not in /openapi.json. */
const HIDDEN = { schema: { hide: true } };

export function addLeafRoutes(app: FastifyInstance, host: LeafHost): void {
  app.addHook('preHandler', (request, _reply, done) => {
    const isSearch = request.routeOptions.url === '/v1/indexes/:index/search';
    done(isSearch && !host.isOwn(request) ? clientRefused(host.shards) : undefined);
  });
  app.get(STATE_PATH, HIDDEN, () => stateOf(host));
  app.get<VersionParams>(factsPath(':index', '_').replace('_', ':version'), HIDDEN, ({ params }) =>
    withLease(host, params, ({ version }) => {
      const state = version.calibration();
      const uncalibrated = state.calibration === null ? state.reason : '';
      return { manifest: version.manifest, calibration: state.calibration, uncalibrated } satisfies VersionFacts;
    }),
  );
  for (const operation of OPERATIONS) {
    app.post<VersionParams>(operationPath(':index', ':version', operation), HIDDEN, async (request, reply) => {
      void reply.type(BYTES_TYPE);
      return answer(host, operation, request.params, request);
    });
  }
}

interface VersionParams {
  readonly Params: { readonly index: string; readonly version: string };
}

async function answer(
  host: LeafHost,
  operation: Operation,
  { index, version }: VersionParams['Params'],
  { state, headers }: FastifyRequest,
): Promise<Buffer> {
  const body = state.body?.bytes ?? Buffer.alloc(0);
  state.facts = { index, version, operation };
  const lease = host.live.lease(index, version);
  const held = retainAll([state.slot, state.memory], () => lease.release());
  const deadline = performance.now() + Math.min(timeLeftOf(headers), host.requestTimeoutMs);
  const limit = new TimeLimit({ destroyed: state.isOver }, deadline);
  state.limit = limit;
  try {
    const tools = {
      leaf: new LeafVersion(lease.version),
      limit,
      turns: host.scheduler,
      pool: limitPool(host.pool, limit, held),
      memory: state.memory.claim(),
    };
    return await runOperation(operation, tools, body);
  } finally {
    limit.clear();
    held.release();
  }
}

/** Infinity if the header is missing or wrong. */
function timeLeftOf(headers: IncomingHttpHeaders): number {
  const text = headers[TIME_LEFT_HEADER];
  return typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : Infinity;
}

function stateOf({ live, isDraining }: LeafHost): LeafState {
  const loaded = live.loaded();
  const indexes = live.names().map((index) => {
    const { current, aliases } = live.namesOf(index);
    const versions = loaded
      .filter((entry) => entry.index === index)
      .map(({ version, shards: held }) => ({ version, shards: held }));
    return { index, current, aliases, versions };
  });
  return { protocol: PROTOCOL, ready: !isDraining(), indexes };
}

function withLease<T>(host: LeafHost, { index, version }: VersionParams['Params'], use: (lease: Lease) => T): T {
  const lease = host.live.lease(index, version);
  try {
    return use(lease);
  } finally {
    lease.release();
  }
}

function clientRefused(shards: readonly number[]): ShortlistError {
  const message = `this server holds only the shards ${shards.join(', ')} and answers a gateway; send the search to the gateway`;
  return new ShortlistError('unsupported', message, { shards });
}
