/** When a gateway moves from one version to another, and how groups make up a version. */
import { describe, expect, it } from 'vitest';
import { chooseVersion } from '../../../src/serve/gateway/choose-version.js';
import { coverShards } from '../../../src/serve/gateway/cover-shards.js';
import { Replica } from '../../../src/serve/gateway/replica.js';
import type { ShardGroup } from '../../../src/serve/gateway/fleet-version.js';

const UNUSED = {
  send: () => {
    throw new Error('not asked');
  },
  close: () => undefined,
};

/** A server with shards, its current version, and all that it has. */
function server(shards: readonly number[], current: string, has: readonly string[], aliases = {}): Replica {
  const replica = new Replica('somewhere:80', UNUSED);
  const versions = has.map((version) => ({ version, shards }));
  replica.setState({ protocol: 1, ready: true, indexes: [{ index: 'shop', current, aliases, versions }] });
  return replica;
}

/** What a gateway knows of the versions that these servers have. */
function versionsOf(replicas: readonly Replica[], total: number) {
  const names = new Set(replicas.flatMap(({ state }) => state!.indexes[0]!.versions.map(({ version }) => version)));
  const versions = [...names].map((version) => {
    const keys = coverShards(replicas.flatMap((replica) => replica.keyOf('shop', version) ?? []));
    const groups = keys.map((key) => ({ shards: key.split(',').map(Number) }) as unknown as ShardGroup);
    const held = groups.flatMap(({ shards }) => shards);
    const missing = Array.from({ length: total }, (_, shard) => shard).filter((shard) => !held.includes(shard));
    return [version, { groups, missing }] as const;
  });
  return new Map(versions);
}

function choose(replicas: readonly Replica[], current: string | null, waitedMs = 0) {
  const next = { version: 'b', since: 0 };
  const names = { current, aliases: {} };
  return chooseVersion('shop', versionsOf(replicas, 2), replicas, names, next, waitedMs).names;
}

describe('the version that answers', () => {
  it('is the first one that is complete', () => {
    expect(choose([server([0], 'a', ['a']), server([1], 'a', ['a'])], null).current).toBe('a');
    expect(choose([server([0], 'a', ['a'])], null).current).toBe(null);
  });

  it('stays until every group calls another one current', () => {
    expect(choose([server([0], 'b', ['a', 'b']), server([1], 'a', ['a', 'b'])], 'a').current).toBe('a');
    expect(choose([server([0], 'b', ['a', 'b']), server([1], 'b', ['a', 'b'])], 'a').current).toBe('b');
  });

  it('moves back as it moves forward', () => {
    expect(choose([server([0], 'a', ['a', 'b']), server([1], 'a', ['a', 'b'])], 'b').current).toBe('a');
  });

  it('stays while half of the servers have not moved, and then for a while if one lacks the version', () => {
    const moved = [server([0], 'b', ['a', 'b']), server([1], 'b', ['a', 'b'])];
    const before = [server([0], 'a', ['a', 'b']), server([1], 'a', ['a', 'b'])];
    expect(choose([...moved, ...before], 'a').current).toBe('a');
    const late = server([1], 'a', ['a']);
    expect(choose([...moved, late], 'a', 9_000).current).toBe('a');
    expect(choose([...moved, late], 'a', 11_000).current).toBe('b');
  });

  it('is none once no server holds it any more', () => {
    expect(choose([server([0], 'a', ['a'])], 'gone').current).toBe(null);
  });

  it('has an alias if all groups give it to the same version', () => {
    const canary = { canary: 'b' };
    const both = [server([0], 'a', ['a', 'b'], canary), server([1], 'a', ['a', 'b'], canary)];
    expect(choose(both, 'a').aliases).toEqual(canary);
    expect(choose([both[0]!, server([1], 'a', ['a', 'b'], { canary: 'a' })], 'a').aliases).toEqual({});
  });
});

describe('the groups of a version', () => {
  it('are the sets of shards, each once', () => {
    expect(coverShards(['0,1', '2,3', '0,1'])).toEqual(['0,1', '2,3']);
  });

  it('do not overlap, and prefer sets of which there are more servers', () => {
    expect(coverShards(['0,1,2,3', '0,1', '2,3', '0,1', '2,3'])).toEqual(['0,1', '2,3']);
    expect(coverShards(['0,1,2,3', '0,1', '2,3'])).toEqual(['0,1,2,3']);
    expect(coverShards(['0,1', '1,2', '2,3'])).toEqual(['0,1', '2,3']);
  });
});
