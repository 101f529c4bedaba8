/**
 * HTTP connections to one server, kept open. Takes a path and bytes; gives the status and the bytes of the answer. Uses
 * undici's dispatch: its `request` and Node's `fetch` build streams and headers that no message here needs.
 */
import { Pool, type Dispatcher } from 'undici';
import { MAX_ANSWER_BYTES } from '../../base/limits.js';

/** Connections to one server: more than its workers and their queues answer at a time. */
const MAX_CONNECTIONS = 128;

const CONNECT_TIMEOUT_MS = 1_000;

/** Ids, scores and framing take more room here than in the answer to a client. */
const MAX_BYTES = 2 * MAX_ANSWER_BYTES;

export interface HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/** A request on its way. Not an AbortSignal, which would cost a tenth of the request. */
export interface Sending<T> {
  readonly answer: Promise<T>;
  /** Ends the request; the answer is rejected with the reason. */
  abort(reason: Error): void;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

export class ConnectionPool {
  private readonly pool: Pool;

  /** @param origin `http://host:port` */
  constructor(origin: string) {
    this.pool = new Pool(origin, {
      connections: MAX_CONNECTIONS,
      pipelining: 1,
      connect: { timeout: CONNECT_TIMEOUT_MS, noDelay: true },
      headersTimeout: 0, // each request has a limit of its own
      bodyTimeout: 0,
    });
  }

  send(request: HttpRequest): Sending<HttpAnswer> {
    const collector = new AnswerCollector();
    this.pool.dispatch({ ...request, headers: { ...request.headers } }, collector);
    return collector;
  }

  /** Requests in flight end with an error. */
  close(): void {
    void this.pool.destroy().catch(() => undefined);
  }
}

class AnswerCollector implements Dispatcher.DispatchHandler, Sending<HttpAnswer> {
  readonly answer: Promise<HttpAnswer>;
  private status = 0;
  private bytes = 0;
  private readonly pieces: Buffer[] = [];
  private controller: Dispatcher.DispatchController | null = null;
  private aborted: Error | null = null;
  private resolve!: (answer: HttpAnswer) => void;
  private reject!: (error: unknown) => void;

  constructor() {
    this.answer = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  abort(reason: Error): void {
    this.aborted = reason;
    this.controller?.abort(reason);
    this.reject(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.aborted !== null) controller.abort(this.aborted);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.status = status;
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Buffer): void {
    this.bytes += piece.length;
    this.pieces.push(piece);
    if (this.bytes > MAX_BYTES) controller.abort(new Error(`an answer has more than ${MAX_BYTES} bytes`));
  }

  onResponseEnd(): void {
    const [only] = this.pieces;
    const body = this.pieces.length === 1 ? only! : Buffer.concat(this.pieces, this.bytes);
    this.resolve({ status: this.status, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.reject(error);
  }
}
