/**
 * Lays the files of all parts into a staging directory, where they are sealed. Files are linked, or copied where the
 * file system has no links. Files of ids are written anew if rows were left out: then ordinals are not row numbers.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import { closing, copyBytes, ensureDirectory } from '../../version/disk/durable.js';
import { errnoIn, type FileSystem } from '../../version/disk/files.js';
import { stagingPath } from '../../version/disk/paths.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { writeShardIds } from '../../version/sealed/ids-writer.js';
import { attributesFile, idsFile } from '../../version/sealed/shard-files.js';
import { typeName } from '../../version/sealed/type-name.js';
import { readIdFile, readOrdinals } from '../../version/sealed/version-reader.js';
import type { WrittenRows } from '../../version/sealed/version-writer.js';
import type { BuildPlan } from './build-plan.js';
import { readRejected } from './join-rejects.js';
import type { Part, PartFolder } from './part-folder.js';

interface Place {
  readonly root: string;
  readonly index: string;
  readonly plan: BuildPlan;
  readonly folder: PartFolder;
  readonly files: FileSystem;
}

/** Errnos of file systems without links. */
const NO_LINK = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']);

export async function stageParts(place: Place, parts: readonly Part[], signal?: AbortSignal): Promise<WrittenRows> {
  const { root, index, plan, folder, files } = place;
  const directory = join(stagingPath(root, index), randomUUID());
  await ensureDirectory(directory, files);
  const rejected = await readRejected(parts.map(({ shard }) => folder.pathOf(shard)), files); // prettier-ignore
  const digests = new Map<string, string>();
  for (const part of parts) {
    for (const { name, sha256 } of part.files) {
      signal?.throwIfAborted();
      const from = join(folder.pathOf(part.shard), name);
      if (name === idsFile(part.shard) && rejected.length > 0)
        await renumber(place, part, rejected, join(directory, name)); // prettier-ignore
      else {
        await linkOrCopy(from, join(directory, name), files);
        digests.set(name, sha256);
      }
    }
  }
  const dim = parts.find((part) => part.dim !== null)!.dim!;
  const digest = ({ shard, files: own }: Part): string => own.find(({ name }) => name === attributesFile(shard))!.sha256; // prettier-ignore
  const attributes = plan.ingest.attributes.length === 0 ? null : parts.map(digest);
  return { directory, dim, counts: parts.map(({ count }) => count), attributes, digests };
}

/** Writes the ids of a part with ordinals: the number of each row, less the rejected rows before it. */
async function renumber(place: Place, part: Part, rejected: Uint32Array, to: string): Promise<void> {
  const { plan, folder, files } = place;
  const { shard, count } = part;
  const shards = Array.from({ length: plan.options.shards }, (_, i) => ({ files: [], count: i === shard ? count : 0 }));
  const id = { type: typeName(plan.ingest.idType) };
  // What reading one shard looks at.
  const manifest = { format: 2, id, shards, attributes: [], count: plan.ingest.rows } as unknown as Manifest;
  const version = { directory: folder.pathOf(shard), manifest };
  const ordinals = await readOrdinals(version, shard, files);
  let before = 0;
  for (let row = 0; row < ordinals.length; row++) {
    while (before < rejected.length && rejected[before]! < ordinals[row]!) before++;
    ordinals[row]! -= before;
  }
  await writeShardIds(to, ordinals, await readIdFile(version, shard, files), files);
}

async function linkOrCopy(from: string, to: string, files: FileSystem): Promise<void> {
  try {
    await files.link(from, to);
  } catch (error) {
    if (!(error instanceof ShortlistError) || !NO_LINK.has(errnoIn(error) ?? '')) throw error;
    await copy(from, to, files);
  }
}

async function copy(from: string, to: string, files: FileSystem): Promise<void> {
  const source = await files.open(from, 'read');
  await closing(source, async () => {
    const target = await files.open(to, 'create');
    await closing(target, () => copyBytes(source, target));
  });
}
