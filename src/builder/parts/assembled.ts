/**
 * Which version the parts of a plan have become: a note of the version. An assembly that was killed between its seal
 * and the deletion of the parts, or after it, is not repeated.
 */
import { createHash } from 'node:crypto';
import type { FileSystem } from '../../version/disk/files.js';
import { listVersionNames } from '../../version/sealed/version-folders.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { findManifest } from '../../version/sealed/manifest-file.js';
import { findFileProblems } from '../../version/sealed/version-reader.js';
import { readCheckedNote, writeNote } from '../../version/state/notes.js';
import { versionPath } from '../../version/disk/paths.js';
import type { Part } from './part-folder.js';

const ASSEMBLY_NOTE = 'assembly';
/** Newest versions that are looked at. */
const LOOKED_AT = 8;

interface AssemblyNote {
  readonly plan: string;
  /** Of what the tasks said. Parts that were built again say something else, such as other times. */
  readonly parts: string;
}

function digestOf(parts: readonly Part[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

export function noteAssembly(
  root: string,
  { index, version }: Manifest,
  plan: string,
  parts: readonly Part[],
  files: FileSystem,
): Promise<void> {
  return writeNote(root, index, version, ASSEMBLY_NOTE, { plan, parts: digestOf(parts) } satisfies AssemblyNote, files);
}

/** The version of these parts, or, if they are gone, of any parts of the plan; null if there is none that is sound. */
export async function findAssembled(
  root: string,
  index: string,
  plan: string,
  parts: readonly Part[] | null,
  files: FileSystem,
): Promise<Manifest | null> {
  const wanted = parts === null ? null : digestOf(parts);
  for (const version of (await listVersionNames(root, index, files)).slice(-LOOKED_AT).reverse()) {
    const note = await readCheckedNote(root, index, version, ASSEMBLY_NOTE, (fields): AssemblyNote => ({ plan: fields.text('plan'), parts: fields.text('parts') }), files).catch(() => null); // prettier-ignore
    if (note?.plan !== plan || (wanted !== null && note.parts !== wanted)) continue;
    const manifest = await findManifest(root, index, version, files).catch(() => null);
    if (manifest === null) continue;
    const problems = findFileProblems(versionPath(root, index, version), manifest, { files, hash: false });
    if ((await problems.next()).done === true) return manifest;
  }
  return null;
}
