/**
 * The state beside the versions of an index: CURRENT, HISTORY and aliases. Reads and writes their documents. Reading
 * needs no lock, since each file is replaced atomically.
 *
 * CURRENT alone says what is published, and has the last entry of HISTORY. A crash between the two writes leaves
 * HISTORY one entry short; readers complete it in memory, the next writer on disk.
 */
import { ShortlistError } from '../../base/errors.js';
import { NAME_PATTERN } from '../../base/limits.js';
import { listIfPresent } from '../disk/durable.js';
import type { Fields } from '../disk/fields.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import { aliasesPath, checkName, currentPath, historyPath, joinPath } from '../disk/paths.js';
import { readSealed, writeSealed, type SealedPlace } from '../disk/sealed-json.js';
import { isVersionName } from '../sealed/version-name.js';

/** One change of what is published: an entry of CURRENT and HISTORY. */
export interface Move {
  /** Grows by one with each move, without gaps. */
  readonly sequence: number;
  readonly action: 'publish' | 'rollback';
  readonly version: string;
  /** What was published before; null if nothing was. */
  readonly previous: string | null;
  readonly at: string;
  readonly reason: string | null;
  /** The user and machine, if known; null also for moves by releases without this member. */
  readonly who: string | null;
  /** Of a publish that the gate refused and a person forced: why it was refused. */
  readonly forced?: string;
  /** Names of the gate's checks that warned. */
  readonly warned?: readonly string[];
  /** Present if the publish announced vectors of a new model. */
  readonly new_embedding?: true;
}

/** Moves that HISTORY keeps: 30 publishes a day for a month, in 300 KB that each move rewrites. */
export const MAX_HISTORY_ENTRIES = 1_000;

/** Longest reason that is kept. */
export const MAX_REASON_LENGTH = 1_000;
/** Longest `who`: a user and a host. */
export const MAX_WHO_LENGTH = 320;

export const STATE_FORMAT = 1;
/** Largest CURRENT or alias: one entry, with a reason of 1,000 characters and a name, takes at most 8 KB. */
const MAX_ENTRY_BYTES = 64 * 1024;
export const MAX_HISTORY_BYTES = 16 * 2 ** 20;

/** What is published and how it came to be; null if nothing is. */
export async function readCurrent(root: string, index: string, files: FileSystem = nodeFiles): Promise<Move | null> {
  checkName('index', index);
  return readSealed(currentPlace(root, index), files);
}

/** Every recorded publish and rollback, oldest first, with that of CURRENT. */
export async function readHistory(
  root: string,
  index: string,
  files: FileSystem = nodeFiles,
): Promise<readonly Move[]> {
  const current = await readCurrent(root, index, files);
  return withCurrent(await readRecordedMoves(root, index, files), current);
}

/** The moves in HISTORY itself. */
export async function readRecordedMoves(root: string, index: string, files: FileSystem): Promise<readonly Move[]> {
  return (await readSealed(historyPlace(root, index), files)) ?? [];
}

export function withCurrent(recorded: readonly Move[], current: Move | null): readonly Move[] {
  const last = recorded.at(-1);
  if (current === null || (last !== undefined && last.sequence >= current.sequence)) return recorded;
  return [...recorded, current];
}

/** What a move changes, and what HISTORY keeps about it. */
export type WantedMove = Pick<Move, 'action' | 'version' | 'forced' | 'warned' | 'new_embedding'>;

/** The move after all others. @param moves with that of CURRENT */
export function nextMove(
  current: Move | null,
  moves: readonly Move[],
  wanted: WantedMove,
  facts: Pick<Move, 'at' | 'reason' | 'who'>,
): Move {
  const sequence = (moves.at(-1)?.sequence ?? 0) + 1;
  return {
    sequence,
    previous: current?.version ?? null,
    at: facts.at,
    reason: facts.reason,
    who: facts.who,
    ...wanted,
  };
}

/** The commit point of every publish and rollback. */
export function writeCurrent(root: string, index: string, move: Move, files: FileSystem): Promise<void> {
  return writeSealed(currentPath(root, index), currentDocument(index, move), files);
}

export function writeHistory(root: string, index: string, moves: readonly Move[], files: FileSystem): Promise<void> {
  return writeSealed(historyPath(root, index), historyDocument(index, moves), files);
}

export function currentDocument(index: string, move: Move): object {
  return { format: STATE_FORMAT, index, ...move };
}

export function historyDocument(index: string, moves: readonly Move[]): object {
  return { format: STATE_FORMAT, index, entries: moves.slice(-MAX_HISTORY_ENTRIES) };
}

export function aliasDocument(index: string, alias: string, version: string, at: Date): object {
  return { format: STATE_FORMAT, index, alias, version, at: at.toISOString() };
}

