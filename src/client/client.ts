/**
 * The typed HTTP client. It needs only `fetch`, so it runs in Node, Deno, Bun and browsers.
 *
 *     const client = new ShortlistClient('http://127.0.0.1:8080');
 *     const { candidates } = await client.search('listings', { vector, k: 100 });
 *
 * Vectors are sent as base64 of float32, which costs the server a third of a list of JSON numbers, or raw with `form:
 * 'binary'`. Field names are those of the HTTP interface. Every failure is a ShortlistClientError with a code, except
 * an aborted signal: then its reason is thrown.
 */
import { ShortlistClientError, problemError } from './client-error.js';
import { ARROW_TYPE, JSON_TYPE, encodeSearch } from './encode-request.js';
import { callSignal, isRetryable, retryDelayMs, sleep } from './retry.js';
import type { BatchAnswer, IndexDescription, Item, SearchAnswer, ServerStatus } from '../wire/answers.js';
import type {
  BatchRequest,
  CallOptions,
  ClientOptions,
  ItemRequest,
  SearchCallOptions,
  SearchRequest,
} from './requests.js';

export { ShortlistClientError, type ClientErrorCode } from './client-error.js';
export type * from '../wire/answers.js';
export type * from '../wire/filter.js';
export type { SearchTerms } from '../wire/search-terms.js';
export type * from './requests.js';

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_RETRIES = 2;

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly options: CallOptions;
  readonly accept?: string;
  readonly type?: string;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

type ReadAnswer<Answer> = (response: Response) => Promise<Answer>;

export class ShortlistClient {
  private readonly baseUrl: string;
  private readonly options: {
    readonly timeoutMs: number;
    readonly retries: number;
    readonly gzipFrom: number;
    readonly headers: Readonly<Record<string, string>>;
  };
  private readonly fetch: typeof globalThis.fetch;

