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

  /** @param signal aborting it ends the request and rejects with its reason */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const collector = new AnswerCollector(signal, resolve, reject);
      this.pool.dispatch({ ...request, headers: { ...request.headers } }, collector);
    });
  }

  /** Requests in flight end with an error. */
  close(): void {
    void this.pool.destroy().catch(() => undefined);
  }
}

class AnswerCollector implements Dispatcher.DispatchHandler {
  private status = 0;
  private bytes = 0;
  private readonly pieces: Buffer[] = [];
  private controller: Dispatcher.DispatchController | null = null;
  private readonly stop: () => void;

  constructor(
    private readonly signal: AbortSignal,
    private readonly resolve: (answer: HttpAnswer) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    this.stop = () => {
      this.controller?.abort(signal.reason as Error);
      reject(signal.reason);
    };
    signal.addEventListener('abort', this.stop);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.signal.aborted) controller.abort(this.signal.reason as Error);
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
    this.signal.removeEventListener('abort', this.stop);
    const [only] = this.pieces;
    const body = this.pieces.length === 1 ? only! : Buffer.concat(this.pieces, this.bytes);
    this.resolve({ status: this.status, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.signal.removeEventListener('abort', this.stop);
    this.reject(error);
  }
}
