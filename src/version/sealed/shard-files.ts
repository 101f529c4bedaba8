/**
 * Which file of a version has what.
 *
 * Format 2, which builds write, is made of shards: `shard-0007.vectors`, `.ids` (with the rows' ordinals),
 * `.attributes.arrow` and the engine's files. Who builds, serves or verifies some shards touches only their files.
 * Format 1 has `shard-0007.bin` (vectors and ordinals) and the engine's files for each shard, and `ids.bin` and
 * `attributes.arrow` for all of them, by ordinal.
 */
import { shardFile } from '../disk/paths.js';
import type { SectionFileKind } from '../disk/section-layout.js';
import type { Manifest, ShardEntry } from './manifest.js';

/** The files that format 1 has once. */
const SHARED_IDS = 'ids.bin';
const SHARED_ATTRIBUTES = 'attributes.arrow';

export const vectorsFile = (shard: number): string => shardFile(shard, 'vectors');
export const idsFile = (shard: number): string => shardFile(shard, 'ids');
export const attributesFile = (shard: number): string => shardFile(shard, 'attributes.arrow');

/** Names of the files that hold the parts of one shard. */
interface ShardFiles {
  readonly vectors: string;
  readonly ordinals: string;
  /** Of the whole version in format 1. */
  readonly ids: string;
  /** Of the whole version in format 1; null without attributes. */
  readonly attributes: string | null;
  /** What the engine wrote; none for a shard without rows. */
  readonly graph: readonly string[];
}

type Layout = Pick<Manifest, 'format' | 'attributes'> & { readonly shards: readonly Pick<ShardEntry, 'files'>[] };

export function shardFilesOf({ format, attributes, shards }: Layout, shard: number): ShardFiles {
  const hasAttributes = attributes.length > 0;
  const { files } = shards[shard]!;
  if (format === 1) {
    const rows = shardFile(shard, 'bin');
    return {
      vectors: rows,
      ordinals: rows,
      ids: SHARED_IDS,
      attributes: hasAttributes ? SHARED_ATTRIBUTES : null,
      graph: files.slice(1),
    };
  }
  return {
    vectors: vectorsFile(shard),
    ordinals: idsFile(shard),
    ids: idsFile(shard),
    attributes: hasAttributes ? attributesFile(shard) : null,
    graph: files.slice(hasAttributes ? 3 : 2),
  };
}

/** What the manifest lists first for a shard: all of its files but the engine's. */
export function rowFilesOf({ format, attributes }: Pick<Manifest, 'format' | 'attributes'>, shard: number): string[] {
  if (format === 1) return [shardFile(shard, 'bin')];
  return [vectorsFile(shard), idsFile(shard), ...(attributes.length > 0 ? [attributesFile(shard)] : [])];
}

/** The files that belong to no shard alone. */
export function sharedFilesOf({ format, attributes }: Pick<Manifest, 'format' | 'attributes'>): string[] {
  if (format !== 1) return [];
  return attributes.length > 0 ? [SHARED_IDS, SHARED_ATTRIBUTES] : [SHARED_IDS];
}

/** Whether an engine may give a file this name. */
export function isGraphFile(shard: number, name: string): boolean {
  const reserved = [vectorsFile(shard), idsFile(shard), attributesFile(shard)];
  return name.startsWith(shardFile(shard, '')) && !reserved.includes(name);
}

/** The kind of a section file of format 2; null for other files. */
export function sectionKindOf(name: string): SectionFileKind | null {
  const suffix = /^shard-\d+\.(vectors|ids)$/.exec(name)?.[1];
  return suffix === undefined ? null : suffix === 'ids' ? 'ids' : 'shard';
}

/** Those of some shards that a version has; undefined, for all, if none are named. */
export function shardsOf(
  { shards }: Pick<Manifest, 'shards'>,
  named: readonly number[],
): readonly number[] | undefined {
  return named.length === 0 ? undefined : named.filter((shard) => shard < shards.length);
}
