/** Versions that failed to load and names that could not be read, each with a growing retry delay. */
import { deserializeError, serializeError, ShortlistError } from '../../base/errors.js';
import { versionKey } from '../channel/names.js';
import type { ServedVersion } from './scrub.js';

/** A failed version is retried: memory, disk or network may have been the cause. */
const FIRST_RETRY_MS = 5_000;
const MAX_RETRY_MS = 300_000;

interface Failure {
  readonly index: string;
  /** Null if the failure is not that of a version. */
  readonly version: string | null;
  readonly error: ShortlistError;
  readonly retryAt: number;
  readonly delayMs: number;
}

export class LoadFailures {
  private readonly failures = new Map<string, Failure>();

  /** @param report logs and counts a failure: a new one, or one of a retry */
  constructor(private readonly report: (index: string, error: ShortlistError, retryInMs: number) => void) {}

  get errors(): ShortlistError[] {
    return [...this.failures.values()].map(({ error }) => error);
  }

  versions(): ServedVersion[] {
    return [...this.failures.values()].flatMap(({ index, version }) => (version === null ? [] : [{ index, version }]));
  }

  errorOf(index: string, version: string): ShortlistError | undefined {
    return this.failures.get(versionKey(index, version))?.error;
  }

  /** False during the retry delay of a failed version. */
  mayRetry(index: string, version: string): boolean {
    return (this.failures.get(versionKey(index, version))?.retryAt ?? 0) <= Date.now();
  }

  /** Ends the retry delay of a failed version. */
  retryNow(index: string, version: string): void {
    const key = versionKey(index, version);
    const failure = this.failures.get(key);
    if (failure !== undefined) this.failures.set(key, { ...failure, retryAt: 0 });
  }

  note(index: string, version: string, cause: unknown): void {
    this.add(versionKey(index, version), index, version, cause);
  }

  /** @param key that no version has */
  noteUnreadable(key: string, index: string, cause: unknown): void {
    this.add(key, index, null, cause);
  }

  delete(key: string): void {
    this.failures.delete(key);
  }

  keepOnly(isKept: (key: string) => boolean): void {
    for (const key of this.failures.keys()) if (!isKept(key)) this.failures.delete(key);
  }

  /** Ignored during the retry delay of the same failure. */
  private add(key: string, index: string, version: string | null, cause: unknown): void {
    const error = cause instanceof ShortlistError ? cause : deserializeError(serializeError(cause));
    const before = this.failures.get(key);
    if (before !== undefined && before.retryAt > Date.now()) return;
    const delayMs = Math.min(MAX_RETRY_MS, before === undefined ? FIRST_RETRY_MS : 2 * before.delayMs);
    this.failures.set(key, { index, version, error, delayMs, retryAt: Date.now() + delayMs });
    this.report(index, error, delayMs);
  }
}
