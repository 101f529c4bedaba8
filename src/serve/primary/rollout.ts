/**
 * Brings published versions live.
 *
 * A new version goes live in steps. It must fit into memory. The primary reads and verifies every file. Every worker
 * loads and warms it while the old version answers. Then all workers are told to switch. If a step fails, the old
 * version continues to answer and the new one is retried later. If there is no old version, at the start or because its
 * files were damaged, the newest intact version that was published before answers.
 *
 * Only one `reconcile` runs at a time. A starting worker loads `state`, which changes in the same turn in which the
 * other workers are told to switch, so that no worker misses a switch or is ahead of one.
 */
import { ShortlistError } from '../../base/errors.js';
import { PREVIOUS_VERSION_MS } from '../../base/limits.js';
import { namedVersions, type IndexFault, type Names } from '../../retrieve/load/live.js';
import { readHistory } from '../../version/state/catalog.js';
import { nodeFiles } from '../../version/disk/files.js';
import { type Manifest } from '../../version/sealed/manifest.js';
import { findManifest, readManifest } from '../../version/sealed/manifest-file.js';
import { publishedStack } from '../../version/state/rollback-stack.js';
import type { Logger } from '../channel/logger.js';
import { LoadFailures } from './load-failures.js';
import { checkMemory } from './memory-budget.js';
import type { LiveState } from '../channel/messages.js';
import { NO_NAMES, sameNames, servableNames, versionKey, withoutVersions } from '../channel/names.js';
import type { ServeOptions } from '../channel/options.js';
import type { PrimaryMetrics } from './primary-metrics.js';
import type { ServedVersion } from './scrub.js';
import type { VerifiedVersions } from './verified-versions.js';
import { readFailures, wantedNames, type Observation } from './watcher.js';
import { WorkerGone, type WorkerPool } from './worker-pool.js';

/** A version that ends a worker at each load is broken, but a worker may also die for another reason. */
const MAX_DEATHS_WHILE_LOADING = 2;

/** Older versions that are tried if nothing answers: each may have to be read completely. */
const MAX_FALLBACKS = 3;

/** Workers that could not load a live version. They answer `not_ready` for it, or lack an alias. */
interface PartialLoad {
  readonly index: string;
  readonly version: string;
  readonly workers: Set<number>;
}

interface Tools {
  readonly options: ServeOptions;
  readonly pool: WorkerPool;
  readonly verified: VerifiedVersions;
  readonly metrics: PrimaryMetrics;
  readonly log: Logger;
}

export class Rollout {
  private readonly live = new Map<string, Names>();
  private readonly failures = new LoadFailures((...failure) => this.reportFailure(...failure));
  /** The version of each index that was current before the last switch; workers keep it until then. */
  private readonly previous = new Map<string, { readonly version: string; readonly until: number }>();
  private readonly partialLoads = new Map<string, PartialLoad>();
  /** Older versions of an index, while one of them answers instead of the current one or none can. */
  private readonly fallbacks = new Map<string, readonly string[]>();
  /** The version that each index is to switch to, and since when that is known. */
  private readonly noticed = new Map<string, { readonly version: string | null; readonly at: number }>();

  constructor(private readonly tools: Tools) {}

  get state(): LiveState {
    return Object.fromEntries(this.live);
  }

  /** What a starting worker must load: all trusted live versions. It gets the others once they are verified. */
  stateFor(worker: number): LiveState {
    const { verified } = this.tools;
    const state: Record<string, Names> = {};
    for (const [index, names] of this.live) {
      const untrusted = new Set([...namedVersions(names)].filter((version) => !verified.isTrusted(index, version)));
      for (const version of untrusted) this.partialLoadOf(index, version).workers.add(worker);
      const fault =
        names.current !== null && untrusted.has(names.current) ? unverifiedFault(names.current) : names.fault;
      state[index] = { ...withoutVersions(names, untrusted), fault };
    }
    this.dropUnavailable();
    return state;
  }

  /** All versions that workers answer from. */
  served(): ServedVersion[] {
    const named = [...this.live].flatMap(([index, names]) =>
      [...namedVersions(names)].map((version) => ({ index, version })),
    );
    const before = [...this.previous].flatMap(([index, { version, until }]) =>
      until > Date.now() && !namedVersions(this.live.get(index) ?? NO_NAMES).has(version) ? [{ index, version }] : [],
    );
    return [...named, ...before];
  }

  /** Versions that failed and do not answer. */
  failed(): ServedVersion[] {
    return this.failures
      .versions()
      .filter(({ index, version }) => !namedVersions(this.live.get(index) ?? NO_NAMES).has(version));
  }

