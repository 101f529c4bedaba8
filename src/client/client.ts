/**
 * The typed HTTP client. It needs nothing but `fetch`, so it runs in Node, Deno, Bun and browsers.
 *
 *     const client = new ShortlistClient('http://127.0.0.1:8080');
 *     const { candidates } = await client.search('listings', { vector, k: 100 });
 *
 * Vectors travel as base64 of float32, which costs the server a third of what a list of JSON numbers does. Names of fields
 * are those of the HTTP interface. Every failure is a ShortlistClientError with a code, but for an aborted signal, whose
 * own reason is thrown.
 */
import { encodeVector, encodeVectors } from './base64.js';
import { ShortlistClientError, problemError } from './client-error.js';
import { callSignal, isRetryable, retryDelayMs, sleep } from './retry.js';
import type {
  BatchAnswer,
  BatchRequest,
  CallOptions,
  ClientOptions,
  IndexDescription,
  Item,
  ItemRequest,
  SearchAnswer,
  SearchRequest,
} from './types.js';

export { ShortlistClientError, type ClientErrorCode } from './client-error.js';
export type * from './types.js';

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_RETRIES = 2;

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
  readonly options: CallOptions;
}

export class ShortlistClient {
  private readonly baseUrl: string;
  private readonly options: {
    readonly timeoutMs: number;
    readonly retries: number;
    readonly headers: Readonly<Record<string, string>>;
  };
  private readonly fetch: typeof globalThis.fetch;

  /** @param baseUrl where the server is, `http://127.0.0.1:8080`; a path in it is kept */
  constructor(baseUrl: string | URL, options: ClientOptions = {}) {
    this.baseUrl = new URL(baseUrl).href.replace(/\/+$/, '');
    this.options = {
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      retries: options.retries ?? DEFAULT_RETRIES,
      headers: options.headers ?? {},
    };
    this.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /**
   * The k best candidates for one vector or item, best first.
   * @throws ShortlistClientError `dimension_mismatch`, `unknown_index`, `unknown_id`, `overloaded`, `timeout`, ...
   */
  async search(index: string, request: SearchRequest, options: CallOptions = {}): Promise<SearchAnswer> {
    const { vector, ...rest } = request;
    const body = JSON.stringify(vector === undefined ? rest : { ...rest, vector_b64: encodeVector(vector) });
    return this.call<SearchAnswer>({ method: 'POST', path: searchPath(index), body, options });
  }

  /** One result for each vector or id, in order. A result is an answer, or for an unknown id an `error`. */
  async searchBatch(index: string, request: BatchRequest, options: CallOptions = {}): Promise<BatchAnswer> {
    const { vectors, ...rest } = request;
    const body = JSON.stringify(vectors === undefined ? rest : { ...rest, vectors_b64: encodeVectors(vectors) });
    return this.call<BatchAnswer>({ method: 'POST', path: searchPath(index), body, options });
  }

  /** Every index that the server serves. */
  async indexes(options: CallOptions = {}): Promise<IndexDescription[]> {
    const { indexes } = await this.call<{ indexes: IndexDescription[] }>({
      method: 'GET',
      path: '/v1/indexes',
      options,
    });
    return indexes;
  }

  /** One index and its current version. @throws ShortlistClientError `unknown_index` */
  index(index: string, options: CallOptions = {}): Promise<IndexDescription> {
    return this.call<IndexDescription>({ method: 'GET', path: `/v1/indexes/${encodeURIComponent(index)}`, options });
  }

  /** An item's attributes, and its vector where asked for. @throws ShortlistClientError `unknown_id` */
  item(index: string, id: string | number, request: ItemRequest = {}, options: CallOptions = {}): Promise<Item> {
    const parameters = new URLSearchParams();
    for (const name of request.attributes ?? []) parameters.append('include.attributes', name);
    if (request.vectors !== undefined) parameters.append('include.vectors', String(request.vectors));
    if (request.version !== undefined) parameters.append('version', request.version);
    const query = parameters.size > 0 ? `?${parameters.toString()}` : '';
    const path = `/v1/indexes/${encodeURIComponent(index)}/items/${encodeURIComponent(String(id))}${query}`;
    return this.call<Item>({ method: 'GET', path, options });
  }

  /** Sends, and sends again while the server says that it will pass and the time allows. */
  private async call<Answer>(call: Call): Promise<Answer> {
    const timeoutMs = call.options.timeoutMs ?? this.options.timeoutMs;
    const deadline = Date.now() + timeoutMs;
    const signal = callSignal(timeoutMs, call.options.signal);
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.send<Answer>(call, signal);
      } catch (error) {
        const failure = describeFailure(error, call, timeoutMs);
        if (!isRetryable(failure) || attempt >= this.options.retries) throw failure;
        const delayMs = retryDelayMs(failure, attempt);
        if (Date.now() + delayMs >= deadline) throw failure;
        await sleep(delayMs, signal);
      }
    }
  }

  private async send<Answer>({ method, path, body }: Call, signal: AbortSignal): Promise<Answer> {
    const headers = {
      ...this.options.headers,
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const response = await this.fetch(this.baseUrl + path, {
      method,
      headers,
      signal,
      ...(body === undefined ? {} : { body }),
    });
    if (!response.ok) throw await problemError(response);
    try {
      return (await response.json()) as Answer;
    } catch (error) {
      if (signal.aborted) throw error;
      throw new ShortlistClientError('bad_answer', 'the answer is not JSON', { status: response.status, cause: error });
    }
  }
}

function searchPath(index: string): string {
  return `/v1/indexes/${encodeURIComponent(index)}/search`;
}

/** What `fetch` threw, as our error; the caller's own abort as it is. */
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
