/**
 * The members of MANIFEST.json: what a version is, what it was built from, and the size and digest of each of its
 * files. Readers ignore members that they do not know; a change that older readers must not ignore raises
 * MANIFEST_FORMAT.
 */
import type { Metric } from '../../base/metric.js';

/** What builds write. */
export const MANIFEST_FORMAT = 2;

/** What is read; shard-files.ts has the difference. */
export const MANIFEST_FORMATS = [1, 2] as const;

/** One file of the version. */
export interface FileEntry {
  readonly name: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

export interface ShardEntry {
  /** Its own files (shard-files.ts); all are in the version's `files` too. */
  readonly files: readonly string[];
  readonly count: number;
  /** What the engine measured while it built the graph, by name; may be empty. Equal in equal builds. */
  readonly figures: Readonly<Record<string, number>>;
}

/** A column: `type` is the type of its stored values (type-name.ts), `label` the Arrow type of the source. */
export interface ColumnEntry {
  readonly column: string;
  readonly type: string;
  readonly label: string;
}

export interface AttributeEntry {
  readonly name: string;
  readonly type: string;
  readonly label: string;
  readonly nullable: boolean;
}

/** The value of a parameter or option, as it was given. */
export type Setting = string | number | boolean | null | readonly string[];

export interface EngineEntry {
  readonly name: string;
  /** m, ef_construction and whatever else the engine needs to read its files. */
  readonly parameters: Readonly<Record<string, Setting>>;
}

export interface SourceEntry {
  readonly path: string;
  readonly bytes: number;
  readonly rows: number;
  /** Hex. */
  readonly sha256: string;
}

export interface RejectsEntry {
  readonly total: number;
  /** Rows left out, by kind (bad-rows.ts). */
  readonly kinds: Readonly<Record<string, number>>;
}

/** The part of the manifest that the build knows; the writer adds the rest. */
export interface ManifestDraft {
  readonly tool_version: string;
  readonly metric: Metric;
  readonly id: ColumnEntry;
  readonly vector: ColumnEntry;
  readonly engine: EngineEntry;
  readonly seed: number;
  readonly options: Readonly<Record<string, Setting>>;
  readonly sources: readonly SourceEntry[];
  readonly rejects: RejectsEntry;
  /** Rows left out because an earlier row had their id; they also count among `rejects`. */
  readonly duplicates: number;
  /** Mean length of the input's vectors, before cosine scales them to unit length. Earlier releases lack it. */
  readonly input_norm?: number;
  /** Seconds of each stage of the build, by name. */
  readonly stages: Readonly<Record<string, number>>;
}

export interface Manifest extends ManifestDraft {
  readonly format: (typeof MANIFEST_FORMATS)[number];
  readonly index: string;
  readonly version: string;
  /** When the version was sealed: ISO 8601, UTC. */
  readonly created_at: string;
  readonly dim: number;
  /** Rows of all shards. */
  readonly count: number;
  readonly shards: readonly ShardEntry[];
  readonly attributes: readonly AttributeEntry[];
  /** Every file of the directory except the manifest, sorted by name. */
  readonly files: readonly FileEntry[];
  /** `sha256:<hex>` over `files`: see contentDigest. */
  readonly content: string;
}

/** Size of all files except the manifest. */
export function versionBytes(manifest: Manifest): number {
  return manifest.files.reduce((sum, file) => sum + file.bytes, 0);
}
