/**
 * A build that was killed, and the next one of the same input and options (manifest-draft.ts has the key), which
 * continues it. The bytes are those of an unbroken build.
 *
 * Kept after a signal, and when the machine lacked something: a full disk, an error of input or output, too little
 * memory. After any other failure nothing is kept, since the files themselves may be at fault.
 */
import { serializeError, ShortlistError } from '../base/errors.js';
import { attempt } from '../version/disk/durable.js';
import type { FileSystem } from '../version/disk/files.js';
import { readCheckpoint, type Checkpoint } from '../version/sealed/checkpoint.js';
import type { Manifest, ManifestDraft } from '../version/sealed/manifest.js';
import { findManifest } from '../version/sealed/manifest-file.js';
import { VersionWriter, type VersionWriterOptions } from '../version/sealed/version-writer.js';
import type { RejectsFile, WaitingRejects } from './rejects-file.js';

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
  readonly rejects: WaitingRejects | null;
}

/** The unfinished build that has this key; null if there is none, or its files are damaged. */
export async function findUnfinished(
  writerOptions: VersionWriterOptions,
  { key, files, rejects, signal, onNote }: ResumeContext,
): Promise<Unfinished | null> {
  const { root, index } = writerOptions;
  const checkpoint = await readCheckpoint(root, index, files);
  if (checkpoint === null) return null;
  const waiting = (checkpoint.notes as unknown as BuildNotes).rejects;
  if (checkpoint.key !== key) {
    onNote(`an unfinished build of ${age(checkpoint)} had other input or options; starting over`);
    if (waiting !== null) await attempt(files.removeFile(waiting.path));
    return null;
  }
  if (checkpoint.version !== null) {
    const manifest = await findManifest(root, index, checkpoint.version, files);
    if (manifest === null) return null;
    onNote(`continuing an unfinished build of ${age(checkpoint)}: ${index}@${manifest.version} is complete`);
    return { sealed: true, manifest, rejectsPath: await keptRejects(rejects, waiting, manifest.version) };
  }
  const isWhole = await rejects.resume(waiting);
  const writer = isWhole ? await VersionWriter.resume(writerOptions, checkpoint, signal) : null;
  if (writer === null) {
    onNote(`what an unfinished build of ${age(checkpoint)} left is damaged; starting over`);
    return null;
  }
  onNote(`continuing an unfinished build of ${age(checkpoint)}: ${describeDone(writer)} are complete`);
  return { sealed: false, writer, draft: checkpoint.draft };
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
    const kept = `${withoutRemoval(message)}; ${describeDone(writer)} are kept, and the same command continues from there`;
    return new ShortlistError(error.code, kept, details, { cause: error });
  }
  await attempt(writer.abort());
  await rejects.abort();
  return error;
}

/** The interruption's message says that partial output was removed, which is not true here. */
function withoutRemoval(message: string): string {
  return message.replace(/; its partial output was removed$/, '');
}

/** The rejects of a sealed version: moved to their place now, or before the kill. */
async function keptRejects(
  rejects: RejectsFile,
  waiting: WaitingRejects | null,
  version: string,
): Promise<string | null> {
  if (waiting === null) return null;
  return (await rejects.resume(waiting)) ? rejects.keep(version) : rejects.placeOf(version);
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
