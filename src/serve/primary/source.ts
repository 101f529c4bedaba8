/**
 * Follows an object store: pulls what it publishes into the root, which is then only a cache. The watcher of the root
 * notices what changed, and everything after that is as for a publish on this machine.
 *
 * Takes the URL of a store and the names of indexes, or none for all that the store has. A store that is away changes
 * nothing that is served: each failed round is logged once, counted, and tried again after a wait that doubles. Rounds
 * are spread in time, so that many servers do not ask at once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ShortlistError, serializeError } from '../../base/errors.js';
import { makeRoom } from '../../store/cache.js';
import { IndexFollower, type Followed } from '../../store/follow.js';
import { openStore } from '../../store/objects/open-store.js';
import type { ObjectStore } from '../../store/objects/object-store.js';
import { storeFiles } from '../../store/store-files.js';
import { listIndexes } from '../../version/state/catalog.js';
import type { Logger } from '../channel/logger.js';
import type { ServeOptions } from '../channel/options.js';
import type { PrimaryMetrics } from './primary-metrics.js';

/** Longest wait between two rounds while the store is away. */
const MAX_WAIT_MS = 60_000;

/** A round takes this share more or less than its time. */
const JITTER = 0.2;

/** New indexes and aliases are looked for by listings, which cost ten times as much as the other requests. */
const LIST_EVERY_ROUNDS = 6;

interface Tools {
  readonly options: Pick<ServeOptions, 'root' | 'index' | 'shards' | 'cacheLimit' | 'sourcePollMs'>;
  readonly metrics: PrimaryMetrics;
  readonly log: Logger;
  /** Versions whose files workers have mapped. */
  readonly isInUse: (index: string, version: string) => boolean;
}

export class Source {
  private readonly followers = new Map<string, IndexFollower>();
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private rounds = 0;
  private failedRounds = 0;
  /** Failures that were logged and still hold, by what they concern. */
  private readonly known = new Map<string, string>();

  private constructor(
    private readonly store: ObjectStore,
    private readonly tools: Tools,
  ) {}

  /** @throws usage, client_missing */
  static async open(url: string, tools: Tools): Promise<Source> {
    return new Source(await openStore(url), tools);
  }

  /** The first round. @returns its first failure: of no importance if the root has something to serve */
  async begin(): Promise<ShortlistError | null> {
    this.tools.log.info({ source: this.store.url, root: this.tools.options.root }, 'following the source');
    const first = this.round();
    this.running = first.then(() => undefined);
    return first;
  }

  start(): void {
    this.running = this.repeat();
  }

  /** Resolves when nothing is pulled any more. What was pulled in part is continued by the next start. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    this.store.close();
  }

  private async repeat(): Promise<void> {
    const { signal } = this.stopping;
    try {
      for (;;) {
        await sleep(this.waitMs(), undefined, { signal });
        await this.round();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  private waitMs(): number {
    const { sourcePollMs } = this.tools.options;
    const waitMs = Math.max(sourcePollMs, Math.min(MAX_WAIT_MS, sourcePollMs * 2 ** Math.min(this.failedRounds, 20)));
    return waitMs * (1 + JITTER * (2 * Math.random() - 1));
  }

  /** Follows all indexes, one after the other. Never throws. */
  private async round(): Promise<ShortlistError | null> {
    const lists = this.rounds++ % LIST_EVERY_ROUNDS === 0;
    const failures = new Map<string, ShortlistError>();
    try {
      for (const index of await this.indexes(lists, failures)) {
        const followed = await this.followerOf(index).look(lists);
        this.report(index, followed);
        for (const [what, error] of followed.failures) failures.set(`${index}/${what}`, error);
      }
    } catch (error) {
      if (this.stopping.signal.aborted) return null;
      const { code, message, details } = serializeError(error);
      failures.set('', new ShortlistError(code, message, details));
    }
    this.noteRound(failures);
    return failures.values().next().value ?? null;
  }

  private async indexes(lists: boolean, failures: Map<string, ShortlistError>): Promise<readonly string[]> {
    const { index, root } = this.tools.options;
    if (index.length > 0) return index;
    const known = new Set([...this.followers.keys(), ...(await listIndexes(root).catch(() => []))]);
    if (lists) {
      try {
        for (const name of await listIndexes(this.store.url, storeFiles(this.store))) known.add(name);
      } catch (error) {
        if (!(error instanceof ShortlistError)) throw error;
        failures.set('', error);
      }
    }
    return [...known].sort();
  }

  private followerOf(index: string): IndexFollower {
    const { options, metrics, log, isInUse } = this.tools;
    const { root, shards, cacheLimit } = options;
    const { store } = this;
    const { signal } = this.stopping;
    const known = this.followers.get(index);
    if (known !== undefined) return known;
    const follower = new IndexFollower(
      {
        store,
        root,
        shards,
        signal,
        makeRoom: async (incomingBytes) => {
          const discarded = await makeRoom(root, { limitBytes: cacheLimit, incomingBytes, isInUse, signal });
          for (const { index: of, version, bytes } of discarded) {
            log.info({ index: of, version, bytes }, 'version is deleted from the cache');
          }
        },
        onPulled: ({ version, bytes, reused }) => {
          metrics.pulled(index, bytes - reused);
          log.info({ index, version, bytes, reused }, 'version is pulled');
        },
      },
      index,
    );
    this.followers.set(index, follower);
    return follower;
  }

  private report(index: string, { movedTo }: Followed): void {
    if (movedTo !== null) this.tools.log.info({ index, version: movedTo }, 'the source has published a version');
  }

  /** Logs what is new and what has ended. */
  private noteRound(failures: ReadonlyMap<string, ShortlistError>): void {
    const { log, metrics } = this.tools;
    if (failures.size === 0 && this.failedRounds > 0)
      log.info({ source: this.store.url }, 'the source is followed again');
    this.failedRounds = failures.size === 0 ? 0 : this.failedRounds + 1;
    metrics.sourceChecked(this.store.url, failures.size === 0);
    for (const [what, { code, message }] of failures) {
      metrics.sourceFailed(code);
      if (this.known.get(what) === message) continue;
      this.known.set(what, message);
      log.error(
        { source: this.store.url, code, error: message },
        'the source cannot be followed; what is served stays',
      );
    }
    for (const what of this.known.keys()) if (!failures.has(what)) this.known.delete(what);
  }
}
