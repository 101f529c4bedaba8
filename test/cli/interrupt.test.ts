import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeVectors, temporaryFolder, writeCatalog } from '../indexes.js';
import { shortlistJson, spawnShortlist } from './process.js';

const root = temporaryFolder();
const input = join(root, '.items.arrow');

describe('a build that is interrupted', () => {
  beforeAll(() => writeCatalog(input, { vectors: makeVectors(30_000, 32, 1), dim: 32 }));

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s removes what it has begun, says so and ends by that signal',
    async (signal) => {
      const child = spawnShortlist(['build', 'items', '--input', input, '--root', root, '--json']);
      let [stdout, stderr, asked] = ['', '', false];
      child.stdout!.on('data', (text: Buffer) => (stdout += text.toString()));
      child.stderr!.on('data', (text: Buffer) => {
        stderr += text.toString();
        if (!asked && stderr.includes('ingest: 100%')) asked = child.kill(signal); // a second one would end it at once
      });
      const end = await new Promise((resolve) => child.on('close', (code, by) => resolve(by ?? code)));
      expect(end).toBe(signal);
      expect(JSON.parse(stdout)).toMatchObject({
        error: { code: 'interrupted', message: expect.stringContaining(signal) as string },
      });
      expect(stderr).toContain(`${signal}: stopping the build of items`);
      expect(existsSync(join(root, 'items', '.staging'))).toBe(false);
      expect(readdirSync(join(root, 'items')).filter((name) => name.startsWith('2'))).toEqual([]);
    },
  );

  it('frees the lock for the next one', async () => {
    expect(
      (await shortlistJson(['build', 'items', '--input', input, '--ef-construction', '40', '--root', root])).code,
    ).toBe(0);
  });
});
