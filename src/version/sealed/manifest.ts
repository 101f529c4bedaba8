/**
 * The members of MANIFEST.json: what a version is, what it was built from, and the size and digest of each of its
 * files. A reader ignores members that it does not know; a change that older readers must not ignore raises
 * MANIFEST_FORMAT.
 */
import type { Metric } from '../../base/metric.js';

export const MANIFEST_FORMAT = 1;

/** One file of the version. */
export interface FileEntry {
  readonly name: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

export interface ShardEntry {
  /** The section file first, then what the engine wrote; all are in `files` too. */
  readonly files: readonly string[];
  readonly count: number;
  /**
   * What the engine found out while it built the graph, by name; empty where it says nothing. The same in every
   * build.
   */
  readonly figures: Readonly<Record<string, number>>;
}

/** A column: `type` is what its values are here (type-name.ts), `label` the Arrow type that the source had. */
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

/** A parameter or option as it was given. */
export type Setting = string | number | boolean | null | readonly string[];

export interface EngineEntry {
  readonly name: string;
  /** m, ef_construction and whatever else the engine must know again to read its files. */
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
  /** Rows left out, by kind of fault. */
  readonly kinds: Readonly<Record<string, number>>;
}

/** What a build knows of a version; the writer adds the rest. */
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
  /** Rows left out because their id was there already; they are among `rejects` too. */
  readonly duplicates: number;
  /** Seconds that each stage of the build took, by its name. */
  readonly stages: Readonly<Record<string, number>>;
}

export interface Manifest extends ManifestDraft {
  readonly format: typeof MANIFEST_FORMAT;
  readonly index: string;
  readonly version: string;
  /** When the version was sealed, ISO 8601 in UTC. */
  readonly created_at: string;
  readonly dim: number;
  /** Rows of all shards. */
  readonly count: number;
  readonly shards: readonly ShardEntry[];
  readonly attributes: readonly AttributeEntry[];
  /** Every file of the directory but the manifest, sorted by name. */
  readonly files: readonly FileEntry[];
  /** `sha256:<hex>` over `files`: see contentDigest. */
  readonly content: string;
}

/** Bytes of all files but the manifest. */
export function versionBytes(manifest: Manifest): number {
  return manifest.files.reduce((sum, file) => sum + file.bytes, 0);
}
