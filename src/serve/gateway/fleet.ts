/**
 * The servers of a fleet and the versions that they hold together.
 *
 * Every half second each server is asked for its state. Servers that hold the same shards of a version are a group;
 * groups with different shards make up the version. Nothing is configured but addresses. Which version answers is
 * decided here (choose-version.ts); every request names it to the servers, so that no answer mixes versions.
 */
import { ShortlistError } from '../../base/errors.js';
import { namedVersions, type Names } from '../../retrieve/load/live.js';
import { factsPath, PROTOCOL, readFacts, readState, STATE_PATH, type VersionFacts } from '../fleet/state.js';
import type { Logger } from '../channel/logger.js';
import { chooseVersion } from './choose-version.js';
import { ConnectionPool } from './connection-pool.js';
import type { Discovery } from './discovery.js';
import { FleetVersion } from './fleet-version.js';
import { Replica } from './replica.js';
import { ReplicaGroup, type CallObserver } from './replica-group.js';
import { coverShards } from './cover-shards.js';

const POLL_MS = 500;
/** A server that does not say in this time how it is cannot search either. */
const POLL_TIMEOUT_MS = 2_000;
const FACTS_TIMEOUT_MS = 10_000;
/** How often names are resolved, and calibrations read again. */
const RENEW_MS = 5_000;

interface FleetIndex {
  names: Names;
  /** Versions whose facts are known and that some server holds. */
  readonly versions: Map<string, FleetVersion>;
  /** The version that could answer next, and since when. */
  next: { readonly version: string; readonly since: number } | null;
}

export class Fleet {
  private readonly replicas = new Map<string, Replica>();
  private readonly groups = new Map<string, ReplicaGroup>();
  private readonly indexes = new Map<string, FleetIndex>();
  private renewedAt = -Infinity;
  private timer: NodeJS.Timeout | null = null;
  private isStopped = false;

  /** @param wanted names of the indexes to answer for; empty: all */
  constructor(
    private readonly discovery: Discovery,
    private readonly wanted: readonly string[],
    private readonly observer: CallObserver,
    private readonly log: Logger,
  ) {}

  /** Asks all servers once, and from then on again and again. */
  async start(): Promise<void> {
    await this.poll();
    if (!this.isStopped) this.timer = setTimeout(() => void this.start(), POLL_MS);
  }

  stop(): void {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    for (const replica of this.replicas.values()) replica.close();
  }

  /** Number of servers by how they are. */
  counts(): Record<'ready' | 'ejected' | 'unreachable', number> {
    const counts = { ready: 0, ejected: 0, unreachable: 0 };
    for (const { isReachable, isEjected } of this.replicas.values())
      counts[!isReachable ? 'unreachable' : isEjected ? 'ejected' : 'ready']++;
    return counts;
  }

  names(): string[] {
    return [...this.indexes.keys()].sort();
  }

  /** @throws unknown_index */
  namesOf(index: string): Names {
    return this.indexOf(index).names;
  }

  loaded(): { index: string; version: string; residentBytes: number }[] {
    return this.names().flatMap((index) =>
      [...this.indexOf(index).versions.values()]
        .filter(({ missing }) => missing.length === 0)
        .map(({ manifest }) => ({ index, version: manifest.version, residentBytes: 0 })),
    );
  }

  /** @param ref a version or alias; default: current @throws unknown_index, not_ready, version_not_loaded */
  versionOf(index: string, ref?: string): FleetVersion {
    const { names, versions } = this.indexOf(index);
    const name = ref === undefined ? names.current : (names.aliases[ref] ?? ref);
    if (name === null) {
      const message = `no version of index ${index} is loaded by servers that hold all of its shards`;
      throw new ShortlistError('not_ready', message, { index });
    }
    const version = versions.get(name);
    if (version !== undefined) return version;
    const message = `version or alias ${ref ?? name} of index ${index} is not loaded; loaded versions: ${[...namedVersions(names)].join(', ') || 'none'}`;
    throw new ShortlistError('version_not_loaded', message, { index, version: ref ?? name });
  }

  private indexOf(index: string): FleetIndex {
    const known = this.indexes.get(index);
    if (known !== undefined) return known;
    const message = `there is no index ${index}; known indexes: ${this.names().join(', ') || 'none'}`;
    throw new ShortlistError('unknown_index', message, { index });
  }

  private async poll(): Promise<void> {
    const isRenewal = performance.now() - this.renewedAt > RENEW_MS;
    if (isRenewal) this.setAddresses(await this.discovery.resolve());
    await Promise.all([...this.replicas.values()].map((replica) => this.pollReplica(replica)));
    const names = new Set([...this.replicas.values()].flatMap(({ state }) => state?.indexes.map(({ index }) => index) ?? [])); // prettier-ignore
    const known = [...names].filter((index) => this.wanted.length === 0 || this.wanted.includes(index));
    await Promise.all(known.map((index) => this.update(index, isRenewal)));
    if (isRenewal) this.renewedAt = performance.now();
  }

