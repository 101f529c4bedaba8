/**
 * The versions that a process serves, and the switch from one to the next.
 *
 * A version is prepared (loaded and warmed up) while another answers; then `apply` switches to it in one step. Every
 * search holds a lease, so a version's memory is freed only after its last answer. The previously current version can
 * still be named for a while; older ones are freed once nobody leases them. Calibrations may be replaced at any time
 * and are read again every few seconds.
 */
import { ERRORS, EXIT, ShortlistError, type ErrorCode } from '../../base/errors.js';
import { PREVIOUS_VERSION_MS } from '../../base/limits.js';
import { readManifest } from '../../version/sealed/manifest-file.js';
import { shardsOf } from '../../version/sealed/shard-files.js';
import { loadVersion, type LoadedVersion } from './loaded-version.js';
import { probeInSlices } from './probe.js';
import { runAsync } from '../../base/work.js';

/** A new calibration is used after at most this time. Reading it is cheap: one small file. */
const CALIBRATION_REFRESH_MS = 5_000;

export interface IndexFault {
  /** The published version; null if even that cannot be read. */
  readonly version: string | null;
  readonly code: ErrorCode;
}

/** The versions that the names of an index refer to. */
export interface Names {
  /** The version that answers; null if none does. */
  readonly current: string | null;
  /** Alias to version. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Absent if the published version answers or nothing is published. */
  readonly fault?: IndexFault | undefined;
}

/** The right to search a version until `release` is called, once. */
export interface Lease {
  readonly version: LoadedVersion;
  release(): void;
}

interface LoadedEntry {
  readonly version: LoadedVersion;
  leases: number;
  /** `performance.now()` of the latest lease. */
  leasedAt: number;
  /** No name refers to it any more and no lease is granted; closed after the last lease. */
  retired: boolean;
}

interface LiveIndex {
  names: Names;
  /** Loaded versions by name: those with a name, a newly prepared one, and the previous one in its grace period. */
  readonly entries: Map<string, LoadedEntry>;
  readonly loading: Map<string, Promise<void>>;
  previous: { version: string; timer: NodeJS.Timeout } | null;
}

/** Warms up a version before it answers. It is loaded and can be leased by its name. */
type Rehearse = (index: string, version: string) => Promise<void>;

/** Which shards a process holds of each version. */
interface HeldShards {
  /** Their numbers; empty: all. */
  readonly shards: readonly number[];
  /** Keep the previous version as long as it is asked for: a gateway waits until all servers have the next one. */
  readonly keepsUsed: boolean;
}

const ALL_SHARDS: HeldShards = { shards: [], keepsUsed: false };

/** @throws usage if the version has none of these shards */
async function shardsToLoad(root: string, index: string, version: string, shards: readonly number[]) {
  if (shards.length === 0) return {};
  const held = shardsOf(await readManifest(root, index, version), shards);
  return { shards: held !== undefined && held.length > 0 ? held : shards };
}

export class LiveIndexes {
  private readonly indexes = new Map<string, LiveIndex>();
  private readonly refreshing: NodeJS.Timeout;

  constructor(
    private readonly root: string,
    private readonly rehearse: Rehearse = () => Promise.resolve(),
    private readonly graceMs: number = PREVIOUS_VERSION_MS,
    private readonly held: HeldShards = ALL_SHARDS,
  ) {
    this.refreshing = setInterval(() => void this.refreshCalibrations(), CALIBRATION_REFRESH_MS).unref();
  }

  /** Loads and warms up a version that does not answer yet. Does nothing if it is loaded. @throws as `loadVersion` */
  async prepare(index: string, version: string): Promise<void> {
    const live = this.liveIndex(index);
    const holding = live.entries.get(version);
    if (holding !== undefined) {
      holding.retired = false; // an answer may still lease it and must not close it
      return;
    }
    const loading = live.loading.get(version) ?? this.load(live, index, version);
    live.loading.set(version, loading);
    try {
      await loading;
    } finally {
      live.loading.delete(version);
    }
  }

