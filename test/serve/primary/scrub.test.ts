/** The scrub by itself, over a real version: what it finds, and that it keeps to its rate. */
import { chmodSync, closeSync, openSync, readdirSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { ShortlistError } from '../../../src/base/errors.js';
import { Scrub, type ServedVersion } from '../../../src/serve/primary/scrub.js';
import { buildVersion, temporaryFolder } from '../../indexes.js';
import { waitFor } from '../server.js';

const MiB = 2 ** 20;

function scrub(root: string, served: readonly ServedVersion[], rate: number) {
  const seen = { bytes: 0, finished: 0, damaged: [] as ShortlistError[] };
  const one = new Scrub(root, [], rate, {
    served: () => served,
    read: (bytes) => (seen.bytes += bytes),
    finished: () => seen.finished++,
    damaged: (_, problem) => seen.damaged.push(problem),
  });
  one.start();
  onTestFinished(() => one.stop());
  return seen;
}

it('finds a bit that a disk has lost, names the file, and goes on', async () => {
  const root = temporaryFolder();
  const { version } = await buildVersion(root, 'listings');
  const seen = scrub(root, [{ index: 'listings', version }], 100 * MiB);
  await waitFor('a pass', () => (seen.finished > 0 ? true : undefined));
  expect(seen.damaged).toEqual([]);
  const file = join(root, 'listings', version, 'shard-0000.ids');
  chmodSync(file, 0o644);
  const handle = openSync(file, 'r+');
  writeSync(handle, Buffer.from([0x5a]), 0, 1, 5000);
  closeSync(handle);
  await waitFor('the find, twice', () => (seen.damaged.length > 1 ? true : undefined));
  expect(seen.damaged[0]).toMatchObject({ code: 'file_corrupt', details: { file } });
});

it('reads no faster than it may, and not at all at a rate of 0', async () => {
  const root = temporaryFolder();
  const { version } = await buildVersion(root, 'listings', { rows: 20_000, dim: 32 });
  const folder = join(root, 'listings', version);
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  expect(bytes).toBeGreaterThan(4 * MiB);
  const never = scrub(root, [{ index: 'listings', version }], 0);
  const started = performance.now();
  const seen = scrub(root, [{ index: 'listings', version }], 4 * MiB);
  await waitFor('a pass', () => (seen.finished > 0 ? true : undefined));
  const seconds = (performance.now() - started) / 1000;
  // The last part is read before it is waited for.
  expect(seen.bytes / seconds).toBeLessThan(4 * MiB + MiB / seconds);
  expect(never.bytes).toBe(0);
});
