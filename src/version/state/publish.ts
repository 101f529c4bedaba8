/**
 * Moves what is published: CURRENT forward and back, and aliases.
 *
 * Takes names; returns the state before and after. CURRENT is the one commit point: what is written before it may be
 * lost without effect, and what is written after it is repaired from it. The caller runs the gate; its verdict is
 * stored before CURRENT moves.
 */
import { EXIT, ShortlistError } from '../../base/errors.js';
import { resolveVersion } from './catalog.js';
import { changeIndex, type Change, type ChangeOptions } from './change.js';
import { ensureDirectory, removeFileDurably, statIfPresent } from '../disk/durable.js';
import type { FileSystem } from '../disk/files.js';
import { readManifest } from '../sealed/manifest-file.js';
import { writeNote } from './notes.js';
import { aliasesPath, checkName } from '../disk/paths.js';
import { appendRefusal } from './refusals.js';
import { publishedStack } from './rollback-stack.js';
import { aliasPath, nextMove, readAlias, readAliases, readCurrent, readRecordedMoves, withCurrent, writeAlias, writeCurrent, writeHistory, type Move, type WantedMove } from './state.js'; // prettier-ignore
import { openVersionFiles } from '../sealed/version-reader.js';

export type { ChangeOptions } from './change.js';

/** What HISTORY says about a publish. */
export interface PublishMarks {
  /** Why the gate refused the version that is published all the same. */
  readonly forced?: string | undefined;
  /** Names of the gate's checks that warned. */
  readonly warned?: readonly string[] | undefined;
  /** The version has vectors of a new model. */
  readonly newEmbedding?: boolean | undefined;
}

interface PublishOptions extends ChangeOptions, PublishMarks {
  /** The gate's verdict, stored as the note `gate` of the version. */
  readonly gate?: object | undefined;
}

interface RollbackOptions extends ChangeOptions {
  /** A version that was published before, or an alias of one; default the one before the current one. */
  readonly to?: string | undefined;
}

export interface Moved {
  readonly index: string;
  /** What is published now, or would be. */
  readonly version: string;
  /** What was published before; null where nothing was. */
  readonly previous: string | null;
  /** False if the version was published already. */
  readonly changed: boolean;
  /** False if HISTORY could not be written after CURRENT had moved; the next move completes it. */
  readonly recorded: boolean;
  /** Versions that a rollback skipped, since they no longer exist or are damaged. */
  readonly skipped: readonly string[];
}

/** @throws index_not_found, version_not_found, manifest_corrupt, state_corrupt, index_busy */
export async function publish(
  root: string,
  index: string,
  version: string,
  options: PublishOptions = {},
): Promise<Moved> {
  return changeIndex(root, index, 'publish', options, async (change) => {
    await readManifest(root, index, version, change.files);
    const { gate, forced, warned, newEmbedding } = options;
    if (gate !== undefined) {
      await change.commit(() => writeNote(root, index, version, 'gate', gate, change.files));
    }
    const marks = marksOf({ forced, warned, newEmbedding });
    return move(change, await readState(change), { action: 'publish', version, ...marks });
  });
}

export function marksOf({ forced, warned = [], newEmbedding }: PublishMarks): Omit<WantedMove, 'action' | 'version'> {
  return {
    ...(forced !== undefined && { forced }),
    ...(warned.length > 0 && { warned }),
    ...(newEmbedding === true && { new_embedding: true }),
  };
}

interface RefuseOptions extends ChangeOptions {
  /** The gate's verdict, stored as the note `gate` of the version. */
  readonly gate: object;
  /** Why it was refused, in one sentence. */
  readonly refusedBy: string;
  /** The version was said to have vectors of a new model. */
  readonly newEmbedding?: boolean | undefined;
}

interface Refused {
  /** What stays published; null if nothing is. */
  readonly current: string | null;
  /** False if the refusal could not be written, as on a full disk. */
  readonly recorded: boolean;
}

/** Records that a version was refused; the published state does not change. @throws as `publish` */
export async function refuse(root: string, index: string, version: string, options: RefuseOptions): Promise<Refused> {
  return changeIndex(root, index, 'publish', options, async (change) => {
    const { files, reason, who } = change;
    const { current, moves } = await readState(change);
    const after = moves.at(-1)?.sequence ?? 0;
    const at = change.now().toISOString();
    const marks = options.newEmbedding === true ? { new_embedding: true as const } : {};
    const refusal = { version, after, at, reason, who, refused_by: options.refusedBy, ...marks };
    const recorded = await succeeds(
      change.commit(async () => {
        await writeNote(root, index, version, 'gate', options.gate, files);
        await appendRefusal(root, index, refusal, files);
      }),
    );
    return { current: current?.version ?? null, recorded };
  });
}

/** @throws as `publish`; version_not_found if there is nothing to go back to; usage for a version never published */
export async function rollback(root: string, index: string, options: RollbackOptions = {}): Promise<Moved> {
  return changeIndex(root, index, 'rollback', options, async (change) => {
    const state = await readState(change);
    if (state.current === null) {
      throw new ShortlistError('version_not_found', `index '${index}' has nothing published to roll back`, { index });
    }
    if (options.to === undefined) {
      const { version, skipped } = await findPrevious(change, state.moves, state.current.version);
      return move(change, state, { action: 'rollback', version }, skipped);
    }
    const version = await resolveVersion(root, index, options.to, change.files);
    requirePublished(index, version, state.moves);
    await requireSound(change, version);
    return move(change, state, { action: 'rollback', version });
  });
}

