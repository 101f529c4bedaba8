/**
 * Detects damage to the files of served versions.
 *
 * There are four triggers: a worker was ended by a signal that bad mappings cause; the stamps of a served file changed;
 * the scrub found a checksum mismatch; a new worker is about to map files. Each makes the version untrusted: no worker
 * maps it until all of it is verified again. If it is intact, workers load it again. If it was damaged in place, no
 * worker serves it any more. If its files are missing or replaced, workers that have the old files mapped keep serving
 * it, and others do without.
 *
 * Versions are verified one after the other, those with changed files first.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { deserializeError, serializeError, type ShortlistError } from '../../base/errors.js';
import { isShortage } from '../../version/disk/files.js';
import type { Logger } from '../channel/logger.js';
import { versionKey } from '../channel/names.js';
import type { PrimaryMetrics } from './primary-metrics.js';
import { Scrub, type ServedVersion } from './scrub.js';
import type { VerifiedVersions } from './verified-versions.js';

/** How often stamps are checked: one system call per file. */
const CHECK_MS = 1_000;

/** How often a starting worker checks whether it may continue, and its longest wait if no other worker is listening. */
const WAIT_STEP_MS = 50;
const MAX_WAIT_ALONE_MS = 1_000;

/** Delay before a version is read again that could not be read for lack of descriptors or memory. */
const SHORTAGE_RETRY_MS = 1_000;

/**
 * The kernel sends SIGBUS for a mapped page that its file no longer has; the others come from code that reads damaged
 * numbers. SIGKILL and SIGTERM come from users and from memory shortage.
 */
const DAMAGE_SIGNALS = new Set(['SIGBUS', 'SIGSEGV', 'SIGILL', 'SIGFPE', 'SIGABRT', 'SIGTRAP', 'SIGSYS']);

/** The owner of the versions: Rollout. */
interface VersionOwner {
  /** Versions that answer now. */
  served(): readonly ServedVersion[];
  /** Published versions that failed and do not answer. */
  failed(): readonly ServedVersion[];
  /** False during the retry delay of a failed version. */
  mayRetry(served: ServedVersion): boolean;
  /** Something has changed about a failed version. */
  retry(served: ServedVersion): void;
  /** The files that workers have mapped are damaged. */
  withdraw(served: ServedVersion, error: ShortlistError): void;
  /** The files are missing or replaced; workers still have the verified ones mapped. */
  noteLostFiles(served: ServedVersion, error: ShortlistError): void;
}

interface Tools {
  readonly root: string;
  readonly shards: readonly number[];
  readonly scrubRate: number;
  readonly verified: VerifiedVersions;
  readonly metrics: PrimaryMetrics;
  readonly log: Logger;
}