  private setAddresses(addresses: readonly string[]): void {
    for (const [address, replica] of this.replicas) {
      if (addresses.includes(address)) continue;
      this.replicas.delete(address);
      this.log.info({ server: address }, 'server is gone');
      setTimeout(() => replica.close(), FACTS_TIMEOUT_MS).unref(); // requests in flight may end
    }
    for (const address of addresses) {
      if (this.replicas.has(address)) continue;
      this.replicas.set(address, new Replica(address, new ConnectionPool(`http://${address}`)));
      this.log.info({ server: address }, 'server found');
    }
  }

  private async pollReplica(replica: Replica): Promise<void> {
    const was = replica.isReachable;
    try {
      const state = readState(await this.get(replica, STATE_PATH, POLL_TIMEOUT_MS));
      if (state.protocol !== PROTOCOL) throw new Error(`it speaks protocol ${state.protocol}, not ${PROTOCOL}`);
      replica.setState(state);
      replica.isReachable = state.ready;
    } catch (error) {
      replica.isReachable = false;
      if (was) this.log.warn({ server: replica.address, error: (error as Error).message }, 'server does not answer');
    }
    if (!was && replica.isReachable) this.log.info({ server: replica.address }, 'server answers');
  }

  private async get(replica: Replica, path: string, timeoutMs: number): Promise<unknown> {
    const request = { method: 'GET', path, headers: {}, body: null } as const;
    const sending = replica.send(request);
    const timer = setTimeout(() => sending.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    try {
      return JSON.parse((await sending.answer).toString()) as unknown;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Brings an index up to what the servers say. */
  private async update(index: string, renewFacts: boolean): Promise<void> {
    const known = this.indexes.get(index) ?? { names: { current: null, aliases: {} }, versions: new Map<string, FleetVersion>(), next: null }; // prettier-ignore
    const holders = this.holdersOf(index);
    for (const [version, replicas] of holders) {
      const before = known.versions.get(version);
      const isLive = namedVersions(known.names).has(version);
      const facts = before !== undefined && !(renewFacts && isLive) ? before.facts : await this.readFacts(index, version, replicas, before); // prettier-ignore
      if (facts === null) continue;
      const groups = coverShards(replicas.map((replica) => replica.keyOf(index, version)!)).map((key) => this.groupFor(key)); // prettier-ignore
      const isSame = before?.facts === facts && sameGroups(before.groups, groups);
      if (!isSame) known.versions.set(version, new FleetVersion(facts, groups));
    }
    for (const version of [...known.versions.keys()]) if (!holders.has(version)) known.versions.delete(version);
    this.indexes.set(index, known);
    this.switchVersion(index, known);
  }

  /** By version, the servers that hold shards of it. */
  private holdersOf(index: string): Map<string, Replica[]> {
    const holders = new Map<string, Replica[]>();
    for (const replica of this.replicas.values()) {
      const state = replica.state?.indexes.find((one) => one.index === index);
      for (const { version, shards } of state?.versions ?? []) {
        if (shards.length > 0) holders.set(version, [...(holders.get(version) ?? []), replica]);
      }
    }
    return holders;
  }

  private async readFacts(
    index: string,
    version: string,
    holders: readonly Replica[],
    before: FleetVersion | undefined,
  ): Promise<VersionFacts | null> {
    const holder = holders.find(({ isReachable }) => isReachable);
    if (holder === undefined) return before?.facts ?? null;
    try {
      const facts = readFacts(await this.get(holder, factsPath(index, version), FACTS_TIMEOUT_MS));
      return before !== undefined && JSON.stringify(before.facts.calibration) === JSON.stringify(facts.calibration)
        ? before.facts
        : facts;
    } catch (error) {
      const { message } = error as Error;
      this.log.warn({ server: holder.address, index, version, error: message }, 'facts of a version cannot be read');
      return before?.facts ?? null;
    }
  }

  /** One group per set of shards, over all versions: it knows how its servers have answered. */
  private groupFor(key: string): ReplicaGroup {
    let group = this.groups.get(key);
    if (group === undefined) {
      group = new ReplicaGroup(key.split(',').map(Number), () => this.replicas.values(), this.observer);
      this.groups.set(key, group);
    }
    return group;
  }

  private switchVersion(index: string, known: FleetIndex): void {
    const { current } = known.names;
    const replicas = [...this.replicas.values()].filter(({ isReachable }) => isReachable);
    const chosen = chooseVersion(index, known.versions, replicas, known.names, known.next, performance.now());
    known.next = chosen.next;
    known.names = chosen.names;
    if (known.names.current === current) return;
    this.log.info({ index, version: known.names.current, previous: current }, 'switched');
  }
}

function sameGroups(a: FleetVersion['groups'], b: FleetVersion['groups']): boolean {
  return a.length === b.length && a.every((group, i) => group === b[i]);
}
