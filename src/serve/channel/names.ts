/** The names of an index (current version and aliases) as plain values: compared, merged, reduced. */
import { namedVersions, type Names } from '../../retrieve/load/live.js';

export const NO_NAMES: Names = { current: null, aliases: {} };

/** The wanted names that can be served. A name whose version is not ready stays as it was. */
export function servableNames(before: Names, wanted: Names, ready: ReadonlySet<string>): Names {
  const loaded = new Set([...namedVersions(before), ...ready]);
  const aliases: Record<string, string> = {};
  for (const [alias, version] of Object.entries(wanted.aliases)) {
    const kept = loaded.has(version) ? version : before.aliases[alias];
    if (kept !== undefined) aliases[alias] = kept;
  }
  const current = wanted.current !== null && loaded.has(wanted.current) ? wanted.current : before.current;
  return { current, aliases, fault: wanted.fault };
}

/** The names without those that point to one of these versions. */
export function withoutVersions({ current, aliases, fault }: Names, versions: ReadonlySet<string>): Names {
  return {
    fault,
    current: current === null || versions.has(current) ? null : current,
    aliases: Object.fromEntries(Object.entries(aliases).filter(([, version]) => !versions.has(version))),
  };
}

export function sameNames(a: Names, b: Names): boolean {
  const aliases = Object.entries(a.aliases);
  return (
    a.current === b.current &&
    a.fault?.code === b.fault?.code &&
    a.fault?.version === b.fault?.version &&
    aliases.length === Object.keys(b.aliases).length &&
    aliases.every(([alias, version]) => b.aliases[alias] === version)
  );
}

export function versionKey(index: string, version: string): string {
  return `${index}/${version}`;
}
