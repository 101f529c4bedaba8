import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { verifyVersion } from '../../src/retrieve/load/verify.js';
import { listVersions, readCurrent, readHistory } from '../../src/version/state/catalog.js';
import { makeVectors, openGate, publishVersion, temporaryFolder, writeCatalog } from '../indexes.js';
import { randomMoments, runAndKill, timeOf } from './kill.js';
import { callJson } from './call.js';

const root = temporaryFolder();
const input = join(root, '.items.arrow');
const at = ['--root', root];

describe('commands killed with SIGKILL at random moments', () => {
  beforeAll(async () => {
    writeCatalog(input, { vectors: makeVectors(500, 16, 1), dim: 16 });
    await publishVersion(root, 'items', { rows: 200, dim: 16 });
    openGate(root, 'items');
  });

  it('a build leaves what is published alone and no half version, and the next build leaves no staging', async () => {
    const build = ['build', 'items', '--input', input, '--shards', '2', ...at];
    const current = await readCurrent(root, 'items');
    for (const moment of randomMoments(5, await timeOf(build), 71)) {
      await runAndKill(build, moment);
      expect(await readCurrent(root, 'items')).toEqual(current);
    }
    for (const { version } of await listVersions(root, 'items'))
      expect(await verifyVersion(root, 'items', version)).toEqual([]);
    expect((await callJson(build)).code).toBe(0);
    expect(existsSync(join(root, 'items', '.staging'))).toBe(false);
  });

  it('a publish or rollback leaves one version published that verifies, with a history that names it', async () => {
    const versions = (await listVersions(root, 'items')).map(({ version }) => version);
    const publish = (version: string) => ['publish', `items@${version}`, ...at];
    const lifeMs = await timeOf(publish(versions[1]!));
    const moments = randomMoments(8, lifeMs, 72);
    for (const [turn, moment] of moments.entries()) {
      const command = turn % 4 === 3 ? ['rollback', 'items', ...at] : publish(versions[turn % versions.length]!);
      await runAndKill(command, moment);
      const { version } = (await readCurrent(root, 'items'))!;
      expect(await verifyVersion(root, 'items', version)).toEqual([]);
    }
    const { code, json } = await callJson(publish(versions[0]!));
    expect({ code, json }).toMatchObject({ code: 0, json: { version: versions[0] } });
    expect((await readHistory(root, 'items')).at(-1)?.version).toBe(versions[0]);
  });

  it('a prune leaves the published version and whole ones', async () => {
    const prune = ['prune', 'items', '--keep', '1', ...at];
    for (const moment of randomMoments(4, 200, 73)) await runAndKill(prune, moment);
    expect((await callJson(prune)).code).toBe(0);
    const left = await listVersions(root, 'items');
    for (const { version } of left) expect(await verifyVersion(root, 'items', version)).toEqual([]);
    expect(left.map(({ version }) => version)).toContain((await readCurrent(root, 'items'))!.version);
    // What is published, what it replaced, where a rollback goes, and the newest that never was published.
    expect(left.length).toBeLessThanOrEqual(4);
  });
});