  /** False during the retry delay of a failed version. */
  mayRetry({ index, version }: ServedVersion): boolean {
    return this.failures.mayRetry(index, version);
  }

  /** A failed version has changed: it is retried without delay. */
  retry({ index, version }: ServedVersion): void {
    this.failures.retryNow(index, version);
  }

  /** The files that workers have mapped are damaged: no worker answers from the version any more. */
  withdraw({ index, version }: ServedVersion, error: ShortlistError): void {
    const before = this.live.get(index) ?? NO_NAMES;
    this.failures.note(index, version, error);
    this.partialLoads.delete(versionKey(index, version));
    if (this.previous.get(index)?.version === version) this.previous.delete(index);
    const fault = before.current === version ? { version, code: error.code } : before.fault;
    const names = { ...withoutVersions(before, new Set([version])), fault };
    this.live.set(index, names);
    // Unloaded before the names change, so that workers do not keep it as the previous version.
    this.tools.pool.broadcast({ type: 'condemn', index, version });
    this.tools.pool.broadcast({ type: 'apply', index, names });
  }

  /** The files of a live version are missing or replaced: workers that have it answer, and no other loads it. */
  noteLostFiles({ index, version }: ServedVersion, error: ShortlistError): void {
    this.failures.note(index, version, error);
  }

  liveManifest(index: string): Manifest | null {
    const current = this.live.get(index)?.current ?? null;
    return current === null ? null : this.tools.verified.manifestOf(index, current);
  }

  /** When the content of the version that answers was first published, in seconds since 1970. */
  liveContentSince(index: string): number | null {
    const current = this.live.get(index)?.current ?? null;
    return current === null ? null : this.tools.verified.contentSince(index, current);
  }

  /** Current failures, for a start that has nothing to serve. */
  get standingFailures(): ShortlistError[] {
    return this.failures.errors;
  }

  /**
   * Brings everything published live, one index after the other. Never throws.
   * @param latest returns the newest observations, which may change while a version loads
   */
  async reconcile(latest: () => ReadonlyMap<string, Observation>): Promise<void> {
    for (const [index, observation] of latest()) {
      for (const [key, error] of readFailures(index, observation)) this.failures.noteUnreadable(key, index, error);
      if (observation.names !== null) await this.reconcileIndex(index, observation, () => latest().get(index));
      else this.setFault(index, { version: null, code: observation.error?.code ?? 'internal' });
    }
    await this.repair();
    this.forgetUnwanted(latest());
  }

  /** A worker could not load a live version. */
  handleUnloaded(worker: number, index: string, version: string, error: ShortlistError): void {
    if (!namedVersions(this.live.get(index) ?? NO_NAMES).has(version)) return;
    this.partialLoadOf(index, version).workers.add(worker);
    this.dropUnavailable();
    this.failures.note(index, version, error);
  }

  private partialLoadOf(index: string, version: string): PartialLoad {
    const key = versionKey(index, version);
    const lack = this.partialLoads.get(key) ?? { index, version, workers: new Set() };
    this.partialLoads.set(key, lack);
    return lack;
  }

  handleGone(worker: number): void {
    for (const { workers } of this.partialLoads.values()) workers.delete(worker);
    this.dropUnavailable();
  }

  /** A version that no worker has is not live. If it is still published, it comes back like a new version. */
  private dropUnavailable(): void {
    const workers = this.tools.pool.ids();
    for (const [key, lack] of this.partialLoads) {
      if (workers.length === 0 || !workers.every((id) => lack.workers.has(id))) continue;
      this.partialLoads.delete(key);
      this.live.set(lack.index, withoutVersions(this.live.get(lack.index) ?? NO_NAMES, new Set([lack.version])));
    }
  }

  /** Lets workers that lack a live version try again, with the usual retry delays. */
  private async repair(): Promise<void> {
    const { pool, verified } = this.tools;
    for (const [key, { index, version, workers }] of this.partialLoads) {
      // An untrusted version is being verified, or failed: the damage watch tries it again.
      if (!this.mayRetry({ index, version }) || !verified.isTrusted(index, version)) continue;
      for (const id of workers) {
        try {
          await pool.prepare(id, index, version);
          workers.delete(id);
          pool.sendTo(id, { type: 'apply', index, names: this.live.get(index) ?? NO_NAMES });
        } catch (error) {
          if (!(error instanceof WorkerGone)) this.failures.note(index, version, error);
        }
      }
      if (workers.size > 0) continue;
      this.partialLoads.delete(key);
      this.failures.delete(key);
    }
  }

