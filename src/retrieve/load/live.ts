/**
 * The versions that a process serves, and the switch from one to the next.
 *
 * A version is prepared (loaded and warmed) while another answers, then `apply` makes it the one that answers, in one
 * step. Whoever searches holds a lease, so a version's memory is let go only after its last answer. The version that
 * was current before a switch stays pinnable for a while; older ones go as soon as nobody leases them. Calibrations,
 * which are measured and not built, are read again every few seconds.
 */
import { ERRORS, EXIT, ShortlistError, type ErrorCode } from '../../base/errors.js';
import { PREVIOUS_VERSION_MS } from '../../base/limits.js';
import { loadVersion, type LoadedVersion } from './loaded-version.js';
import { probing } from './probe.js';
import { runAsync } from '../../base/work.js';

/** How long a calibration that was measured anew may wait to be used: reading one is a small file. */
const CALIBRATION_REFRESH_MS = 5_000;

/** Why what is published is not what answers. */
export interface IndexFault {
  /** The published version; null where not even that can be read. */
  readonly version: string | null;
  readonly code: ErrorCode;
}

/** What an index's names point at. */
export interface Names {
  /** The version that answers; null where none does. */
  readonly current: string | null;
  /** Alias to version. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Absent while the published version answers, and while none is. */
  readonly fault?: IndexFault | undefined;
}

/** The right to search a version until `release` is called, once. */
export interface Lease {
  readonly version: LoadedVersion;
  release(): void;
}

interface Holding {
  readonly version: LoadedVersion;
  leases: number;
  /** No name leads here any more and no new lease is given; closed with the last lease. */
  retired: boolean;
}

interface LiveIndex {
  names: Names;
  /** Loaded versions by name: the named ones, one just prepared, and the previous one for its grace. */
  readonly holdings: Map<string, Holding>;
  readonly loading: Map<string, Promise<void>>;
  previous: { version: string; timer: NodeJS.Timeout } | null;
}

/** Warms a version that is loaded, and can be leased by its name, before it answers. */
type Rehearse = (index: string, version: string) => Promise<void>;

export class LiveIndexes {
  private readonly indexes = new Map<string, LiveIndex>();
  private readonly refreshing: NodeJS.Timeout;

  constructor(
    private readonly root: string,
    private readonly rehearse: Rehearse = () => Promise.resolve(),
    private readonly graceMs: number = PREVIOUS_VERSION_MS,
  ) {
    this.refreshing = setInterval(() => void this.refreshCalibrations(), CALIBRATION_REFRESH_MS).unref();
  }

