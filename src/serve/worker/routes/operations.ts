/** GET /livez, /readyz, /metrics: for the systems around the server. They are answered at any load. */
import type { FastifyInstance } from 'fastify';
import { ShortlistError } from '../../../base/errors.js';
import type { AppContext } from '../context.js';
import { METRICS_TYPE } from '../../channel/joined-metrics.js';
import { problemResponses, StatusSchema } from '../../../wire/schemas.js';
import { Type } from '../../../wire/schema-type.js';

export function addOperationRoutes(app: FastifyInstance, context: AppContext): void {
  const tags = ['operations'];
  const live = {
    tags,
    operationId: 'livez',
    summary: 'Liveness: 200 while the event loop responds',
    description: 'For supervisors that restart a hanging process. It does not depend on any index.',
    response: { 200: StatusSchema, ...problemResponses([]) },
  };
  app.get('/livez', { schema: live }, () => ({ status: 'live' }));

  const readyResponse = { 200: StatusSchema, ...problemResponses(['not_ready']) };
  const ready = {
    tags,
    operationId: 'readyz',
    summary: 'Readiness: 200 if the indexes to serve are loaded and the server is not stopping',
    description:
      'For load balancers. It returns 503 after SIGTERM; searches are still answered for `--drain-delay-ms`.',
    response: readyResponse,
  };
  app.get('/readyz', { schema: ready }, () => {
    checkReady(context);
    const indexes = context.backend.names().map((index) => {
      const { current, fault } = context.backend.namesOf(index);
      return { index, version: current, ...(fault && { fault }) };
    });
    return { status: 'ready', indexes };
  });

  const metricsResponse = {
    200: { description: 'Prometheus text format.', content: { 'text/plain': { schema: Type.String() } } },
    ...problemResponses(['deadline_exceeded']),
  };
  const metrics = {
    tags,
    operationId: 'metrics',
    summary: 'Metrics, joined over all workers',
    description: 'Prometheus text. docs/operating/metrics-and-alerts.md lists the metrics.',
    response: metricsResponse,
  };
  app.get('/metrics', { schema: metrics }, async (_request, reply) => {
    void reply.type(METRICS_TYPE);
    return reply.send(await context.joinedMetrics());
  });
}

/**
 * Ready: at least one index answers, and each one that was named, or was published when the server started, answers or
 * is known to be faulty. A damaged index must not take down the others: its own requests get 503, and its fault is in
 * the body of /readyz and in a metric.
 * @throws not_ready
 */
function checkReady(context: AppContext): void {
  if (context.isDraining()) throw new ShortlistError('not_ready', 'the server is shutting down');
  const isLive = (index: string) =>
    context.backend.names().includes(index) && context.backend.namesOf(index).current !== null;
  const wanted = new Set([...context.options.index, ...context.expected()]);
  const isFaulty = (index: string) =>
    context.backend.names().includes(index) && context.backend.namesOf(index).fault !== undefined;
  const missing = [...wanted].filter((index) => !isLive(index) && !isFaulty(index));
  if (missing.length > 0)
    throw new ShortlistError('not_ready', `no version is loaded for ${missing.join(', ')}`, { missing });
  if (context.backend.names().some(isLive)) return;
  const faulty = context.backend.names().filter(isFaulty);
  const why = faulty.length === 0 ? '' : `; faulty: ${faulty.join(', ')}`;
  throw new ShortlistError('not_ready', `no index has a loaded version that is published${why}`, { missing: faulty });
}
