import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { openStore } from '../../src/store/objects/open-store.js';
import { storeFiles } from '../../src/store/store-files.js';
import { requireWhole } from '../../src/store/whole.js';
import { findVersionProblems } from '../../src/version/sealed/verify.js';
import { readCurrent } from '../../src/version/state/catalog.js';
import { readHistory } from '../../src/version/state/state.js';
import { spawnShortlist } from '../cli/process.js';
import { buildVersion, openGate, temporaryFolder } from '../indexes.js';
import { startFolder, startS3 } from './versions.js';

const INDEX = 'listings';
const ROUNDS = 12;

/** Ends the command after some ms, if it has not ended. */
async function runAndKill(args: readonly string[], env: NodeJS.ProcessEnv, afterMs: number): Promise<number | null> {
  const child = spawnShortlist(args, env);
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return code;
}

describe.each([
  ['S3', startS3],
  ['a folder', startFolder],
])('with %s, commands that are killed at random moments', (_, start) => {
  it('leave CURRENT at a version that is whole, and the next ones end the work', async () => {
    const random = seededRandom(7);
    const root = temporaryFolder();
    const versions: string[] = [];
    for (const seed of [1, 2]) versions.push((await buildVersion(root, INDEX, { seed, rows: 3_000, dim: 64 })).version);
    openGate(root, INDEX);
    const under = await start();
    const store = await openStore(under.url, under.env);
    const check = async (): Promise<void> => {
      const current = await readCurrent(store.url, INDEX, storeFiles(store));
      if (current !== null) await requireWhole(store, INDEX, current.version);
      const moves = await readHistory(store.url, INDEX, storeFiles(store));
      moves.forEach(({ sequence }, position) => expect(sequence).toBe(position + 1));
    };
    for (let round = 0; round < ROUNDS; round++) {
      const version = versions[round % 2]!;
      const target = `${INDEX}@${version}`;
      await runAndKill(['push', target, '--to', under.url, '--root', root], under.env, 150 + random() * 500);
      await check();
      await runAndKill(['publish', target, '--root', under.url, '--cache', root], under.env, 300 + random() * 2_500);
      await check();
      const to = join(temporaryFolder(), 'pulled');
      await runAndKill(['pull', target, '--from', under.url, '--root', to], under.env, 150 + random() * 500);
      const isThere = existsSync(join(to, INDEX, version));
      if (isThere) expect(await findVersionProblems(to, INDEX, version)).toEqual([]);
      rmSync(to, { recursive: true, force: true });
    }
    for (const version of versions) {
      const target = `${INDEX}@${version}`;
      expect(await runAndKill(['push', target, '--to', under.url, '--root', root], under.env, 60_000)).toBe(0);
      expect(await runAndKill(['publish', target, '--root', under.url, '--cache', root], under.env, 60_000)).toBe(0);
      await check();
    }
    expect((await readCurrent(store.url, INDEX, storeFiles(store)))?.version).toBe(versions[1]);
    store.close();
    await under.close();
  });
});
