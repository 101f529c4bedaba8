/**
 * From what is published to what answers.
 *
 * Takes observations of the root and the pool of workers; brings a new version live in steps: every file of it is hashed
 * once, here; it must fit the memory; every worker loads and warms it while the old one answers; then all are told to
 * switch. Whatever fails on the way, the old version goes on answering, and the new one is tried again later.
 *
 * One `reconcile` runs at a time. What a worker that starts must load is `state`, which changes in the same turn in
 * which the others are told to switch, so no worker can miss a switch or be ahead of one.
 */
import { ShortlistError, serializeError, deserializeError } from '../base/errors.js';
import { PREVIOUS_VERSION_MS } from '../base/limits.js';
import { namedVersions, type Names } from '../retrieve/live.js';
import type { Manifest } from '../version/manifest.js';
import { openVersionFiles } from '../version/version-reader.js';
import type { Logger } from './logger.js';
import { checkMemory } from './memory-budget.js';
import type { LiveState } from './messages.js';
import { NO_NAMES, sameNames, settleNames, versionKey, withoutVersions } from './names.js';
import type { ServeOptions } from './options.js';
import type { PrimaryMetrics } from './primary-metrics.js';
import type { Observation } from './watcher.js';
import { WorkerGone, type WorkerPool } from './worker-pool.js';

/** After a failure the same version is tried again: it may have been memory, a disk or a network that failed. */
const FIRST_RETRY_MS = 5_000;
const MAX_RETRY_MS = 300_000;

/** A version that ends a worker each time it is loaded is broken; a worker may die by itself while it loads. */
const MAX_DEATHS_WHILE_LOADING = 2;

interface Failure {
  readonly error: ShortlistError;
  readonly retryAt: number;
  readonly delayMs: number;
}

/** Workers that could not load a version that is live. */
interface Lack {
  readonly index: string;
  readonly version: string;
  readonly workers: Set<number>;
}

interface Tools {
  readonly options: ServeOptions;
  readonly pool: WorkerPool;
  readonly metrics: PrimaryMetrics;
  readonly log: Logger;
}

export class Rollout {
  private readonly live = new Map<string, Names>();
  private readonly manifests = new Map<string, Manifest>();
  private readonly failures = new Map<string, Failure>();
  /** The version of each index that was current before the last switch: workers hold it, and no older one, until then. */
  private readonly previous = new Map<string, { readonly version: string; readonly until: number }>();
  /** Live versions that some workers lack: those answer `not_ready` for them, or know an alias less. */
  private readonly lacks = new Map<string, Lack>();
  /** What each index is to switch to, and since when that is known. */
  private readonly noticed = new Map<string, { readonly version: string | null; readonly at: number }>();

  constructor(private readonly tools: Tools) {}

  get state(): LiveState {
    return Object.fromEntries(this.live);
  }

  liveManifest(index: string): Manifest | null {
    const current = this.live.get(index)?.current ?? null;
    return current === null ? null : (this.manifests.get(versionKey(index, current)) ?? null);
  }

  /** Failures that stand, for a start that has nothing to serve. */
  get standingFailures(): ShortlistError[] {
    return [...this.failures.values()].map(({ error }) => error);
  }

  /**
   * Brings everything that is published live, one index after the other. Never throws.
   * @param latest gives the newest observations: what is published may change while a version loads
   */
  async reconcile(latest: () => ReadonlyMap<string, Observation>): Promise<void> {
    for (const [index, observation] of latest()) {
      for (const [key, error] of readFailures(index, observation)) this.noteFailure(key, index, error);
      if (observation.names !== null) await this.reconcileIndex(index, observation, () => latest().get(index));
    }
    await this.repair();
    this.forgetUnwanted(latest());
  }

  /** A worker could not load a version that is live. */
  handleUnloaded(worker: number, index: string, version: string, error: ShortlistError): void {
    if (!namedVersions(this.live.get(index) ?? NO_NAMES).has(version)) return;
    const key = versionKey(index, version);
    const lack = this.lacks.get(key) ?? { index, version, workers: new Set() };
    this.lacks.set(key, lack);
    lack.workers.add(worker);
    this.dropLost();
    this.noteFailure(key, index, error);
  }

  handleGone(worker: number): void {
    for (const { workers } of this.lacks.values()) workers.delete(worker);
    this.dropLost();
  }

  /** What no worker has does not answer any more. If it is still published, it has to come in as a new version does. */
  private dropLost(): void {
    const workers = this.tools.pool.ids();
    for (const [key, lack] of this.lacks) {
      if (workers.length === 0 || !workers.every((id) => lack.workers.has(id))) continue;
      this.lacks.delete(key);
      this.manifests.delete(key);
      this.live.set(lack.index, withoutVersions(this.live.get(lack.index) ?? NO_NAMES, new Set([lack.version])));
    }
  }

