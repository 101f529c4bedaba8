/**
 * Damage to what is served, noticed while it is served.
 *
 * Four signs: a worker was ended by a signal that a bad mapping brings about; the stamps of a served file have
 * changed; the scrub has read something else than was sealed; a new worker is about to map. Each leads to the same:
 * the version is in doubt, no worker maps it, and all of it is read again. It is sound: workers that start get it. It
 * is damaged in place: no worker serves it any more. It is gone, or another file lies in its place: workers that have
 * the old one keep it, others go without.
 *
 * Versions are read one after the other, those first of which files have changed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { deserializeError, serializeError, type ShortlistError } from '../../base/errors.js';
import { isShortage } from '../../version/disk/files.js';
import type { Logger } from '../channel/logger.js';
import { versionKey } from '../channel/names.js';
import type { PrimaryMetrics } from './primary-metrics.js';
import { Scrub, type ServedVersion } from './scrub.js';
import type { VerifiedVersions } from './verified-versions.js';

/** How often stamps are looked at: a call to the system for each file. */
const CHECK_MS = 1_000;

/**
 * How often a worker that waits to start asks whether it may, and how long it waits where no other one takes
 * connections.
 */
const WAIT_STEP_MS = 50;
const MAX_WAIT_ALONE_MS = 1_000;

/** How long a version waits that cannot be read for want of descriptors or memory. */
const SHORTAGE_RETRY_MS = 1_000;

/**
 * What the system sends for a mapped page that its file no longer has (SIGBUS), and what code does that reads numbers
 * that nobody checked. SIGKILL and SIGTERM come from people and from the system's want of memory, and say nothing of
 * files.
 */
const DAMAGE_SIGNALS = new Set(['SIGBUS', 'SIGSEGV', 'SIGILL', 'SIGFPE', 'SIGABRT', 'SIGTRAP', 'SIGSYS']);

/** What the watch asks of the owner of the versions, and tells it. */
interface DamageEvents {
  /** What answers now. */
  readonly served: () => readonly ServedVersion[];
  /** Published versions that do not answer, since something was wrong with them. */
  readonly failed: () => readonly ServedVersion[];
  /** False while a version that failed is left alone for a while. */
  readonly mayRetry: (served: ServedVersion) => boolean;
  /** Something has changed about a version that failed. */
  readonly retry: (served: ServedVersion) => void;
  /** Damaged where workers have mapped it. */
  readonly damagedInPlace: (served: ServedVersion, error: ShortlistError) => void;
  /** Cannot be read as it was; what workers have mapped is what was read. */
  readonly filesLost: (served: ServedVersion, error: ShortlistError) => void;
  /** Workers that take connections now. */
  readonly listening: () => number;
}

interface Tools {
  readonly root: string;
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
    private readonly events: DamageEvents,
  ) {
    const { root, scrubRate, verified, metrics } = tools;
    this.scrub = new Scrub(root, scrubRate, {
      served: () => events.served().filter(({ index, version }) => verified.isTrusted(index, version)),
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

  /**
   * A worker was ended by a signal. What it had mapped is in doubt from this moment on, if the signal speaks of
   * damage.
   */
  handleSignal(worker: number | undefined, signal: string): void {
    const served = this.events.served();
    if (!DAMAGE_SIGNALS.has(signal) || served.length === 0 || this.stopped) return;
    this.tools.log.error(
      { worker, signal, versions: served.map(({ index, version }) => `${index}@${version}`) },
      'a worker was ended by a signal that damaged files bring about; what it had mapped is verified again',
    );
    for (const one of served) this.distrust(one);
    void this.verifyAll();
  }

  /**
   * Until a new worker may map what is served: stamps are as they were, and nothing is in doubt. While no other
   * worker takes connections it waits for small versions alone, and goes without what is in doubt still.
   */
  async waitUntilVerified(): Promise<void> {
    if (this.events.served().length > 0) await this.checkServed();
    const since = performance.now();
    const mayWait = () => this.events.listening() > 0 || performance.now() - since < MAX_WAIT_ALONE_MS;
    while (!this.stopped && this.unverified.size > 0 && mayWait()) await sleep(WAIT_STEP_MS);
  }

  private async check(): Promise<void> {
    await this.checkServed();
    const { verified } = this.tools;
    for (const served of this.events.failed()) {
      if (await verified.hasChangedSinceAttempt(served.index, served.version)) this.events.retry(served);
    }
  }

  private async checkServed(): Promise<void> {
    const { verified, log } = this.tools;
    for (const served of this.events.served()) {
      const { index, version } = served;
      const key = versionKey(index, version);
      if (this.unverified.has(key)) continue;
      if (verified.isTrusted(index, version)) {
        const files = await verified.findChanged(index, version);
        if (files.length === 0 || !verified.isTrusted(index, version)) continue;
        log.warn({ index, version, files }, 'files of a served version have changed; it is verified again');
      } else if (!this.events.mayRetry(served) && !(await verified.hasChangedSinceAttempt(index, version))) continue;
      this.distrust(served);
    }
    void this.verifyAll();
  }

  private handleScrubbed(served: ServedVersion, problem: ShortlistError): void {
    this.tools.metrics.scrubFailed(served.index);
    const { code, message, details } = problem;
    this.tools.log.error({ ...details, ...served, code, error: message }, 'a served version is not what was sealed');
    this.distrust(served);
    void this.verifyAll();
  }

  private distrust(served: ServedVersion): void {
    this.tools.verified.distrust(served.index, served.version);
    this.unverified.set(versionKey(served.index, served.version), served);
  }

  /** Reads what is in doubt. */
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

  /** @returns false where the system could not, so that nothing is known */
  private async verify(served: ServedVersion): Promise<boolean> {
    const { index, version } = served;
    const { verified, log } = this.tools;
    const started = performance.now();
    try {
      await verified.verify(index, version);
      log.info({ index, version, ms: Math.round(performance.now() - started) }, 'version verified again');
      this.events.retry(served);
    } catch (error) {
      if (this.stopped) return true;
      if (isShortage(error)) {
        const { message } = error as Error;
        log.warn(
          { index, version, retry_in_ms: SHORTAGE_RETRY_MS, error: message },
          'a version in doubt cannot be read now',
        );
        return false;
      }
      const problem = deserializeError(serializeError(error));
      if (await verified.isSameFile(index, version, problem)) this.events.damagedInPlace(served, problem);
      else this.events.filesLost(served, problem);
    }
    return true;
  }
}
