/**
 * One server that holds shards: its connections, what it says of itself, and how it has answered lately. A server that
 * fails or is slow several times in a row is ejected: for a while it gets requests only if no other can.
 */
import { ShortlistError, ERRORS, type ErrorCode } from '../../base/errors.js';
import type { LeafState } from '../fleet/state.js';
import type { HttpAnswer, HttpRequest, Sending } from './connection-pool.js';

/** What sends requests: a ConnectionPool. */
interface Sender {
  send(request: HttpRequest): Sending<HttpAnswer>;
  close(): void;
}

/** Failures in a row, or lost hedges, before a server is ejected. */
const EJECT_AFTER = 3;
const FIRST_EJECTION_MS = 1_000;
const MAX_EJECTION_MS = 30_000;

export class Replica {
  /** Requests in flight. */
  inFlight = 0;
  /** It answered when it was asked last. */
  isReachable = false;
  private said: LeafState | null = null;
  /** By index and version: the shards as a key. */
  private readonly keys = new Map<string, string>();
  private badInRow = 0;
  private ejections = 0;
  private ejectedUntil = 0;

  constructor(
    readonly address: string,
    private readonly sender: Sender,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get isEjected(): boolean {
    return this.now() < this.ejectedUntil;
  }

  /** What it said last; null before it has answered. */
  get state(): LeafState | null {
    return this.said;
  }

  setState(state: LeafState): void {
    this.said = state;
    this.keys.clear();
    for (const { index, versions } of state.indexes)
      for (const { version, shards } of versions) this.keys.set(`${index}/${version}`, shards.join());
  }

  /** The shards that it can search of a version, as `0,1,2`; null if it does not have the version. */
  keyOf(index: string, version: string): string | null {
    return this.keys.get(`${index}/${version}`) ?? null;
  }

  /**
   * The answer is rejected with a ReplicaFailure if the server does not answer or says that it cannot, and with a
   * ShortlistError if the request is at fault.
   */
  send(request: HttpRequest): Sending<Buffer> {
    this.inFlight++;
    const sending = this.sender.send(request);
    return { answer: this.read(sending.answer), abort: (reason) => sending.abort(reason) };
  }

  private async read(answer: Promise<HttpAnswer>): Promise<Buffer> {
    try {
      const { status, body } = await answer;
      if (status === 200) return body;
      throw problemOf(this.address, status, body);
    } catch (error) {
      if (error instanceof ShortlistError || error instanceof ReplicaFailure) throw error;
      throw new ReplicaFailure(`${this.address} cannot be reached: ${(error as Error).message}`, null, true);
    } finally {
      this.inFlight--;
    }
  }

  noteSuccess(): void {
    this.badInRow = 0;
    this.ejections = 0;
  }

  /** It did not answer. Each ejection is twice as long as the one before, until it answers. */
  noteFailure(): void {
    if (++this.badInRow < EJECT_AFTER) return;
    this.eject(Math.min(MAX_EJECTION_MS, FIRST_EJECTION_MS * 2 ** this.ejections));
    this.ejections++;
  }

  /** Another server was faster although it was asked later. A server that has just started is slow for a moment. */
  noteSlow(): void {
    if (++this.badInRow >= EJECT_AFTER) this.eject(FIRST_EJECTION_MS);
  }

  private eject(ms: number): void {
    this.badInRow = 0;
    this.ejectedUntil = this.now() + ms;
  }

  close(): void {
    this.sender.close();
  }
}

/** A server did not answer, or cannot answer now: another one may. */
export class ReplicaFailure extends Error {
  constructor(
    message: string,
    /** What the server said; null if it said nothing. */
    readonly code: ErrorCode | null,
    /** To ask another server makes no more work than this one would have had, and this one has nothing to do. */
    readonly isIdle: boolean,
  ) {
    super(message);
  }
}

/** Codes of a server that cannot answer what another one may. */
const ELSEWHERE: ReadonlySet<ErrorCode> = new Set([
  'overloaded',
  'not_ready',
  'index_damaged',
  'version_not_loaded',
  'unknown_index',
  'internal',
  'unknown_route',
]);

/** Of those, codes of servers that have worked on the request, or have more to do than they can. */
const COSTLY: ReadonlySet<ErrorCode> = new Set(['overloaded', 'internal']);

function problemOf(address: string, status: number, body: Buffer): Error {
  const problem = parseProblem(body);
  if (problem === null) return new ReplicaFailure(`${address} answered with status ${status}`, null, false);
  const { code, detail, ...members } = problem;
  if (ELSEWHERE.has(code)) return new ReplicaFailure(`${address}: ${detail}`, code, !COSTLY.has(code));
  const details = Object.fromEntries(Object.entries(members).filter(([name]) => !STANDARD_MEMBERS.has(name)));
  return new ShortlistError(code, detail, details);
}

/** Of a problem, besides what is its code's own. */
const STANDARD_MEMBERS: ReadonlySet<string> = new Set(['type', 'title', 'status', 'request_id']);

interface Problem {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly [member: string]: unknown;
}

function parseProblem(body: Buffer): Problem | null {
  try {
    const problem = JSON.parse(body.toString()) as Partial<Problem> | null;
    return problem !== null && typeof problem.detail === 'string' && Object.hasOwn(ERRORS, problem.code ?? '')
      ? (problem as Problem)
      : null;
  } catch {
    return null;
  }
}