export class DamageWatch {
  private readonly scrub: Scrub;
  private readonly unverified = new Map<string, ServedVersion>();
  private isVerifying = false;
  private stopped = false;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly tools: Tools,
    private readonly owner: VersionOwner,
    /** Number of workers that accept connections. */
    private readonly listening: () => number,
  ) {
    const { root, shards, scrubRate, verified, metrics } = tools;
    this.scrub = new Scrub(root, shards, scrubRate, {
      served: () => owner.served().filter(({ index, version }) => verified.isTrusted(index, version)),
      read: (bytes) => metrics.scrubbed(bytes),
      finished: (index) => metrics.scrubFinished(index),
      damaged: (served, problem) => this.handleScrubbed(served, problem),
    });
  }

  start(): void {
    this.scrub.start();
    const checkRepeatedly = async () => {
      await this.check();
      if (!this.stopped) this.timer = setTimeout(() => void checkRepeatedly(), CHECK_MS);
    };
    this.timer = setTimeout(() => void checkRepeatedly(), CHECK_MS);
  }

  stop(): void {
    this.stopped = true;
    this.scrub.stop();
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** A worker was ended by a signal. If that indicates damage, everything it had mapped is untrusted now. */
  handleSignal(worker: number | undefined, signal: string): void {
    const served = this.owner.served();
    if (!DAMAGE_SIGNALS.has(signal) || served.length === 0 || this.stopped) return;
    this.tools.log.error(
      { worker, signal, versions: served.map(({ index, version }) => `${index}@${version}`) },
      'a worker was ended by a signal that damaged files can cause; verifying all served versions again',
    );
    for (const version of served) this.distrust(version);
    void this.verifyAll();
  }

  /**
   * Resolves when a new worker may map the served versions: their stamps are unchanged and all are trusted. While no
   * other worker accepts connections, it waits only briefly; the new worker then starts without the untrusted versions.
   */
  async waitUntilVerified(): Promise<void> {
    if (this.owner.served().length > 0) await this.checkServed();
    const since = performance.now();
    const mayWait = () => this.listening() > 0 || performance.now() - since < MAX_WAIT_ALONE_MS;
    while (!this.stopped && this.unverified.size > 0 && mayWait()) await sleep(WAIT_STEP_MS);
  }

  private async check(): Promise<void> {
    await this.checkServed();
    const { verified } = this.tools;
    for (const served of this.owner.failed()) {
      if (await verified.hasChangedSinceAttempt(served.index, served.version)) this.owner.retry(served);
    }
  }

  private async checkServed(): Promise<void> {
    const { verified, log } = this.tools;
    for (const served of this.owner.served()) {
      const { index, version } = served;
      const key = versionKey(index, version);
      if (this.unverified.has(key)) continue;
      if (verified.isTrusted(index, version)) {
        const files = await verified.findChanged(index, version);
        if (files.length === 0 || !verified.isTrusted(index, version)) continue;
        log.warn({ index, version, files }, 'files of a served version have changed; verifying it again');
      } else if (!this.owner.mayRetry(served) && !(await verified.hasChangedSinceAttempt(index, version))) continue;
      this.distrust(served);
    }
    void this.verifyAll();
  }

  private handleScrubbed(served: ServedVersion, problem: ShortlistError): void {
    this.tools.metrics.scrubFailed(served.index);
    const { code, message, details } = problem;
    this.tools.log.error(
      { ...details, ...served, code, error: message },
      'a served version does not match its checksums',
    );
    this.distrust(served);
    void this.verifyAll();
  }

  private distrust(served: ServedVersion): void {
    this.tools.verified.distrust(served.index, served.version);
    this.unverified.set(versionKey(served.index, served.version), served);
  }

  private async verifyAll(): Promise<void> {
    if (this.isVerifying) return;
    this.isVerifying = true;
    try {
      for (let next = await this.pickNext(); next !== null && !this.stopped; next = await this.pickNext()) {
        if (await this.verify(next)) this.unverified.delete(versionKey(next.index, next.version));
        else await sleep(SHORTAGE_RETRY_MS, undefined, { ref: false });
      }
    } finally {
      this.isVerifying = false;
    }
  }

  private async pickNext(): Promise<ServedVersion | null> {
    const waiting = [...this.unverified.values()];
    for (const served of waiting) {
      if (!(await this.tools.verified.isUnchanged(served.index, served.version))) return served;
    }
    return waiting[0] ?? null;
  }

  /** @returns false if the system could not read the files, so that the result is unknown */
  private async verify(served: ServedVersion): Promise<boolean> {
    const { index, version } = served;
    const { verified, log } = this.tools;
    const started = performance.now();
    try {
      await verified.verify(index, version);
      log.info({ index, version, ms: Math.round(performance.now() - started) }, 'version verified again');
      this.owner.retry(served);
    } catch (error) {
      if (this.stopped) return true;
      if (isShortage(error)) {
        const { message } = error as Error;
        log.warn(
          { index, version, retry_in_ms: SHORTAGE_RETRY_MS, error: message },
          'an untrusted version cannot be read now; trying again',
        );
        return false;
      }
      const problem = deserializeError(serializeError(error));
      if (await verified.isSameFile(index, version, problem)) this.owner.withdraw(served, problem);
      else this.owner.noteLostFiles(served, problem);
    }
    return true;
  }
}
