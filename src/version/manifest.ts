/**
 * MANIFEST.json: what a version is, what it was built from, and the size and digest of each of its files.
 *
 * Takes sealed JSON; gives a Manifest whose every field was checked, alone and against the others. A reader ignores
 * members that it does not know; a change that older readers must not ignore raises MANIFEST_FORMAT.
 */
import { join } from 'node:path';
import { ShortlistError } from '../base/errors.js';
import type { Metric } from '../base/metric.js';
import type { Fields } from './fields.js';
import { statIfPresent } from './durable.js';
import { nodeFiles, type FileSystem } from './files.js';
import { checkManifest, MANIFEST_FORMAT } from './manifest-check.js';
import { MANIFEST_FILE, versionPath } from './paths.js';
import { readSealed } from './sealed-json.js';
import { isVersionName } from './version-name.js';

/** 100,000 source files at 250 bytes each take 25 MB; more is no manifest. */
export const MAX_MANIFEST_BYTES = 64 * 2 ** 20;

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
  /** What the engine found out while it built the graph, by name; empty where it says nothing. The same in every build. */
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

/**
 * The checked manifest of a version.
 * @throws version_not_found, file_missing where its directory has no manifest, manifest_corrupt, format_unsupported
 */
export async function readManifest(
  root: string,
  index: string,
  version: string,
  files: FileSystem = nodeFiles,
): Promise<Manifest> {
  const manifest = isVersionName(version) ? await findManifest(root, index, version, files) : null;
  if (manifest !== null) return manifest;
  await refuseRuin(root, index, version, files);
  const message = `index '${index}' has no version '${version}'; see shortlist list ${index}`;
  throw new ShortlistError('version_not_found', message, { index, version });
}

/** @throws file_missing where there is a directory of that version and no manifest in it: somebody has taken it away */
export async function refuseRuin(root: string, index: string, version: string, files: FileSystem): Promise<void> {
  const directory = isVersionName(version) ? versionPath(root, index, version) : null;
  if (directory === null || (await statIfPresent(directory, files)) === null) return;
  const path = join(directory, MANIFEST_FILE);
  const message = `${path} is missing, so the directory is no version; restore the file or build the version again`;
  throw new ShortlistError('file_missing', message, { file: path, index, version });
}

/** The same, or null where the directory has no manifest, which makes it no version. */
export async function findManifest(
  root: string,
  index: string,
  version: string,
  files: FileSystem,
): Promise<Manifest | null> {
  const path = join(versionPath(root, index, version), MANIFEST_FILE);
  const check = (fields: Fields): Manifest => {
    checkFormat(fields, path);
    const manifest = checkManifest(fields);
    if (manifest.index !== index) fields.fail('index', `is not '${index}', where it lies`);
    if (manifest.version !== version) fields.fail('version', `is not '${version}', where it lies`);
    return manifest;
  };
  const remedy = 'restore it or build the version again';
  return readSealed({ path, code: 'manifest_corrupt', maxBytes: MAX_MANIFEST_BYTES, remedy, check }, files);
}

function checkFormat(fields: Fields, path: string): void {
  const format = fields.integer('format', 1);
  if (format === MANIFEST_FORMAT) return;
  throw new ShortlistError(
    'format_unsupported',
    `${path} has format ${format}, and this release reads format ${MANIFEST_FORMAT}: use the release that wrote it or build the version again`,
    { file: path, format, supported: MANIFEST_FORMAT },
  );
}
