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
import type { Names } from '../retrieve/live.js';
import type { Manifest } from '../version/manifest.js';
import { estimateResidentBytes, openVersionFiles } from '../version/version-reader.js';
import type { Logger } from './logger.js';
import type { LiveState } from './messages.js';
import type { ServeOptions } from './options.js';
import type { PrimaryMetrics } from './primary-metrics.js';
import type { Observation } from './watcher.js';
import { WorkerGone, type WorkerPool } from './worker-pool.js';

/** After a failure the same version is tried again: it may have been memory, a disk or a network that failed. */
const FIRST_RETRY_MS = 5_000;
const MAX_RETRY_MS = 300_000;

/** A version that ends a worker each time it is loaded is broken; a worker may die by itself while it loads. */
const MAX_DEATHS_WHILE_LOADING = 2;

/** Node, code, caches and request buffers of one worker. */
const WORKER_BASE_BYTES = 96 * 1024 * 1024;

const NO_NAMES: Names = { current: null, aliases: {} };

interface Failure {
  readonly error: ShortlistError;
  readonly retryAt: number;
  readonly delayMs: number;
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
  /** Versions that were live a moment ago: workers hold them until then. */
  private readonly retained = new Map<string, number>();
  /** What each index is to switch to, and since when that is known. */
  private readonly noticed = new Map<string, { readonly version: string | null; readonly at: number }>();

  constructor(private readonly tools: Tools) {}

  get state(): LiveState {
    return Object.fromEntries(this.live);
  }

  liveManifest(index: string): Manifest | null {
    const current = this.live.get(index)?.current ?? null;
    return current === null ? null : (this.manifests.get(keyOf(index, current)) ?? null);
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
      if (observation.error !== null) this.noteFailure(`${index}/`, index, observation.error);
      else this.failures.delete(`${index}/`);
      if (observation.names !== null)
        await this.reconcileIndex(index, observation.names, () => latest().get(index)?.names ?? null);
    }
    this.forgetUnwanted(latest());
  }

  private async reconcileIndex(index: string, observed: Names, latest: () => Names | null): Promise<void> {
    const before = this.live.get(index);
    // A CURRENT that is gone is an accident or a file system that is: what answers goes on.
    const wanted = { ...observed, current: observed.current ?? before?.current ?? null };
    if (before !== undefined && sameNames(before, wanted)) {
      this.noticed.delete(index);
      return;
    }
    if (this.noticed.get(index)?.version !== wanted.current) {
      this.noticed.set(index, { version: wanted.current, at: performance.now() });
    }
    const added = versionsOf(wanted).filter((version) => !versionsOf(before ?? NO_NAMES).includes(version));
    const ready = new Set<string>();
    for (const version of added) if (await this.makeReady(index, version)) ready.add(version);
    const now = latest();
    const outdated = now !== null && !sameNames({ ...now, current: now.current ?? wanted.current }, wanted);
    // What is wanted now comes with the next round.
    if (outdated) this.discard(index, ready);
    else this.switchTo(index, before ?? NO_NAMES, settle(before ?? NO_NAMES, wanted, ready));
  }

  /** Verifies a version and has every worker load it. @returns false when that failed, or had failed a moment ago */
  private async makeReady(index: string, version: string): Promise<boolean> {
    const key = keyOf(index, version);
    if ((this.failures.get(key)?.retryAt ?? 0) > Date.now()) return false;
    try {
      await this.verify(index, version);
      this.checkMemory(index, version);
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
  private async verify(index: string, version: string): Promise<void> {
    const key = keyOf(index, version);
    if (this.manifests.has(key)) return;
    const { root } = this.tools.options;
    const started = performance.now();
    const { manifest } = await openVersionFiles(root, index, version, { hash: true });
    this.manifests.set(key, manifest);
    this.tools.log.info({ index, version, ms: Math.round(performance.now() - started) }, 'version verified');
  }

  /** Every worker holds a copy, beside those of what answers now. @throws insufficient_memory */
  private checkMemory(index: string, version: string): void {
    const { workers, memoryLimit } = this.tools.options;
    const held = new Set([keyOf(index, version)]);
    for (const [name, names] of this.live) for (const one of versionsOf(names)) held.add(keyOf(name, one));
    for (const [key, until] of this.retained) if (until > Date.now()) held.add(key);
    const copies = [...held].reduce((sum, key) => sum + this.residentBytes(key), 0);
    const needed = workers * (copies + WORKER_BASE_BYTES);
    if (needed <= memoryLimit) return;
    const message =
      `${index}@${version} does not fit: ${workers} workers with ${held.size} versions each would take about ` +
      `${mebibytes(needed)} of ${mebibytes(memoryLimit)}; use fewer --workers, or a larger --memory-limit if the machine has it`;
    throw new ShortlistError('insufficient_memory', message, {
      index,
      version,
      needed_bytes: needed,
      limit_bytes: memoryLimit,
    });
  }

  private residentBytes(key: string): number {
    const manifest = this.manifests.get(key);
    return manifest === undefined ? 0 : estimateResidentBytes(manifest).total;
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

  private switchTo(index: string, before: Names, names: Names): void {
    if (this.live.has(index) && sameNames(before, names)) return;
    this.live.set(index, names);
    this.tools.pool.broadcast({ type: 'apply', index, names });
    for (const version of versionsOf(before)) {
      if (!versionsOf(names).includes(version))
        this.retained.set(keyOf(index, version), Date.now() + PREVIOUS_VERSION_MS);
    }
    if (names.current === before.current) return;
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
    for (const [index, { names, error }] of observations) {
      if (error !== null) wanted.add(`${index}/`);
      for (const version of versionsOf(names ?? NO_NAMES)) wanted.add(keyOf(index, version));
    }
    for (const key of this.failures.keys()) if (!wanted.has(key)) this.failures.delete(key);
    for (const [key, until] of this.retained) if (until <= Date.now()) this.retained.delete(key);
    // What is neither wanted nor live is verified anew should it come back: the disk had time to rot.
    for (const [index, names] of this.live) for (const version of versionsOf(names)) wanted.add(keyOf(index, version));
    for (const key of this.manifests.keys()) {
      if (!wanted.has(key) && !this.retained.has(key)) this.manifests.delete(key);
    }
  }
}

/** Names that can be served: what could not be made ready stays as it was. */
function settle(before: Names, wanted: Names, ready: ReadonlySet<string>): Names {
  const loaded = new Set([...versionsOf(before), ...ready]);
  const aliases: Record<string, string> = {};
  for (const [alias, version] of Object.entries(wanted.aliases)) {
    const kept = loaded.has(version) ? version : before.aliases[alias];
    if (kept !== undefined) aliases[alias] = kept;
  }
  return { current: wanted.current !== null && loaded.has(wanted.current) ? wanted.current : before.current, aliases };
}

function versionsOf(names: Names): string[] {
  return [...new Set([...(names.current === null ? [] : [names.current]), ...Object.values(names.aliases)])];
}

function sameNames(one: Names, other: Names): boolean {
  const aliases = Object.entries(one.aliases);
  return (
    one.current === other.current &&
    aliases.length === Object.keys(other.aliases).length &&
    aliases.every(([alias, version]) => other.aliases[alias] === version)
  );
}

function keyOf(index: string, version: string): string {
  return `${index}/${version}`;
}

function diesWhileLoading(index: string, version: string): ShortlistError {
  return new ShortlistError('internal', `workers die while they load ${index}@${version}`, { index, version });
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
