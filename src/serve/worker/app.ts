/**
 * The HTTP application of a worker, not listening yet: a fastify instance with admission, request ids, a log line per
 * request, and every error as problem+json, whether from our code, fastify or Node's parser.
 */
import type { IncomingMessage } from 'node:http';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { ShortlistError } from '../../base/errors.js';
import { setCorsHeaders, registerCors } from './cors.js';
import { compressAnswer } from '../answer/compress.js';
import { ConnectionAges, OpenRequests } from './connections.js';
import type { AppContext } from './context.js';
import { answerClientError, refuseExpectation } from './http-errors.js';
import { createHttpServer, WORK_PREFIX } from './http-server.js';
import {
  PROBLEM_TYPE,
  RETRY_AFTER_SECONDS,
  describeProblem,
  isRetryable,
  toShortlistError,
} from '../../wire/problem.js';
import { isGzip, receiveBody } from '../request/body.js';
import { checkHead, REQUEST_ID_HEADER, requestIdOf } from '../request/head.js';
import { addDocRoutes, collectSchemas } from './routes/docs.js';
import { addIndexRoutes } from './routes/indexes.js';
import { addOperationRoutes } from './routes/operations.js';
import { BODY_TYPES, addSearchRoute, mediaType } from './routes/search.js';
import { RouteTable } from './route-table.js';

/** The longest id: 1,024 bytes of UTF-8, percent-encoded. */
const MAX_PARAMETER_LENGTH = 3 * 1_024;

const openRequests = new OpenRequests();

export async function buildApp(context: AppContext, toolVersion: string): Promise<FastifyInstance> {
  const { cors, basePath } = context.options;
  const app = fastify({
    logger: false,
    genReqId: (request) => requestIdOf(request.headers[REQUEST_ID_HEADER]),
    serverFactory: (handler) => createHttpServer(context.options, context.guard, handler),
    routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH },
    ...(basePath === '' ? {} : { rewriteUrl: ({ url }: IncomingMessage) => withoutBasePath(url ?? '/', basePath) }),
    return503OnClosing: false, // while draining, requests on open connections are still answered
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => {
      startRequest(context, request, reply);
      setCorsHeaders(context.options.cors, request, reply);
      sendProblem(error, request, reply);
    },
  });
  app.server.on('checkExpectation', refuseExpectation);
  // Schemas only document: readers validate requests, and answers are written directly.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  // Before the routes, which keep the handler that is set when they are added.
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  app.decorateRequest('state');
  app.addHook('onRequest', (request, reply, done) => {
    startRequest(context, request, reply);
    done();
  });
  await registerCors(app, cors);
  addHooks(app, context);
  addBodyParsers(app, context);
  const routes = new RouteTable();
  app.addHook('onRoute', ({ method, url }) => routes.add(method, url));
  await collectSchemas(app, toolVersion, basePath);
  addSearchRoute(app, context);
  addIndexRoutes(app, context);
  addOperationRoutes(app, context);
  context.addRoutes?.(app);
  await addDocRoutes(app, context);
  app.setNotFoundHandler((request, reply) =>
    sendProblem(routes.refusal(request.method, request.url, reply), request, reply),
  );
  return app;
}

/** A proxy may pass its own path on or remove it. */
function withoutBasePath(url: string, basePath: string): string {
  if (!url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  return rest === '' || rest.startsWith('?') ? `/${rest}` : rest.startsWith('/') ? rest : url;
}

function startRequest(context: AppContext, request: FastifyRequest, reply: FastifyReply): void {
  const observer = context.observerOf(request.raw.socket);
  request.state = {
    arrived: performance.now(),
    observer,
    id: request.id,
    traceparent: traceparentOf(request.headers['traceparent']),
    slot: null,
    memory: observer.admission.openAccount(),
    body: null,
    isOver: false,
    limit: null,
    facts: {},
  };
  void reply.headers({
    [REQUEST_ID_HEADER]: request.id,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    vary: 'accept, accept-encoding',
  });
  const finish = () => {
    if (!request.state.isOver) finishRequest(context, request, reply);
    removeOpen();
  };
  const removeOpen = openRequests.add(request.raw.socket, finish);
  reply.raw.once('close', finish);
}

/** W3C trace context; anything else is not passed on. */
function traceparentOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && /^[\da-f]{2}(-[\da-f]{2,32}){3}$/.test(header) ? header : undefined;
}

