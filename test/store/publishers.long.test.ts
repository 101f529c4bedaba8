import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/objects/open-store.js';
import { pushVersion } from '../../src/store/push.js';
import { storeFiles } from '../../src/store/store-files.js';
import { readCurrent } from '../../src/version/state/catalog.js';
import { readRecordedMoves } from '../../src/version/state/state.js';
import { INDEX } from '../version/versions.js';
import { makeRoot, STORES } from './versions.js';

const PUBLISHER = fileURLToPath(new URL('publisher.ts', import.meta.url));
const PUBLISHERS = 3;
const MOVES = 67;

interface Outcome {
  readonly who: string;
  readonly moves: readonly { readonly version: string; readonly previous: string | null; readonly changed: boolean }[];
}

async function runPublisher(url: string, env: NodeJS.ProcessEnv, who: string, versions: readonly string[]): Promise<Outcome> {
  const args = ['--import', 'tsx', PUBLISHER, url, INDEX, who, String(MOVES), ...versions];
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (part: Buffer) => (text += part.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(code, who).toBe(0);
  return { who, moves: text.trim().split('\n').map((line) => JSON.parse(line) as Outcome['moves'][number]) };
} // prettier-ignore

describe('200 publishes by three processes at once', () => {
  it.each(STORES)('leave a linear history in %s, with every move that a publisher won', async (_, start) => {
    const under = await start();
    const store = await openStore(under.url, under.env);
    const { root, versions } = await makeRoot(4);
    for (const version of versions) await pushVersion(root, INDEX, version, store);
    const rotated = (by: number): string[] => [...versions.slice(by), ...versions.slice(0, by)];
    const outcomes = await Promise.all(
      Array.from({ length: PUBLISHERS }, (__, n) => runPublisher(under.url, under.env, `publisher ${n}`, rotated(n))),
    );
    const moves = await readRecordedMoves(store.url, INDEX, storeFiles(store));
    moves.forEach(({ sequence, previous }, position) => {
      expect(sequence).toBe(position + 1);
      expect(previous).toBe(position === 0 ? null : moves[position - 1]!.version);
    });
    for (const { who, moves: won } of outcomes) {
      const recorded = moves.filter((move) => move.who === who).map(({ version, previous }) => ({ version, previous }));
      expect(recorded).toEqual(won.filter(({ changed }) => changed).map(({ version, previous }) => ({ version, previous }))); // prettier-ignore
    }
    expect((await readCurrent(store.url, INDEX, storeFiles(store)))?.version).toBe(moves.at(-1)!.version);
    expect(moves.length).toBeGreaterThan(MOVES);
    store.close();
    await under.close();
  });
});
