/**
 * A build that was killed, and the next one of the same input and options (manifest-draft.ts has the key), which
 * continues it. The bytes are those of an unbroken build.
 *
 * Kept after a signal, and when the machine lacked something: a full disk, an error of input or output, too little
 * memory. After any other failure nothing is kept, since the files themselves may be at fault.
 */
import { serializeError, ShortlistError } from '../base/errors.js';
import { attempt } from '../version/disk/durable.js';
import { nodeFiles, type FileSystem } from '../version/disk/files.js';
import { withLock } from '../version/locks/lock.js';
import { discardBuild, readCheckpoint, type Checkpoint } from '../version/sealed/checkpoint.js';
import type { Manifest, ManifestDraft } from '../version/sealed/manifest.js';
import { findManifest } from '../version/sealed/manifest-file.js';
import { findFileProblems } from '../version/sealed/version-reader.js';
import { versionPath } from '../version/disk/paths.js';
import { VersionWriter, type VersionWriterOptions } from '../version/sealed/version-writer.js';
import type { RejectsFile } from './rejects-file.js';

/** What an unfinished build left: a version that only lacks what comes after the seal, or rows and graphs. */
export type Unfinished =
  | { readonly sealed: true; readonly manifest: Manifest; readonly rejectsPath: string | null }
  | ({ readonly sealed: false } & WrittenRows);

/** A version whose rows are complete. */
export interface WrittenRows {
  readonly writer: VersionWriter;
  readonly draft: ManifestDraft;
}

interface ResumeContext {
  readonly key: string;
  readonly files: FileSystem;
  readonly rejects: RejectsFile;
  readonly signal: AbortSignal | undefined;
  readonly onNote: (message: string) => void;
}

/** What the build stores in its checkpoint. */
export interface BuildNotes {
  /** SHA-256 of the rejects file that waits in staging; null if no row was left out. */
  readonly rejects: string | null;
}

/** The unfinished build that has this key; null if there is none, or its files are damaged. */
export async function findUnfinished(
  writerOptions: VersionWriterOptions,
  { key, files, rejects, signal, onNote }: ResumeContext,
): Promise<Unfinished | null> {
  const { root, index } = writerOptions;
  const checkpoint = await readCheckpoint(root, index, files).catch((error: unknown) => {
    if (!(error instanceof ShortlistError)) throw error;
    onNote(`an unfinished build cannot be continued (${error.message}); starting over`);
    return null;
  });
  if (checkpoint === null) return null;
  const build = `an unfinished build of ${age(checkpoint)}`;
  if (checkpoint.key !== key) {
    onNote(`${build} had other input or options; starting over`);
    return null;
  }
  const isWaiting = await rejects.resume((checkpoint.notes as unknown as BuildNotes).rejects);
  if (checkpoint.version !== null) {
    const manifest = await findSound(root, index, checkpoint.version, files, signal);
    if (manifest === null) onNote(`the version of ${build} is gone or damaged; starting over`);
    else onNote(`continuing ${build}: ${index}@${manifest.version} is complete`);
    if (manifest === null) return null;
    // The build may have been killed after it moved the file.
    const kept = (await rejects.keep(manifest.version)) ?? (await rejects.find(manifest.version));
    return { sealed: true, manifest, rejectsPath: manifest.rejects.total > 0 ? kept : null };
  }
  const writer = isWaiting ? await VersionWriter.resume(writerOptions, checkpoint, signal) : null;
  if (writer === null) {
    onNote(`what ${build} left is damaged; starting over`);
    return null;
  }
  onNote(`continuing ${build}: ${describeDone(writer)} are complete`);
  return { sealed: false, writer, draft: checkpoint.draft };
}

/** The manifest of a sealed version whose files are whole; null if it is gone or damaged. */
async function findSound(
  root: string,
  index: string,
  version: string,
  files: FileSystem,
  signal: AbortSignal | undefined,
): Promise<Manifest | null> {
  try {
    const manifest = await findManifest(root, index, version, files);
    if (manifest === null) return null;
    const problems = findFileProblems(versionPath(root, index, version), manifest, { files, signal });
    return (await problems.next()).done === true ? manifest : null;
  } catch (error) {
    if (error instanceof ShortlistError && error.code !== 'interrupted') return null;
    throw error;
  }
}

const KEPT_AFTER = new Set(['interrupted', 'disk_full', 'io_error', 'insufficient_memory']);

/**
 * Keeps or removes what the failed build has written.
 * @param signal that the build had: threads which it stopped report errors of their own
 * @returns the error to report
 */
export async function giveUp(
  failure: unknown,
  writer: VersionWriter,
  rejects: RejectsFile,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const error: unknown = signal?.aborted === true ? signal.reason : failure;
  if (writer.isKept && error instanceof ShortlistError && KEPT_AFTER.has(error.code)) {
    const { message, details } = serializeError(error);
    const kept = `${message}; ${describeDone(writer)} are kept, and the same command continues from there`;
    return new ShortlistError(error.code, kept, details, { cause: error });
  }
  await attempt(writer.abort());
  await rejects.abort();
  return error;
}

function describeDone(writer: VersionWriter): string {
  const { built, total } = writer.graphCounts;
  return `the rows and ${built} of ${total} ${total === 1 ? 'graph' : 'graphs'}`;
}

function age({ at }: Checkpoint): string {
  const minutes = Math.round((Date.now() - Date.parse(at)) / 60_000);
  if (minutes < 1) return 'less than a minute ago';
  if (minutes < 120) return `${minutes} min ago`;
  return `${Math.round(minutes / 60)} h ago`;
}

/** Forgets a build whose version needs nothing more: the next build starts anew. */
export async function forgetBuild(root: string, index: string): Promise<void> {
  const forget = (): Promise<void> => discardBuild(root, index, nodeFiles);
  // If another build runs, staging is its own.
  await attempt(withLock(root, index, 'build', `shortlist build ${index}`, forget));
}
