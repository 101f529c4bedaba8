/**
 * Makes a root follow an index of a store: pulls what is published there and what aliases name, and then moves the
 * root's own CURRENT, HISTORY and aliases. A rollback is followed like a publish. What cannot be read or pulled leaves
 * the root as it is. Damage of the root's own CURRENT, HISTORY or aliases is repaired by the next look that reads them.
 *
 * A look at an index that has not changed costs a request for CURRENT and one for each alias. Only listings show
 * aliases that are new, and some looks list nothing; that a known alias is gone is decided by its own key.
 */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ShortlistError } from '../base/errors.js';
import { NAME_PATTERN } from '../base/limits.js';
import { ensureDirectory, removeFileDurably, statIfPresent } from '../version/disk/durable.js';
import { nodeFiles } from '../version/disk/files.js';
import { aliasesPath, MANIFEST_FILE, versionPath } from '../version/disk/paths.js';
import { withLock } from '../version/locks/lock.js';
import { readHistory, surveyAliases } from '../version/state/catalog.js';
import { unlessDamaged } from '../version/state/publish.js';
import { aliasPath, aliasPlace, currentPlace, historyPlace, readCurrent, withCurrent, writeAlias, writeCurrent, writeHistory, type Move } from '../version/state/state.js'; // prettier-ignore
import { keyOf, readDocument, readDocumentIfChanged } from './documents.js';
import type { ObjectStore } from './objects/object-store.js';
import { pullVersion } from './pull.js';
import type { Transferred } from './transfer.js';

/** Longest wait for another process that changes the root, such as a prune. */
const WAIT_FOR_LOCK_MS = 10_000;

interface FollowTools {
  readonly store: ObjectStore;
  readonly root: string;
  /** Numbers of the shards that are pulled; empty: all. */
  readonly shards: readonly number[];
  readonly signal: AbortSignal;
  /** Called before a version of this size is fetched. */
  readonly makeRoom: (bytes: number) => Promise<void>;
  readonly onPulled: (pulled: Transferred) => void;
}

/** What one look found. */
export interface Followed {
  /** The version that the root's CURRENT names now, if this look moved it. */
  readonly movedTo: string | null;
  /** Failures that leave the root as it was, by what they concern: `CURRENT`, or an alias. */
  readonly failures: ReadonlyMap<string, ShortlistError>;
}

/** Follows one index. Looks do not overlap. */
export class IndexFollower {
  /** Tags of what the root has taken over already. */
  private currentTag: string | undefined;
  private current: string | null = null;
  private readonly aliasTags = new Map<string, string>();

  constructor(
    private readonly tools: FollowTools,
    readonly index: string,
  ) {}

  /** @param lists whether aliases are looked for by a listing @throws only the reason of the signal */
  async look(lists: boolean): Promise<Followed> {
    const failures = new Map<string, ShortlistError>();
    const collect = async <T>(what: string, work: () => Promise<T>): Promise<T | null> => {
      try {
        return await work();
      } catch (error) {
        this.tools.signal.throwIfAborted();
        if (!(error instanceof ShortlistError)) throw error;
        failures.set(what, error);
        return null;
      }
    };
    const movedTo = await collect('CURRENT', () => this.followCurrent());
    const names = await collect('aliases', () => this.aliasNames(lists));
    for (const alias of names ?? []) await collect(alias, () => this.followAlias(alias));
    return { movedTo, failures };
  }

  private async followCurrent(): Promise<string | null> {
    const { store, root, signal } = this.tools;
    // A damaged version that a person has removed comes again.
    const isHere = this.current !== null && (await hasVersion(root, this.index, this.current));
    if (!isHere) this.currentTag = undefined;
    const found = await readDocumentIfChanged(store, currentPlace(store.url, this.index), this.currentTag, signal);
    if (found === 'unchanged') return null;
    if (found === null) return this.requireNothing();
    const recorded = await readDocument(store, historyPlace(store.url, this.index), signal);
    await this.pull(found.value.version);
    const local = await readCurrent(root, this.index).catch(unlessDamaged);
    const moves = await readHistory(root, this.index).catch(unlessDamaged);
    // HISTORY may be ahead of the CURRENT that was read; the next look reads the later one.
    const known = (recorded?.value ?? []).filter(({ sequence }) => sequence <= found.value.sequence);
    const wanted = withCurrent(known, found.value);
    if (!isDeepStrictEqual([local, moves], [found.value, wanted])) await this.adopt(found.value, wanted);
    this.currentTag = found.tag;
    this.current = found.value.version;
    return local?.version === found.value.version ? null : found.value.version;
  }

  /** A CURRENT that is gone was removed by a person. What answers goes on answering. */
  private async requireNothing(): Promise<null> {
    const { store, root } = this.tools;
    const local = await readCurrent(root, this.index).catch(unlessDamaged);
    if (local === null) return null;
    const message = `${store.url} has nothing published of index '${this.index}' any more; ${local.version} stays published here`;
    throw new ShortlistError('version_not_found', message, { index: this.index, version: local.version });
  }

  /** HISTORY first: CURRENT is the commit point, which servers watch. */
  private adopt(current: Move, moves: readonly Move[]): Promise<void> {
    const { root } = this.tools;
    return this.change(async () => {
      await writeHistory(root, this.index, moves, nodeFiles);
      await writeCurrent(root, this.index, current, nodeFiles);
    });
  }

  private async aliasNames(lists: boolean): Promise<readonly string[]> {
    const { store, root, signal } = this.tools;
    const { aliases, damaged } = await surveyAliases(root, this.index);
    const listed = lists
      ? (await store.list(`${keyOf(store, aliasesPath(store.url, this.index))}/`, signal)).objects
      : [];
    const names = [...Object.keys(aliases), ...damaged.keys(), ...this.aliasTags.keys(), ...listed];
    return [...new Set(names)].filter((name) => NAME_PATTERN.test(name)).sort();
  }

  private async followAlias(alias: string): Promise<void> {
    const { store, root, signal } = this.tools;
    const place = aliasPlace(store.url, this.index, alias);
    const found = await readDocumentIfChanged(store, place, this.aliasTags.get(alias), signal);
    if (found === 'unchanged') return;
    if (found === null) {
      await this.change(() => removeFileDurably(aliasPath(root, this.index, alias), nodeFiles));
      this.aliasTags.delete(alias);
      return;
    }
    await this.pull(found.value);
    await this.change(async () => {
      await ensureDirectory(aliasesPath(root, this.index), nodeFiles);
      await writeAlias(root, this.index, alias, found.value, new Date(), nodeFiles);
    });
    this.aliasTags.set(alias, found.tag);
  }

  private async pull(version: string): Promise<void> {
    const { store, root, shards, signal, makeRoom, onPulled } = this.tools;
    const pulled = await pullVersion(store, root, this.index, version, { shards, signal, makeRoom });
    if (pulled.reused < pulled.bytes) onPulled(pulled);
  }

  private async change(work: () => Promise<unknown>): Promise<void> {
    const { root, signal } = this.tools;
    const command = 'shortlist serve --source';
    const run = async (): Promise<void> => {
      await work();
    };
    await withLock(root, this.index, 'publish', command, run, { waitMs: WAIT_FOR_LOCK_MS, signal });
  }
}

async function hasVersion(root: string, index: string, version: string): Promise<boolean> {
  return (await statIfPresent(join(versionPath(root, index, version), MANIFEST_FILE), nodeFiles)) !== null;
}