  private async reconcileIndex(
    index: string,
    observation: Observation,
    latest: () => Observation | undefined,
  ): Promise<void> {
    const before = this.live.get(index);
    const wanted = wantedNames(observation, before ?? NO_NAMES);
    if (before !== undefined && sameNames(before, wanted)) {
      this.noticed.delete(index);
      return;
    }
    if (this.noticed.get(index)?.version !== wanted.current) {
      this.noticed.set(index, { version: wanted.current, at: performance.now() });
    }
    const known = namedVersions(before ?? NO_NAMES);
    const added = [...namedVersions(wanted)].filter((version) => !known.has(version));
    const ready = new Set<string>();
    for (const version of added) if (await this.makeReady(index, version, ready)) ready.add(version);
    const now = latest();
    const outdated = now?.names != null && !sameNames(wantedNames(now, before ?? NO_NAMES), wanted);
    if (outdated) {
      // The next round brings the newest names.
      this.discard(index, ready);
      return;
    }
    this.switchTo(index, await this.withFallback(index, wanted, ready), ready);
  }

  /**
   * The wanted names. If their current version cannot be loaded and nothing else answers, the newest older version that
   * can be loaded takes its place and is added to `ready`.
   */
  private async withFallback(index: string, wanted: Names, ready: Set<string>): Promise<Names> {
    const { current } = wanted;
    const answers = this.live.get(index)?.current ?? null;
    const error = current === null ? undefined : this.failures.errorOf(index, current);
    if (current === null || answers === current || ready.has(current) || error === undefined) {
      this.fallbacks.delete(index);
      return wanted;
    }
    const names = { ...wanted, fault: { version: current, code: error.code } };
    if (answers !== null) return names;
    const { fallbacks } = this;
    if (!fallbacks.has(index)) fallbacks.set(index, await this.publishedBefore(index, current));
    for (const version of fallbacks.get(index)!) {
      if (!ready.has(version) && !(await this.makeReady(index, version, ready))) continue;
      ready.add(version);
      const { code, message } = error;
      this.tools.log.error(
        { index, version, published: current, code, error: message },
        'the published version cannot be served; an older version answers',
      );
      return { ...names, current: version };
    }
    return names;
  }

  /** Existing versions that a rollback could go to, newest first. */
  private async publishedBefore(index: string, current: string): Promise<string[]> {
    const { root } = this.tools.options;
    const moves = await readHistory(root, index).catch(() => []);
    const before: string[] = [];
    for (const version of new Set(publishedStack(moves).reverse())) {
      if (version === current || before.length === MAX_FALLBACKS) continue;
      const manifest = await findManifest(root, index, version, nodeFiles).catch(() => null);
      if (manifest !== null) before.push(version);
    }
    return before;
  }

  /** What is published cannot be read. The live version continues to answer. */
  private setFault(index: string, fault: IndexFault): void {
    const before = this.live.get(index) ?? NO_NAMES;
    const names = { ...before, fault };
    if (this.live.has(index) && sameNames(before, names)) return;
    this.live.set(index, names);
    this.tools.pool.broadcast({ type: 'apply', index, names });
  }

  /**
   * Verifies a version and lets every worker load it.
   * @param ready versions of the same index that workers have loaded in this round
   * @returns false if that failed now, or recently
   */
  private async makeReady(index: string, version: string, ready: ReadonlySet<string>): Promise<boolean> {
    if (!this.mayRetry({ index, version })) return false;
    const { verified, options } = this.tools;
    try {
      const manifest = await readManifest(options.root, index, version);
      checkMemory(options, manifest, [manifest, ...this.manifestsHeld(index, version, ready)]);
      await this.verify(index, version);
      await this.prepareEverywhere(index, version);
      if (!(await verified.isUnchanged(index, version))) throw changedWhileLoaded(index, version);
    } catch (error) {
      verified.distrust(index, version);
      this.failures.note(index, version, error);
      this.tools.pool.broadcast({ type: 'discard', index, version });
      return false;
    }
    this.failures.delete(versionKey(index, version));
    this.tools.metrics.loaded(index);
    return true;
  }

  /** Reads every file, unless it is verified and unchanged. @throws the first problem, naming the file */
  private async verify(index: string, version: string): Promise<void> {
    const started = performance.now();
    const isKnown = this.tools.verified.isTrusted(index, version);
    await this.tools.verified.verify(index, version);
    if (isKnown) return;
    this.tools.log.info({ index, version, ms: Math.round(performance.now() - started) }, 'version verified');
  }