interface State {
  readonly current: Move | null;
  /** The moves in HISTORY, and the same with CURRENT's move if a crash kept it out. */
  readonly recorded: readonly Move[];
  readonly moves: readonly Move[];
}

async function readState({ root, index, files }: Change): Promise<State> {
  const current = await readCurrent(root, index, files);
  const recorded = await readRecordedMoves(root, index, files);
  return { current, recorded, moves: withCurrent(recorded, current) };
}

async function move(change: Change, state: State, wanted: WantedMove, skipped: readonly string[] = []): Promise<Moved> {
  const { root, index, files } = change;
  const { version } = wanted;
  const { current, recorded, moves } = state;
  if (current?.version === version) {
    return { index, version, previous: current.previous, changed: false, recorded: true, skipped };
  }
  const { reason, who } = change;
  const next = nextMove(current, moves, wanted, { at: change.now().toISOString(), reason, who });
  change.signal?.throwIfAborted(); // from here on the move is completed
  // CURRENT holds one move: what it holds now must be in HISTORY before it is overwritten.
  if (moves.length > recorded.length) await change.commit(() => writeHistory(root, index, moves, files));
  await change.commit(() => writeCurrent(root, index, next, files));
  const written = await succeeds(change.commit(() => writeHistory(root, index, [...moves, next], files)));
  return { index, version, previous: next.previous, changed: true, recorded: written, skipped };
}

/** Whether the work succeeds: once CURRENT has moved, a later failure does not undo the move. */
async function succeeds(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch {
    return false;
  }
}

async function findPrevious(
  change: Change,
  moves: readonly Move[],
  current: string,
): Promise<{ version: string; skipped: string[] }> {
  const { index } = change;
  const skipped: string[] = [];
  for (const version of publishedStack(moves).reverse()) {
    if (version === current || skipped.includes(version)) continue;
    const fault = await requireSound(change, version).catch(faultOf);
    if (fault === null) return { version, skipped };
    skipped.push(version);
  }
  const gone = skipped.length === 0 ? '' : ` except ${skipped.join(', ')}, which no longer exist or are damaged`;
  const message = `index '${index}' has no version to roll back to: none was published before ${current}${gone}`;
  throw new ShortlistError('version_not_found', message, { index, current, skipped });
}

/** A rollback must succeed: every file is read and compared with its digest before CURRENT moves. */
async function requireSound({ root, index, files, signal }: Change, version: string): Promise<null> {
  await openVersionFiles(root, index, version, { hash: true, files, signal });
  return null;
}

function faultOf(error: unknown): ShortlistError {
  if (error instanceof ShortlistError && error.exit === EXIT.badIndex) return error;
  throw error;
}

/** A rollback does not run the gate, so its target must have been published before. */
export function requirePublished(index: string, version: string, moves: readonly Move[]): void {
  if (moves.some((past) => past.version === version || past.previous === version)) return;
  const message = `${version} was never published; publish it instead, which runs the gate: shortlist publish ${index}@${version}`;
  throw new ShortlistError('usage', message, { index, version });
}

export interface AliasChange {
  readonly index: string;
  readonly alias: string;
  /** Null if the alias was removed. */
  readonly version: string | null;
  /** What the alias named before; null if it did not exist or was damaged. */
  readonly previous: string | null;
}

/** Makes the alias name a version. @param ref a version, or another alias of it */
export async function setAlias(
  root: string,
  index: string,
  alias: string,
  ref: string,
  options: ChangeOptions = {},
): Promise<AliasChange> {
  checkNewAlias(alias);
  return changeIndex(root, index, 'alias', options, async ({ files, now, signal, commit }) => {
    const version = await resolveVersion(root, index, ref, files);
    await readManifest(root, index, version, files);
    const previous = await readAlias(root, index, alias, files).catch(unlessDamaged);
    signal?.throwIfAborted();
    await commit(async () => {
      await ensureDirectory(aliasesPath(root, index), files);
      await writeAlias(root, index, alias, version, now(), files);
    });
    return { index, alias, version, previous };
  });
}

/** @throws usage for a name that no alias may have */
export function checkNewAlias(alias: string): void {
  checkName('alias', alias);
  if (alias !== 'current') return;
  const message = "the alias cannot be named 'current', which stands for the published version; choose another name";
  throw new ShortlistError('usage', message, { alias });
}

/** @throws version_not_found if there is no such alias */
export async function removeAlias(
  root: string,
  index: string,
  alias: string,
  options: ChangeOptions = {},
): Promise<AliasChange> {
  checkName('alias', alias);
  return changeIndex(root, index, 'alias', options, async ({ files, signal, commit }) => {
    const path = aliasPath(root, index, alias);
    if ((await statIfPresent(path, files)) === null) throw await unknownAlias(root, index, alias, files);
    const previous = await readAlias(root, index, alias, files).catch(unlessDamaged);
    signal?.throwIfAborted();
    await commit(async () => {
      await removeFileDurably(path, files);
    });
    return { index, alias, version: null, previous };
  });
}

/** For a document that is about to be replaced or is not needed: setting a damaged alias is its repair. */
export function unlessDamaged(error: unknown): null {
  if (error instanceof ShortlistError && error.code === 'state_corrupt') return null;
  throw error;
}

export async function unknownAlias(
  root: string,
  index: string,
  alias: string,
  files: FileSystem,
): Promise<ShortlistError> {
  const known = Object.keys(await readAliases(root, index, files));
  const hint = known.length === 0 ? 'it has none' : `it has ${known.slice(0, 10).join(', ')}`;
  return new ShortlistError('version_not_found', `index '${index}' has no alias '${alias}'; ${hint}`, { index, alias });
}
