import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { LiveIndexes } from '../../../src/retrieve/load/live.js';
import { search } from '../../../src/retrieve/search/run-search.js';
import { buildVersion, temporaryFolder } from '../../indexes.js';

const GRACE_MS = 150;
const query = Float32Array.of(1, 0, 0, 0);
const thrown = (code: string) => expect.objectContaining({ code }) as Error;

describe('LiveIndexes', () => {
  const root = temporaryFolder();
  const versions: string[] = [];
  let live: LiveIndexes;
  beforeAll(async () => {
    for (let seed = 1; seed <= 3; seed++)
      versions.push((await buildVersion(root, 'items', { rows: 50, dim: 4, seed })).version);
  });
  beforeEach(() => (live = new LiveIndexes(root, undefined, GRACE_MS)));
  afterEach(() => live.close());

  const current = (version: string | null, aliases = {}) => ({ current: version, aliases });
  const loadedNames = () => live.loaded().map(({ version }) => version).sort(); // prettier-ignore

  it('does not know an index before anything was prepared or applied', () => {
    expect(() => live.lease('items')).toThrow(thrown('unknown_index'));
    live.apply('items', current(null));
    expect(() => live.lease('items')).toThrow(thrown('not_ready'));
  });

  it('a prepared version does not answer until it is applied', async () => {
    await live.prepare('items', versions[0]!);
    expect(() => live.lease('items')).toThrow(thrown('not_ready'));
    expect(() => live.lease('items', versions[0])).toThrow(thrown('version_not_loaded'));
    live.apply('items', current(versions[0]!));
    expect(live.lease('items').version.manifest.version).toBe(versions[0]);
  });

  it('refuses to apply what was not prepared', () => {
    expect(() => live.apply('items', current(versions[0]!))).toThrow('apply before prepare');
  });

  it('preparing the same version at once twice loads it once', async () => {
    await Promise.all([live.prepare('items', versions[0]!), live.prepare('items', versions[0]!)]);
    expect(loadedNames()).toEqual([versions[0]]);
  });

  it('keeps the previous version while it is asked for, if it holds shards for a gateway', async () => {
    const leaf = new LiveIndexes(root, undefined, GRACE_MS, { shards: [0], keepsUsed: true });
    try {
      for (const version of versions.slice(0, 2)) {
        await leaf.prepare('items', version);
        leaf.apply('items', current(version));
      }
      for (let waited = 0; waited < 4 * GRACE_MS; waited += GRACE_MS / 5) {
        leaf.lease('items', versions[0]).release();
        await sleep(GRACE_MS / 5);
      }
      await sleep(3 * GRACE_MS);
      expect(() => leaf.lease('items', versions[0])).toThrow(thrown('version_not_loaded'));
    } finally {
      leaf.close();
    }
  });

  it('a version that was leased before a switch answers until it is released, then goes after its grace', async () => {
    await live.prepare('items', versions[0]!);
    live.apply('items', current(versions[0]!));
    const lease = live.lease('items');
    await live.prepare('items', versions[1]!);
    live.apply('items', current(versions[1]!));
    expect(live.lease('items', versions[0]).version).toBe(lease.version);
    await sleep(GRACE_MS + 100);
    expect(() => live.lease('items', versions[0])).toThrow(thrown('version_not_loaded'));
    expect(search(lease.version, query, { k: 3 }).ordinals).toHaveLength(3);
    expect(loadedNames()).toHaveLength(2);
  });

  it('lets go of an unleased version when its grace ends, and of an older one at the next switch', async () => {
    for (const version of versions) {
      await live.prepare('items', version);
      live.apply('items', current(version));
    }
    expect(loadedNames()).toEqual([versions[1], versions[2]]);
    await sleep(GRACE_MS + 100);
    expect(loadedNames()).toEqual([versions[2]]);
  });

  it('a roll back within the grace needs no second load and keeps the version', async () => {
    await live.prepare('items', versions[0]!);
    live.apply('items', current(versions[0]!));
    const first = live.lease('items');
    await live.prepare('items', versions[1]!);
    live.apply('items', current(versions[1]!));
    await live.prepare('items', versions[0]!);
    live.apply('items', current(versions[0]!));
    await sleep(GRACE_MS + 100);
    const again = live.lease('items');
    expect(again.version).toBe(first.version);
    first.release();
    first.release();
    expect(search(again.version, query, { k: 1 }).ordinals).toHaveLength(1);
  });

  it('a version that is prepared again while its last answer is on its way stays', async () => {
    await live.prepare('items', versions[0]!);
    live.apply('items', current(versions[0]!));
    const lease = live.lease('items');
    for (const version of [versions[1]!, versions[2]!]) {
      await live.prepare('items', version);
      live.apply('items', current(version));
    }
    expect(() => live.lease('items', versions[0])).toThrow(thrown('version_not_loaded'));
    await live.prepare('items', versions[0]!);
    lease.release();
    live.apply('items', current(versions[0]!));
    expect(live.lease('items').version).toBe(lease.version);
  });

  it('serves aliases beside the current version', async () => {
    await live.prepare('items', versions[0]!);
    await live.prepare('items', versions[1]!);
    live.apply('items', current(versions[0]!, { canary: versions[1]! }));
    expect(live.lease('items', 'canary').version.manifest.version).toBe(versions[1]);
    expect(live.lease('items').version.manifest.version).toBe(versions[0]);
    live.apply('items', current(versions[0]!));
    expect(() => live.lease('items', 'canary')).toThrow(thrown('version_not_loaded'));
  });

  it('discards what was prepared in vain, but never a version in use', async () => {
    await live.prepare('items', versions[0]!);
    live.apply('items', current(versions[0]!));
    await live.prepare('items', versions[1]!);
    live.discard('items', versions[1]!);
    live.discard('items', versions[0]!);
    expect(loadedNames()).toEqual([versions[0]]);
  });

  it('a version that fails to load leaves what was there', async () => {
    await live.prepare('items', versions[0]!);
    live.apply('items', current(versions[0]!));
    await expect(live.prepare('items', '20200101T000000Z-00000000')).rejects.toThrow(thrown('version_not_found'));
    expect(live.lease('items').version.manifest.version).toBe(versions[0]);
  });
});