  /** Has the workers that lack a live version try again, as late after each failure as with any version. */
  private async repair(): Promise<void> {
    const { pool } = this.tools;
    for (const [key, { index, version, workers }] of this.lacks) {
      if ((this.failures.get(key)?.retryAt ?? 0) > Date.now()) continue;
      for (const id of workers) {
        try {
          await pool.prepare(id, index, version);
          workers.delete(id);
          pool.tell(id, { type: 'apply', index, names: this.live.get(index) ?? NO_NAMES });
        } catch (error) {
          if (!(error instanceof WorkerGone)) this.noteFailure(key, index, error);
        }
      }
      if (workers.size > 0) continue;
      this.lacks.delete(key);
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
    // What is wanted now comes with the next round.
    if (outdated) this.discard(index, ready);
    else this.switchTo(index, wanted, ready);
  }

  /**
   * Verifies a version and has every worker load it.
   * @param ready versions of the same index that workers have loaded in this round
   * @returns false when that failed, or had failed a moment ago
   */
  private async makeReady(index: string, version: string, ready: ReadonlySet<string>): Promise<boolean> {
    const key = versionKey(index, version);
    if ((this.failures.get(key)?.retryAt ?? 0) > Date.now()) return false;
    try {
      const manifest = await this.verify(index, version);
      checkMemory(this.tools.options, manifest, this.manifestsHeld(index, [version, ...ready]));
      await this.prepareEverywhere(index, version);
    } catch (error) {
      this.noteFailure(key, index, error);
      this.tools.pool.broadcast({ type: 'discard', index, version });
      return false;
    }
    this.failures.delete(key);
    this.tools.metrics.loaded(index);
    return true;
  }

  /** Hashes every file, once in the life of the process. @throws what is wrong, naming the file */
  private async verify(index: string, version: string): Promise<Manifest> {
    const key = versionKey(index, version);
    const known = this.manifests.get(key);
    if (known !== undefined) return known;
    const { root } = this.tools.options;
    const started = performance.now();
    const { manifest } = await openVersionFiles(root, index, version, { hash: true });
    this.manifests.set(key, manifest);
    this.tools.log.info({ index, version, ms: Math.round(performance.now() - started) }, 'version verified');
    return manifest;
  }

  /** Of what every worker holds: what answers now, what answered before, and these of one index that are to come. */
  private manifestsHeld(index: string, coming: readonly string[]): Manifest[] {
    const held = new Set(coming.map((version) => versionKey(index, version)));
    for (const [name, names] of this.live) for (const one of namedVersions(names)) held.add(versionKey(name, one));
    for (const [name, { version, until }] of this.previous) if (until > Date.now()) held.add(versionKey(name, version));
    return [...held].flatMap((key) => this.manifests.get(key) ?? []);
  }

  /** Until every worker that is there has loaded it, those that started meanwhile too. */
  private async prepareEverywhere(index: string, version: string): Promise<void> {
    const { pool } = this.tools;
    const prepared = new Set<number>();
    let deaths = 0;
    while (!pool.isStopping) {
      const missing = pool.ids().filter((id) => !prepared.has(id));
      if (missing.length === 0 && prepared.size > 0) return;
      if (missing.length === 0) await new Promise((resolve) => setTimeout(resolve, 100)); // all are dead: wait for one
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
    const before = this.live.get(index) ?? NO_NAMES; // as it is now: a version may have been lost meanwhile
    const names = settleNames(before, wanted, ready);
    if (this.live.has(index) && sameNames(before, names)) return;
    this.live.set(index, names);
    this.tools.pool.broadcast({ type: 'apply', index, names });
    const named = namedVersions(names);
    for (const version of namedVersions(before)) if (!named.has(version)) this.lacks.delete(versionKey(index, version));
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

  /** Says it once, and again with every retry that fails. */
  private noteFailure(key: string, index: string, cause: unknown): void {
    if (this.tools.pool.isStopping) return;
    const error = cause instanceof ShortlistError ? cause : deserializeError(serializeError(cause));
    const before = this.failures.get(key);
    if (before !== undefined && before.retryAt > Date.now()) return;
    const delayMs = Math.min(MAX_RETRY_MS, before === undefined ? FIRST_RETRY_MS : 2 * before.delayMs);
    this.failures.set(key, { error, delayMs, retryAt: Date.now() + delayMs });
    this.tools.metrics.loadFailed(index, error.code);
    const live = this.live.get(index)?.current ?? null;
    const { code, message, details } = error;
    this.tools.log.error({ ...details, index, code, live, retry_in_ms: delayMs, error: message }, 'version not loaded');
  }

  /** A version that nobody publishes any more may be published again, repaired: then it starts afresh. */
  private forgetUnwanted(observations: ReadonlyMap<string, Observation>): void {
    const wanted = new Set<string>();
    for (const [index, observation] of observations) {
      for (const key of readFailures(index, observation).keys()) wanted.add(key);
      for (const version of namedVersions(observation.names ?? NO_NAMES)) wanted.add(versionKey(index, version));
    }
    for (const key of this.failures.keys()) if (!wanted.has(key) && !this.lacks.has(key)) this.failures.delete(key);
    // What is neither wanted nor held is verified anew should it come back: the disk had time to rot.
    for (const [index, names] of this.live)
      for (const version of namedVersions(names)) wanted.add(versionKey(index, version));
    for (const [index, { version, until }] of this.previous) {
      if (until > Date.now()) wanted.add(versionKey(index, version));
      else this.previous.delete(index);
    }
    for (const key of this.manifests.keys()) if (!wanted.has(key)) this.manifests.delete(key);
  }
}

/** What is published, as far as it can be read. Where it cannot, or is gone, what answers goes on: it is an accident. */
function wantedNames({ names, damagedAliases }: Observation, before: Names): Names {
  const kept = Object.entries(before.aliases).filter(([alias]) => damagedAliases.has(alias));
  return {
    current: names?.current ?? before.current,
    aliases: { ...Object.fromEntries(kept), ...names?.aliases },
  };
}

/** What of an index could not be read, by keys that no version has. */
function readFailures(index: string, { error, damagedAliases }: Observation): Map<string, ShortlistError> {
  const failures = new Map<string, ShortlistError>();
  if (error !== null) failures.set(`${index}/`, error);
  for (const [alias, damage] of damagedAliases) failures.set(`${index}/aliases/${alias}`, damage);
  return failures;
}

function diesWhileLoading(index: string, version: string): ShortlistError {
  return new ShortlistError('internal', `workers die while they load ${index}@${version}`, { index, version });
}
