/**
 * Decides which version of an index answers, from what the servers say is current for them.
 *
 * A version can answer if servers that can be reached hold all of its shards. It replaces the one that answers if in
 * each of its groups some server calls it current, and more servers do than call the other one current. Then all
 * servers should have it, or half of them would get all requests; after some time it is enough that each group has
 * one. Servers keep a version as long as they are asked for it, so nothing is lost in between.
 */
import type { Names } from '../../retrieve/load/live.js';
import type { FleetVersion } from './fleet-version.js';
import type { Replica } from './replica.js';

/** How long the last server of a group may take, or fail, to load a version that the others have. */
const PATIENCE_MS = 10_000;

interface Next {
  readonly version: string;
  readonly since: number;
}

interface Chosen {
  readonly names: Names;
  readonly next: Next | null;
}

type Versions = ReadonlyMap<string, Pick<FleetVersion, 'groups' | 'missing'>>;
type Server = Pick<Replica, 'state' | 'keyOf'>;

/** @param replicas those that can be reached @param next the version that was to answer next */
export function chooseVersion(
  index: string,
  versions: Versions,
  replicas: readonly Server[],
  names: Names,
  next: Next | null,
  now: number,
): Chosen {
  const aliases = chooseAliases(index, versions, replicas);
  const keep = (waiting: Next | null): Chosen => ({ names: { current: keptVersion(versions, names), aliases }, next: waiting }); // prettier-ignore
  const isCurrent = (version: string) => (replica: Server) => stateOf(replica, index)?.current === version;
  const candidates = [...versions.keys()]
    .filter((version) => allGroupsSay(index, version, versions, replicas, isCurrent(version)))
    .map((version) => ({ version, votes: replicas.filter(isCurrent(version)).length }))
    .sort((a, b) => b.votes - a.votes || (a.version < b.version ? 1 : -1));
  const [best] = candidates;
  if (best === undefined || best.version === names.current) return keep(null);
  const votesOfCurrent = candidates.find(({ version }) => version === names.current)?.votes ?? 0;
  if (votesOfCurrent >= best.votes) return keep(null);
  const waiting = next?.version === best.version ? next : { version: best.version, since: now };
  const keys = new Set(versions.get(best.version)!.groups.map(({ shards }) => shards.join()));
  const haveAll = replicas.every((replica) => isElsewhere(replica, index, keys, versions) || replica.keyOf(index, best.version) !== null); // prettier-ignore
  const isFirst = names.current === null;
  if (!isFirst && !haveAll && now - waiting.since < PATIENCE_MS) return keep(waiting);
  return { names: { current: best.version, aliases }, next: null };
}

/** A version that no server holds any more cannot answer. */
function keptVersion(versions: Versions, { current }: Names): string | null {
  return current !== null && versions.has(current) ? current : null;
}

/** True if all shards are held, and in each group some server says so. */
function allGroupsSay(
  index: string,
  version: string,
  versions: Versions,
  replicas: readonly Server[],
  says: (replica: Server) => boolean,
): boolean {
  const { groups, missing } = versions.get(version)!;
  if (missing.length > 0) return false;
  return groups.every(({ shards }) => {
    const key = shards.join();
    return replicas.some((replica) => replica.keyOf(index, version) === key && says(replica));
  });
}

function stateOf({ state }: Server, index: string) {
  return state?.indexes.find((one) => one.index === index);
}

/** True for a server that does not serve the index, or holds other shards than the groups. */
function isElsewhere(replica: Server, index: string, keys: ReadonlySet<string>, versions: Versions): boolean {
  const own = [...versions.keys()].map((version) => replica.keyOf(index, version)).filter((key) => key !== null);
  return own.length === 0 || !own.some((key) => keys.has(key));
}

/** An alias that all groups give to the same version. */
function chooseAliases(index: string, versions: Versions, replicas: readonly Server[]): Record<string, string> {
  const aliases: Record<string, string> = {};
  for (const replica of replicas) {
    for (const [alias, version] of Object.entries(stateOf(replica, index)?.aliases ?? {})) {
      if (!versions.has(version) || aliases[alias] !== undefined) continue;
      const says = (other: Server) => stateOf(other, index)?.aliases[alias] === version;
      if (allGroupsSay(index, version, versions, replicas, says)) aliases[alias] = version;
    }
  }
  return aliases;
}