  /** @param baseUrl of the server, such as `http://127.0.0.1:8080`; a path in it is kept */
  constructor(baseUrl: string | URL, options: ClientOptions = {}) {
    this.baseUrl = new URL(baseUrl).href.replace(/\/+$/, '');
    this.options = {
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      retries: options.retries ?? DEFAULT_RETRIES,
      gzipFrom: options.gzipFrom ?? Infinity,
      headers: options.headers ?? {},
    };
    this.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /**
   * The k best candidates for one vector, item or set of seeds, best first.
   * @throws ShortlistClientError `dimension_mismatch`, `bad_filter`, `unknown_index`, `unknown_id`, `overloaded`,
   * `timeout`, ...
   */
  search(index: string, request: SearchRequest, options: SearchCallOptions = {}): Promise<SearchAnswer> {
    return this.post(index, request, options, JSON_TYPE, readJson<SearchAnswer>);
  }

  /** One result per vector or id, in order: an answer, or the `error` of a query that failed alone. */
  searchBatch(index: string, request: BatchRequest, options: SearchCallOptions = {}): Promise<BatchAnswer> {
    return this.post(index, request, options, JSON_TYPE, readJson<BatchAnswer>);
  }

  /**
   * The answer as an Arrow IPC stream, for `tableFromIPC` of apache-arrow: columns `query`, `id` in its Arrow type,
   * `score` and the included data. The schema's metadata has `quality` as JSON.
   */
  searchArrow(
    index: string,
    request: SearchRequest | BatchRequest,
    options: SearchCallOptions = {},
  ): Promise<Uint8Array> {
    return this.post(index, request, options, ARROW_TYPE, readBytes);
  }

  /** All indexes of the server. */
  async indexes(options: CallOptions = {}): Promise<IndexDescription[]> {
    const { indexes } = await this.get<{ indexes: IndexDescription[] }>('/v1/indexes', options);
    return indexes;
  }

  /** One index and its current version. @throws ShortlistClientError `unknown_index` */
  index(
    index: string,
    options: CallOptions & { readonly calibration?: boolean | undefined } = {},
  ): Promise<IndexDescription> {
    const query = options.calibration === true ? '?calibration=true' : '';
    return this.get<IndexDescription>(`/v1/indexes/${encodeURIComponent(index)}${query}`, options);
  }

  /** The attributes of an item, and its vector if requested. @throws ShortlistClientError `unknown_id` */
  item(index: string, id: string | number, request: ItemRequest = {}, options: CallOptions = {}): Promise<Item> {
    const parameters = new URLSearchParams();
    for (const name of request.attributes ?? []) parameters.append('include.attributes', name);
    if (request.vectors !== undefined) parameters.append('include.vectors', String(request.vectors));
    if (request.version !== undefined) parameters.append('version', request.version);
    const query = parameters.size > 0 ? `?${parameters.toString()}` : '';
    const path = `/v1/indexes/${encodeURIComponent(index)}/items/${encodeURIComponent(String(id))}${query}`;
    return this.get<Item>(path, options);
  }

  /** Succeeds while the event loop of the server responds. */
  live(options: CallOptions = {}): Promise<ServerStatus> {
    return this.get<ServerStatus>('/livez', options);
  }

  /** The indexes served. There is no retry if the server is not ready. @throws ShortlistClientError `not_ready` */
  ready(options: CallOptions = {}): Promise<ServerStatus> {
    return this.call({ method: 'GET', path: '/readyz', options }, readJson<ServerStatus>, 0);
  }

  /** Prometheus text. */
  metrics(options: CallOptions = {}): Promise<string> {
    return this.call({ method: 'GET', path: '/metrics', options, accept: '*/*' }, (response) => response.text());
  }

  /** The HTTP interface as an OpenAPI document. */
  openapi(options: CallOptions = {}): Promise<Record<string, unknown>> {
    return this.get<Record<string, unknown>>('/openapi.json', options);
  }

  private get<Answer>(path: string, options: CallOptions): Promise<Answer> {
    return this.call({ method: 'GET', path, options }, readJson<Answer>);
  }

  private async post<Answer>(
    index: string,
    request: SearchRequest | BatchRequest,
    options: SearchCallOptions,
    accept: string,
    read: ReadAnswer<Answer>,
  ): Promise<Answer> {
    const { query, type, body } = encodeSearch(request, options.form ?? 'json');
    const path = `/v1/indexes/${encodeURIComponent(index)}/search${query}`;
    return this.call({ method: 'POST', path, options, accept, type, body }, read);
  }

  /** Sends the request, and retries while the failure is temporary and the time limit allows. */
  private async call<Answer>(
    call: Call,
    read: ReadAnswer<Answer>,
    retries: number = this.options.retries,
  ): Promise<Answer> {
    const timeoutMs = call.options.timeoutMs ?? this.options.timeoutMs;
    const deadline = Date.now() + timeoutMs;
    const signal = callSignal(timeoutMs, call.options.signal);
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.send(call, read, signal);
      } catch (error) {
        const failure = describeFailure(error, call, timeoutMs);
        if (!isRetryable(failure) || attempt >= retries) throw failure;
        const delayMs = retryDelayMs(failure, attempt);
        if (Date.now() + delayMs >= deadline) throw failure;
        try {
          await sleep(delayMs, signal);
        } catch (ended) {
          throw describeFailure(ended, call, timeoutMs);
        }
      }
    }
  }

  private async send<Answer>(call: Call, read: ReadAnswer<Answer>, signal: AbortSignal): Promise<Answer> {
    const { method, path, body, type, accept = JSON_TYPE } = call;
    const isGzipped = body !== undefined && body.length >= this.options.gzipFrom;
    const headers = {
      ...this.options.headers,
      accept,
      ...(type === undefined ? {} : { 'content-type': type }),
      ...(isGzipped ? { 'content-encoding': 'gzip' } : {}),
    };
    const sent = body === undefined ? {} : { body: isGzipped ? await gzip(body) : body };
    const response = await this.fetch(this.baseUrl + path, { method, headers, signal, ...sent });
    if (!response.ok) throw await problemError(response);
    try {
      return await read(response);
    } catch (error) {
      if (signal.aborted) throw error;
      throw new ShortlistClientError('bad_answer', 'the body of the answer cannot be read', {
        status: response.status,
        cause: error,
      });
    }
  }
}

async function readJson<Answer>(response: Response): Promise<Answer> {
  return (await response.json()) as Answer;
}

async function readBytes(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}

/** In one piece, so that the request has a length and can be sent again. */
async function gzip(body: string | Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([body]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** The error that `fetch` threw as a ShortlistClientError; the caller's own abort unchanged. */
function describeFailure(error: unknown, { method, path, options }: Call, timeoutMs: number): unknown {
  if (error instanceof ShortlistClientError) return error;
  if (options.signal?.aborted === true) return options.signal.reason;
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new ShortlistClientError('timeout', `${method} ${path} took longer than ${timeoutMs} ms`, { cause: error });
  }
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ShortlistClientError('network', `${method} ${path} failed: ${why}`, { cause: error });
}
