import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildIndex } from '../../src/builder/build-index.js';
import { verifyVersion } from '../../src/retrieve/load/verify.js';
import { listVersions } from '../../src/version/state/catalog.js';
import { FaultFileSystem, FAULTS, ProcessDied } from '../fault-file-system.js';
import { buildOptions, makeVectors, temporaryFolder, writeCatalog } from '../indexes.js';
import { deadProcess, temporaryDirectory } from '../version/versions.js';

const DIM = 8;

/** A lock whose claim was half written when the power went has no owner to ask: it must be seen not to move for a while. */
const IMPATIENT = { waitMs: 5_000, timing: { heartbeatMs: 20, staleMs: 60, confirmMs: 40, pollMs: 10 } };
const root = temporaryFolder();
const input = join(root, '.items.arrow');
const dirty = join(root, '.dirty.arrow');
writeCatalog(input, { vectors: makeVectors(300, DIM, 1), dim: DIM });
const vectors = makeVectors(300, DIM, 1);
vectors.fill(0, 5 * DIM, 6 * DIM);
vectors[7 * DIM] = NaN;
writeCatalog(dirty, { vectors, dim: DIM });

const unbroken = { clean: '', dirty: '' };
beforeAll(async () => {
  const contentOf = async (inputs: string[], more: object = {}): Promise<string> =>
    (await buildIndex(buildOptions(temporaryDirectory(), 'items', inputs, more))).manifest.content;
  unbroken.clean = await contentOf([input]);
  unbroken.dirty = await contentOf([dirty], { onBadRow: 'skip' });
});

describe('a build whose file system fails at operation N', () => {
  it.each(FAULTS)(
    '%s: there is no version or a whole one, and the next build cleans up',
    async (fault) => {
      let operations = Infinity;
      // Every seventh operation, from a start that differs by fault: together they meet all kinds of operations.
      for (let at = 1 + FAULTS.indexOf(fault); at <= operations; at += 7) {
        const [indexRoot, scratch] = [temporaryDirectory(), temporaryDirectory()];
        const files = new FaultFileSystem(fault, at, scratch);
        const options = buildOptions(indexRoot, 'items', [dirty], {
          onBadRow: 'skip',
          files,
          lock: { owner: deadProcess() },
        });
        const outcome = await buildIndex(options).then(
          () => null,
          (error: unknown) => error,
        );
        if (outcome === null) operations = files.log.length;
        else if (!(outcome instanceof ProcessDied))
          expect(outcome).toMatchObject({ code: fault === 'ENOSPC' ? 'disk_full' : 'io_error' });
        files.settle(indexRoot);
        const versions = existsSync(join(indexRoot, 'items'))
          ? await listVersions(indexRoot, 'items').catch(() => [])
          : [];
        for (const { version } of versions) expect(await verifyVersion(indexRoot, 'items', version)).toEqual([]);
        // The same input continues what is left, another starts over: both end with a whole version of their rows.
        const isSame = at % 2 === 0;
        const next = isSame ? { inputs: [dirty], onBadRow: 'skip' as const } : {};
        const { manifest, rejectsPath } = await buildIndex(
          buildOptions(indexRoot, 'items', [input], { lock: IMPATIENT, ...next }),
        );
        expect(await verifyVersion(indexRoot, 'items', manifest.version)).toEqual([]);
        expect(manifest.content).toBe(isSame ? unbroken.dirty : unbroken.clean);
        if (isSame) expect(readFileSync(rejectsPath!, 'utf8').split('\n')).toHaveLength(3);
        expect(existsSync(join(indexRoot, 'items', '.staging'))).toBe(false);
      }
      expect(operations).toBeLessThan(Infinity);
    },
    120_000,
  );
});