  private async load(live: LiveIndex, index: string, name: string): Promise<void> {
    const { shards } = this.held;
    const version = await loadVersion(this.root, index, name, await shardsToLoad(this.root, index, name, shards));
    try {
      await runAsync(probeInSlices(version));
      await version.filters.prepare();
    } catch (error) {
      version.close();
      throw error;
    }
    const holding = { version, leases: 0, leasedAt: -Infinity, retired: false };
    live.entries.set(name, holding);
    try {
      await this.rehearse(index, name);
    } catch (error) {
      this.retire(live, name, holding);
      throw error;
    }
  }

  /** Switches to these names in one step. Every named version must be prepared. */
  apply(index: string, names: Names): void {
    const live = this.liveIndex(index);
    for (const version of namedVersions(names)) {
      if (!live.entries.has(version)) throw new Error(`apply before prepare: ${index}@${version}`);
    }
    const before = live.names.current;
    live.names = names;
    if (before !== null && before !== names.current) this.keepAsPrevious(live, before);
    this.retireUnnamed(live);
  }

  /** Drops a version that was prepared and is no longer needed. */
  discard(index: string, version: string): void {
    const live = this.indexes.get(index);
    const holding = live?.entries.get(version);
    if (!live || !holding || this.isWanted(live, version)) return;
    this.retire(live, version, holding);
  }

  /** Stops serving a damaged version under any name. If it is prepared again, it is loaded again. */
  condemn(index: string, version: string): void {
    const live = this.indexes.get(index);
    if (live === undefined) return;
    const { current, aliases, fault } = live.names;
    const kept = Object.entries(aliases).filter(([, named]) => named !== version);
    live.names = { current: current === version ? null : current, aliases: Object.fromEntries(kept), fault };
    if (live.previous?.version === version) this.forgetPrevious(live);
    const holding = live.entries.get(version);
    if (holding === undefined) return;
    live.entries.delete(version);
    this.retire(live, version, holding);
  }

  /**
   * @param ref a version or alias; default: current
   * @throws unknown_index, not_ready, index_damaged, version_not_loaded
   */
  lease(index: string, ref?: string): Lease {
    const live = this.indexes.get(index);
    if (live === undefined) throw this.unknownIndex(index);
    const name = ref === undefined ? live.names.current : (live.names.aliases[ref] ?? ref);
    if (name === null) throw notServed(index, live.names.fault);
    const holding = live.entries.get(name);
    if (holding === undefined || !(this.isWanted(live, name) || live.loading.has(name))) {
      const loaded = [...namedVersions(live.names)].join(', ');
      throw new ShortlistError(
        'version_not_loaded',
        `version or alias ${ref ?? name} of index ${index} is not loaded; loaded versions: ${loaded || 'none'}`,
        { index, version: ref ?? name },
      );
    }
    return this.createLease(live, name, holding);
  }

  /** Names of all known indexes, loaded or not, sorted. */
  names(): string[] {
    return [...this.indexes.keys()].sort();
  }

  namesOf(index: string): Names {
    const live = this.indexes.get(index);
    if (live === undefined) throw this.unknownIndex(index);
    return live.names;
  }

  /** All versions in memory with their sizes, including those that are only leased. */
  loaded(): { index: string; version: string; shards: readonly number[]; residentBytes: number }[] {
    return [...this.indexes].flatMap(([index, live]) =>
      [...live.entries].map(([version, { version: loaded }]) => ({
        index,
        version,
        shards: loaded.shardNumbers,
        residentBytes: loaded.residentBytes,
      })),
    );
  }

  /** Reads the calibrations of all loaded versions again. */
  async refreshCalibrations(): Promise<void> {
    const holdings = [...this.indexes.values()].flatMap((live) => [...live.entries.values()]);
    for (const { version } of holdings) await version.refreshCalibration();
  }