function addHooks(app: FastifyInstance, context: AppContext): void {
  app.addHook('onRequest', (request, _reply, done) => done(refuseEarly(request)));
  const ages = new ConnectionAges(app.server);
  app.addHook('onSend', (request, reply, payload, done) => {
    // While draining, a keep-alive connection would keep the process alive until its idle timeout.
    if (context.isDraining() || ages.isOld(request.raw.socket)) void reply.header('connection', 'close');
    compressAnswer(request, reply, payload, done);
  });
  app.addHook('preHandler', (request, _reply, done) => {
    try {
      if (isWork(request) && !request.state.isOver) request.state.slot = request.state.observer.admission.acquireSlot();
      done();
    } catch (error) {
      done(error as Error);
    }
  });
}

/** The error of a request that can be refused before its body is read. */
function refuseEarly(request: FastifyRequest): Error | undefined {
  const malformed = checkHead(request.raw);
  if (malformed !== undefined || !isWork(request)) return malformed;
  try {
    request.state.observer.admission.check();
  } catch (error) {
    return error as Error;
  }
  return undefined;
}

function isWork(request: FastifyRequest): boolean {
  return !request.is404 && (request.routeOptions.url ?? '').startsWith(WORK_PREFIX);
}

/** Runs once per request, whether it was answered, failed or was aborted. */
function finishRequest(context: AppContext, request: FastifyRequest, reply: FastifyReply): void {
  const { arrived, observer, slot, memory, limit, facts } = request.state;
  const completed = reply.raw.writableFinished;
  request.state.isOver = true;
  if (!completed) limit?.clientLeft();
  slot?.release();
  memory.release();
  context.requestEnded(request.raw.socket);
  const seconds = (performance.now() - arrived) / 1000;
  const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
  const status = completed ? reply.statusCode : 499; // the client closed the connection; nginx's code for that
  observer.metrics.requestDone(route, request.method, status, seconds);
  const level = route.startsWith(WORK_PREFIX) || status >= 400 ? 'info' : 'debug';
  const message = completed ? 'request completed' : 'request aborted';
  observer.log[level](
    { request_id: request.id, method: request.method, route, status, ms: Math.round(seconds * 1e6) / 1e3, ...facts },
    message,
  );
}

function addBodyParsers(app: FastifyInstance, context: AppContext): void {
  const receive = async (request: FastifyRequest) => {
    const bounds = { limit: context.options.bodyLimit, memory: request.state.memory };
    request.state.body = await receiveBody(request.raw, bounds);
    return null; // handlers read the bytes from the state
  };
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([...BODY_TYPES], receive);
  app.addHook('onRequest', (request, reply, done) => done(refuseMediaType(request, reply)));
}

/** Checks the headers only, so that the error does not depend on how fastify chose the parser. */
function refuseMediaType(request: FastifyRequest, reply: FastifyReply): Error | undefined {
  if (request.method !== 'POST' || request.is404) return undefined;
  const { 'content-encoding': encoding, 'content-type': type } = request.headers;
  if (encoding !== undefined && encoding !== 'identity' && !isGzip(encoding)) {
    void reply.header('accept-encoding', 'gzip, identity'); // RFC 9110, 12.5.3: the supported encodings
    const message = `Content-Encoding ${encoding.slice(0, 64)} is not supported; send the body uncompressed or as gzip`;
    return new ShortlistError('unsupported_media_type', message);
  }
  if (BODY_TYPES.includes(mediaType(request))) return undefined;
  const taken = BODY_TYPES.join(', ');
  void reply.header('accept-post', taken);
  const given =
    type === undefined ? 'the request has no Content-Type' : `Content-Type ${type.slice(0, 64)} is not supported`;
  return new ShortlistError('unsupported_media_type', `${given}; send one of ${taken}`);
}

function sendProblem(cause: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const error = toShortlistError(cause);
  if (error.status === 500)
    request.state.observer.log.error({ request_id: request.id, err: error.cause ?? error }, 'request failed');
  else request.state.facts = { ...request.state.facts, code: error.code };
  // When a body is refused, fastify closes the connection, and a client that is still sending would see a reset instead
  // of the answer. So it stays open, and the rest of the body is discarded.
  void reply.removeHeader('connection');
  if (isRetryable(error)) void reply.header('retry-after', String(RETRY_AFTER_SECONDS));
  void reply
    .code(error.status)
    .type(PROBLEM_TYPE)
    .send(Buffer.from(JSON.stringify(describeProblem(error, request.id)))); // a buffer, since fastify adds a charset to text
}