  /**
   * Manifests of all versions that a worker holds besides `excluded`: those that answer now or answered before, and
   * those of this index that are coming.
   */
  private manifestsHeld(index: string, excluded: string, coming: Iterable<string>): Manifest[] {
    const held = new Map<string, ServedVersion>();
    const add = (one: ServedVersion) => held.set(versionKey(one.index, one.version), one);
    for (const version of coming) add({ index, version });
    for (const one of this.served()) add(one);
    held.delete(versionKey(index, excluded));
    return [...held.values()].flatMap((one) => this.tools.verified.manifestOf(one.index, one.version) ?? []);
  }

  /** Resolves when every worker has loaded it, including those that start meanwhile. */
  private async prepareEverywhere(index: string, version: string): Promise<void> {
    const { pool } = this.tools;
    const prepared = new Set<number>();
    let deaths = 0;
    while (!pool.isStopping) {
      const missing = pool.ids().filter((id) => !prepared.has(id));
      if (missing.length === 0 && prepared.size > 0) return;
      if (missing.length === 0) await new Promise((resolve) => setTimeout(resolve, 100)); // no worker is alive
      const outcomes = await Promise.allSettled(missing.map((id) => pool.prepare(id, index, version)));
      for (const [position, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') prepared.add(missing[position]!);
        else if (!(outcome.reason instanceof WorkerGone)) throw outcome.reason;
        else if (++deaths > MAX_DEATHS_WHILE_LOADING) throw diesWhileLoading(index, version);
      }
    }
    throw new ShortlistError('not_ready', 'the server is shutting down');
  }

  private switchTo(index: string, wanted: Names, ready: ReadonlySet<string>): void {
    const before = this.live.get(index) ?? NO_NAMES; // read again: a version may have been lost meanwhile
    const names = servableNames(before, wanted, ready);
    if (this.live.has(index) && sameNames(before, names)) return;
    this.live.set(index, names);
    this.tools.pool.broadcast({ type: 'apply', index, names });
    const named = namedVersions(names);
    for (const version of namedVersions(before))
      if (!named.has(version)) this.partialLoads.delete(versionKey(index, version));
    if (names.current === before.current) return;
    if (before.current !== null)
      this.previous.set(index, { version: before.current, until: Date.now() + PREVIOUS_VERSION_MS });
    const seconds = (performance.now() - (this.noticed.get(index)?.at ?? performance.now())) / 1000;
    this.tools.metrics.switched(index, seconds);
    this.tools.log.info(
      { index, version: names.current, previous: before.current, ms: Math.round(seconds * 1000) },
      'version is live',
    );
  }

  private discard(index: string, versions: Iterable<string>): void {
    for (const version of versions) this.tools.pool.broadcast({ type: 'discard', index, version });
  }

  private reportFailure(index: string, { code, message, details }: ShortlistError, retryInMs: number): void {
    if (this.tools.pool.isStopping) return;
    this.tools.metrics.loadFailed(index, code);
    const live = this.live.get(index)?.current ?? null;
    const facts = { ...details, index, code, live, retry_in_ms: retryInMs, error: message };
    this.tools.log.error(facts, 'version could not be loaded');
  }

  /** Forgets failures of versions that are no longer published: they may be published again, repaired. */
  private forgetUnwanted(observations: ReadonlyMap<string, Observation>): void {
    const wanted = new Set<string>();
    for (const [index, observation] of observations) {
      for (const key of readFailures(index, observation).keys()) wanted.add(key);
      for (const version of namedVersions(observation.names ?? NO_NAMES)) wanted.add(versionKey(index, version));
    }
    for (const [index, versions] of this.fallbacks)
      for (const version of versions) wanted.add(versionKey(index, version));
    for (const { index, version } of this.served()) wanted.add(versionKey(index, version));
    this.failures.keepOnly((key) => wanted.has(key) || this.partialLoads.has(key));
    for (const [index, { until }] of this.previous) if (until <= Date.now()) this.previous.delete(index);
    // A version that is neither wanted nor held must be verified again if it returns: its files may have changed.
    this.tools.verified.keepOnly(wanted);
  }
}

/** For a worker that starts while its version is verified again. */
function unverifiedFault(version: string): IndexFault {
  return { version, code: 'not_ready' };
}

function changedWhileLoaded(index: string, version: string): ShortlistError {
  const message = `the files of ${index}@${version} changed while workers loaded them; verifying it again`;
  return new ShortlistError('file_corrupt', message, { index, version });
}

function diesWhileLoading(index: string, version: string): ShortlistError {
  return new ShortlistError(
    'internal',
    `workers died while loading ${index}@${version}; their exit codes or signals are in the log`,
    { index, version },
  );
}