  /** Forgets all indexes. Leased versions are closed with their last lease. */
  close(): void {
    clearInterval(this.refreshing);
    for (const [index, live] of this.indexes) {
      this.apply(index, { current: null, aliases: {} });
      this.endGrace(live);
    }
    this.indexes.clear();
  }

  private liveIndex(index: string): LiveIndex {
    const known = this.indexes.get(index);
    if (known !== undefined) return known;
    const live: LiveIndex = {
      names: { current: null, aliases: {} },
      entries: new Map(),
      loading: new Map(),
      previous: null,
    };
    this.indexes.set(index, live);
    return live;
  }

  private createLease(live: LiveIndex, name: string, holding: LoadedEntry): Lease {
    holding.leases++;
    holding.leasedAt = performance.now();
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      holding.leases--;
      if (holding.retired && holding.leases === 0) this.drop(live, name, holding);
    };
    return { version: holding.version, release };
  }

  private isWanted(live: LiveIndex, version: string): boolean {
    return namedVersions(live.names).has(version) || live.previous?.version === version;
  }

  private keepAsPrevious(live: LiveIndex, version: string): void {
    this.forgetPrevious(live);
    const timer = setTimeout(() => this.endGrace(live), this.graceMs).unref();
    live.previous = { version, timer };
  }

  private endGrace(live: LiveIndex): void {
    const { previous } = live;
    const leasedAt = live.entries.get(previous?.version ?? '')?.leasedAt ?? -Infinity;
    if (this.held.keepsUsed && previous !== null && performance.now() - leasedAt < this.graceMs) {
      this.keepAsPrevious(live, previous.version);
      return;
    }
    this.forgetPrevious(live);
    this.retireUnnamed(live);
  }

  private forgetPrevious(live: LiveIndex): void {
    clearTimeout(live.previous?.timer);
    live.previous = null;
  }

  private retireUnnamed(live: LiveIndex): void {
    for (const [version, holding] of live.entries) {
      if (live.loading.has(version)) continue; // a name will refer to it soon
      if (!this.isWanted(live, version)) this.retire(live, version, holding);
      else holding.retired = false;
    }
  }

  private retire(live: LiveIndex, name: string, holding: LoadedEntry): void {
    holding.retired = true;
    if (holding.leases === 0) this.drop(live, name, holding);
  }

  private drop(live: LiveIndex, name: string, holding: LoadedEntry): void {
    if (live.entries.get(name) === holding) live.entries.delete(name);
    holding.version.close();
  }

  private unknownIndex(index: string): ShortlistError {
    const known = this.names().join(', ');
    return new ShortlistError('unknown_index', `there is no index ${index}; known indexes: ${known || 'none'}`, {
      index,
    });
  }
}

/** Returns true if the version itself is damaged, so that loading it again does not help. */
function isDamage({ code }: IndexFault): boolean {
  return ERRORS[code].exit === EXIT.badIndex;
}

function notServed(index: string, fault: IndexFault | undefined): ShortlistError {
  if (fault === undefined) {
    return new ShortlistError('not_ready', `index ${index} has no published version that is loaded`, { index });
  }
  const { version, code } = fault;
  const what =
    version === null ? `the published version of index ${index}` : `the published version ${version} of index ${index}`;
  const details = { index, version, cause: code };
  if (!isDamage(fault)) return new ShortlistError('not_ready', `${what} is not loaded yet (${code})`, details);
  const message = `${what} is damaged (${code}), and no earlier version can answer; the server's log names the file`;
  return new ShortlistError('index_damaged', `${message}; restore that file or publish another version`, details);
}

/** Every version that a name refers to; the current one first. */
export function namedVersions({ current, aliases }: Names): Set<string> {
  return new Set([...(current === null ? [] : [current]), ...Object.values(aliases)]);
}