  /**
   * Loads and warms a version, without letting it answer yet. Does nothing where it is loaded. @throws what loading
   * throws
   */
  async prepare(index: string, version: string): Promise<void> {
    const live = this.liveIndex(index);
    const holding = live.holdings.get(version);
    if (holding !== undefined) {
      holding.retired = false; // an answer may hold it still, and must not take it away when it ends
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
    const version = await loadVersion(this.root, index, name);
    try {
      await runAsync(probing(version));
      await version.filters.prepare();
    } catch (error) {
      version.close();
      throw error;
    }
    const holding = { version, leases: 0, retired: false };
    live.holdings.set(name, holding);
    try {
      await this.rehearse(index, name);
    } catch (error) {
      this.retire(live, name, holding);
      throw error;
    }
  }

  /** Makes these names the ones that answer, in one step. Every version named must have been prepared. */
  apply(index: string, names: Names): void {
    const live = this.liveIndex(index);
    for (const version of namedVersions(names)) {
      if (!live.holdings.has(version)) throw new Error(`apply before prepare: ${index}@${version}`);
    }
    const before = live.names.current;
    live.names = names;
    if (before !== null && before !== names.current) this.keepAsPrevious(live, before);
    this.retireUnnamed(live);
  }

  /** Drops a version that was prepared and is not wanted after all. */
  discard(index: string, version: string): void {
    const live = this.indexes.get(index);
    const holding = live?.holdings.get(version);
    if (!live || !holding || this.isWanted(live, version)) return;
    this.retire(live, version, holding);
  }

  /** A version whose files are damaged is not served any more, by no name, and is loaded anew should it come back. */
  condemn(index: string, version: string): void {
    const live = this.indexes.get(index);
    if (live === undefined) return;
    const { current, aliases, fault } = live.names;
    const kept = Object.entries(aliases).filter(([, named]) => named !== version);
    live.names = { current: current === version ? null : current, aliases: Object.fromEntries(kept), fault };
    if (live.previous?.version === version) {
      clearTimeout(live.previous.timer);
      live.previous = null;
    }
    const holding = live.holdings.get(version);
    if (holding === undefined) return;
    live.holdings.delete(version);
    this.retire(live, version, holding);
  }

  /**
   * @param ref a version or alias; absent: the current version
   * @throws unknown_index, not_ready, index_damaged, version_not_loaded
   */
  lease(index: string, ref?: string): Lease {
    const live = this.indexes.get(index);
    if (live === undefined) throw this.unknownIndex(index);
    const name = ref === undefined ? live.names.current : (live.names.aliases[ref] ?? ref);
    if (name === null) throw nothingAnswers(index, live.names.fault);
    const holding = live.holdings.get(name);
    if (holding === undefined || !(this.isWanted(live, name) || live.loading.has(name))) {
      const loaded = [...namedVersions(live.names)].join(', ');
      throw new ShortlistError(
        'version_not_loaded',
        `${ref ?? name} of index ${index} is not loaded; loaded: ${loaded || 'none'}`,
        { index, version: ref ?? name },
      );
    }
    return this.grant(live, name, holding);
  }

  /** Names of all indexes that are known, loaded or not, in order. */
  names(): string[] {
    return [...this.indexes.keys()].sort();
  }

  namesOf(index: string): Names {
    const live = this.indexes.get(index);
    if (live === undefined) throw this.unknownIndex(index);
    return live.names;
  }

  /** Versions in memory with the bytes that each holds, wanted or still leased. */
  loaded(): { index: string; version: string; residentBytes: number }[] {
    return [...this.indexes].flatMap(([index, live]) =>
      [...live.holdings].map(([version, { version: loaded }]) => ({
        index,
        version,
        residentBytes: loaded.residentBytes,
      })),
    );
  }

  /** Reads the calibrations of all loaded versions again. */
  async refreshCalibrations(): Promise<void> {
    const holdings = [...this.indexes.values()].flatMap((live) => [...live.holdings.values()]);
    for (const { version } of holdings) await version.refreshCalibration();
  }

  /** Forgets all indexes. What is still leased goes with its last lease. */
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
      holdings: new Map(),
      loading: new Map(),
      previous: null,
    };
    this.indexes.set(index, live);
    return live;
  }

  private grant(live: LiveIndex, name: string, holding: Holding): Lease {
    holding.leases++;
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      holding.leases--;
      if (holding.retired && holding.leases === 0) this.drop(live, name, holding);
    };
    return { version: holding.version, release };
  }

  private isWanted(live: LiveIndex, version: string): boolean {
    return namedVersions(live.names).has(version) || live.previous?.version === version;
  }

  private keepAsPrevious(live: LiveIndex, version: string): void {
    if (live.previous !== null) clearTimeout(live.previous.timer);
    const timer = setTimeout(() => this.endGrace(live), this.graceMs);
    timer.unref();
    live.previous = { version, timer };
  }

  private endGrace(live: LiveIndex): void {
    if (live.previous !== null) clearTimeout(live.previous.timer);
    live.previous = null;
    this.retireUnnamed(live);
  }

  private retireUnnamed(live: LiveIndex): void {
    for (const [version, holding] of live.holdings) {
      if (live.loading.has(version)) continue; // it is about to be named
      if (!this.isWanted(live, version)) this.retire(live, version, holding);
      else holding.retired = false;
    }
  }

  private retire(live: LiveIndex, name: string, holding: Holding): void {
    holding.retired = true;
    if (holding.leases === 0) this.drop(live, name, holding);
  }

  private drop(live: LiveIndex, name: string, holding: Holding): void {
    if (live.holdings.get(name) === holding) live.holdings.delete(name);
    holding.version.close();
  }

  private unknownIndex(index: string): ShortlistError {
    const known = this.names().join(', ');
    return new ShortlistError('unknown_index', `there is no index ${index}; there is: ${known || 'none'}`, { index });
  }
}

/** Whether what is wrong is the version itself, so that trying again alone helps nobody. */
function isDamage({ code }: IndexFault): boolean {
  return ERRORS[code].exit === EXIT.badIndex;
}

function nothingAnswers(index: string, fault: IndexFault | undefined): ShortlistError {
  if (fault === undefined) {
    return new ShortlistError('not_ready', `index ${index} has no published version that is loaded`, { index });
  }
  const { version, code } = fault;
  const what =
    version === null ? `what is published of index ${index}` : `the published version ${version} of index ${index}`;
  const details = { index, version, cause: code };
  if (!isDamage(fault)) return new ShortlistError('not_ready', `${what} is not loaded yet (${code})`, details);
  const message = `${what} is damaged (${code}), and no version published before it can answer; the server's log names the file`;
  return new ShortlistError(
    'index_damaged',
    `${message}; it answers again once that is restored or another version is published`,
    details,
  );
}

/** Every version that a name leads to; the current one comes first. */
export function namedVersions({ current, aliases }: Names): Set<string> {
  return new Set([...(current === null ? [] : [current]), ...Object.values(aliases)]);
}