/** The versions that aliases name, and the errors of the aliases that cannot be read, by alias. */
export interface AliasSurvey {
  readonly aliases: Readonly<Record<string, string>>;
  readonly damaged: ReadonlyMap<string, ShortlistError>;
}

/** As `readAliases`, for callers that can do without the damaged ones. */
export async function surveyAliases(root: string, index: string, files: FileSystem = nodeFiles): Promise<AliasSurvey> {
  checkName('index', index);
  const aliases: Record<string, string> = {};
  const damaged = new Map<string, ShortlistError>();
  for (const { name, kind } of await listIfPresent(aliasesPath(root, index), files)) {
    if (kind !== 'file' || !NAME_PATTERN.test(name)) continue;
    try {
      const version = await readAlias(root, index, name, files);
      if (version !== null) aliases[name] = version;
    } catch (error) {
      if (!(error instanceof ShortlistError)) throw error;
      damaged.set(name, error);
    }
  }
  return { aliases, damaged };
}

/** The versions that aliases name, by alias. @throws state_corrupt or io_error for the first that cannot be read */
export async function readAliases(
  root: string,
  index: string,
  files: FileSystem = nodeFiles,
): Promise<Readonly<Record<string, string>>> {
  const { aliases, damaged } = await surveyAliases(root, index, files);
  for (const error of damaged.values()) throw error;
  return aliases;
}

/** The version that an alias names; null if there is no such alias. @param alias matches NAME_PATTERN */
export function readAlias(root: string, index: string, alias: string, files: FileSystem): Promise<string | null> {
  return readSealed(aliasPlace(root, index, alias), files);
}

export function aliasPlace(root: string, index: string, alias: string): SealedPlace<string> {
  const check = (fields: Fields): string => {
    checkPlace(fields, index);
    if (fields.text('alias') !== alias) fields.fail('alias', `is not '${alias}'`);
    return checkVersion(fields, 'version');
  };
  const remedy = `set it again: shortlist alias ${index} ${alias} VERSION`;
  return { path: aliasPath(root, index, alias), code: 'state_corrupt', maxBytes: MAX_ENTRY_BYTES, remedy, check };
}

export function writeAlias(
  root: string,
  index: string,
  alias: string,
  version: string,
  at: Date,
  files: FileSystem,
): Promise<void> {
  return writeSealed(aliasPath(root, index, alias), aliasDocument(index, alias, version, at), files);
}

export function aliasPath(root: string, index: string, alias: string): string {
  return joinPath(aliasesPath(root, index), alias);
}

export function currentPlace(root: string, index: string): SealedPlace<Move> {
  const check = (fields: Fields): Move => {
    checkPlace(fields, index);
    return checkMove(fields);
  };
  const remedy = 'remove it and publish a version again; HISTORY and the versions stay as they are';
  return { path: currentPath(root, index), code: 'state_corrupt', maxBytes: MAX_ENTRY_BYTES, remedy, check };
}

export function historyPlace(root: string, index: string): SealedPlace<readonly Move[]> {
  const check = (fields: Fields): readonly Move[] => {
    checkPlace(fields, index);
    const moves = fields.list('entries', checkMove);
    moves.forEach((move, position) => {
      if (position > 0 && moves[position - 1]!.sequence >= move.sequence) fields.fail('entries', 'are out of order');
    });
    return moves;
  };
  const remedy = 'remove it to start a new history from CURRENT; what is published does not change';
  return { path: historyPath(root, index), code: 'state_corrupt', maxBytes: MAX_HISTORY_BYTES, remedy, check };
}

export function checkPlace(fields: Fields, index: string): void {
  fields.integer('format', STATE_FORMAT, STATE_FORMAT);
  if (fields.text('index') !== index) fields.fail('index', `is not '${index}', the index whose directory holds it`);
}

function checkMove(fields: Fields): Move {
  return {
    sequence: fields.integer('sequence', 1),
    action: fields.oneOf('action', ['publish', 'rollback']),
    version: checkVersion(fields, 'version'),
    previous: fields.textOrNull('previous') === null ? null : checkVersion(fields, 'previous'),
    at: fields.instant('at'),
    reason: fields.textOrNull('reason'),
    who: fields.textIfPresent('who'),
    ...checkMarks(fields),
  };
}

/** What releases before these members did not write. */
export function checkMarks(fields: Fields): Pick<Move, 'forced' | 'warned' | 'new_embedding'> {
  const forced = fields.textIfPresent('forced');
  const isNew = Object.hasOwn(fields.all(), 'new_embedding') && fields.flag('new_embedding');
  const warned = Object.hasOwn(fields.all(), 'warned') ? fields.texts('warned') : null;
  return {
    ...(forced !== null && { forced }),
    ...(warned !== null && { warned }),
    ...(isNew && { new_embedding: true }),
  };
}

export function checkVersion(fields: Fields, name: string): string {
  const version = fields.text(name);
  return isVersionName(version) ? version : fields.fail(name, 'is not the name of a version');
}
