/**
 * What lies beside the versions of an index: CURRENT, HISTORY and aliases. Takes and gives their documents; every
 * reader here works without a lock, since each file is replaced at once.
 *
 * CURRENT alone says what is published, and carries the last entry of HISTORY. A crash between the two writes leaves
 * HISTORY one entry short; readers complete it in memory and the next writer on disk.
 */
import { join } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import { NAME_PATTERN } from '../../base/limits.js';
import { listIfPresent } from '../disk/durable.js';
import type { Fields } from '../disk/fields.js';
import type { FileSystem } from '../disk/files.js';
import { aliasesPath, currentPath, historyPath } from '../disk/paths.js';
import { readSealed, writeSealed, type SealedPlace } from '../disk/sealed-json.js';
import { isVersionName } from '../sealed/version-name.js';

/** One change of what is published. */
export interface Move {
  /** Grows by one with each move, without gaps. */
  readonly sequence: number;
  readonly action: 'publish' | 'rollback';
  readonly version: string;
  /** What was published before; null where nothing was. */
  readonly previous: string | null;
  readonly at: string;
  readonly reason: string | null;
  /** Who moved it, as far as the machine knew; null too where a release before this member did. */
  readonly who: string | null;
}

/** HISTORY keeps this many moves: 30 publishes a day for a month, in 300 KB that are rewritten with each. */
export const MAX_HISTORY_ENTRIES = 1_000;

/** Longest reason that is kept. */
export const MAX_REASON_LENGTH = 1_000;
/** Longest name of who did it: a user and a host. */
export const MAX_WHO_LENGTH = 320;

export const STATE_FORMAT = 1;
/** CURRENT and an alias hold one entry: a reason of 1,000 characters and a name take at most 8 KB. */
const MAX_ENTRY_BYTES = 64 * 1024;
export const MAX_HISTORY_BYTES = 16 * 2 ** 20;

/** The last move, or null where nothing was published yet. */
export function readCurrentMove(root: string, index: string, files: FileSystem): Promise<Move | null> {
  return readSealed(currentPlace(root, index), files);
}

/** Moves oldest first, CURRENT's included. */
export async function readMoves(root: string, index: string, files: FileSystem): Promise<readonly Move[]> {
  const current = await readCurrentMove(root, index, files);
  return withCurrent(await readRecordedMoves(root, index, files), current);
}

/** What HISTORY itself holds. */
export async function readRecordedMoves(root: string, index: string, files: FileSystem): Promise<readonly Move[]> {
  return (await readSealed(historyPlace(root, index), files)) ?? [];
}

export function withCurrent(recorded: readonly Move[], current: Move | null): readonly Move[] {
  const last = recorded.at(-1);
  if (current === null || (last !== undefined && last.sequence >= current.sequence)) return recorded;
  return [...recorded, current];
}

/** The commit point of every publish and rollback. */
export function writeCurrent(root: string, index: string, move: Move, files: FileSystem): Promise<void> {
  return writeSealed(currentPath(root, index), { format: STATE_FORMAT, index, ...move }, files);
}

export function writeHistory(root: string, index: string, moves: readonly Move[], files: FileSystem): Promise<void> {
  const entries = moves.slice(-MAX_HISTORY_ENTRIES);
  return writeSealed(historyPath(root, index), { format: STATE_FORMAT, index, entries }, files);
}

/** Aliases by name: what each leads to, and why those that cannot be read cannot. */
export interface AliasSurvey {
  readonly aliases: Readonly<Record<string, string>>;
  readonly damaged: ReadonlyMap<string, ShortlistError>;
}

/** For those who can do with the aliases that can be read. */
export async function surveyAliasTable(root: string, index: string, files: FileSystem): Promise<AliasSurvey> {
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

/**
 * Aliases and the versions that they name, by alias. @throws state_corrupt, io_error for the first that cannot be
 * read
 */
export async function readAliasTable(
  root: string,
  index: string,
  files: FileSystem,
): Promise<Readonly<Record<string, string>>> {
  const { aliases, damaged } = await surveyAliasTable(root, index, files);
  for (const error of damaged.values()) throw error;
  return aliases;
}

/** The version that an alias names, or null where there is no such alias. @param alias matches NAME_PATTERN */
export function readAlias(root: string, index: string, alias: string, files: FileSystem): Promise<string | null> {
  const check = (fields: Fields): string => {
    checkPlace(fields, index);
    if (fields.text('alias') !== alias) fields.fail('alias', `is not '${alias}'`);
    return checkVersion(fields, 'version');
  };
  const remedy = `set it again: shortlist alias ${index} ${alias} VERSION`;
  return readSealed({ path: aliasPath(root, index, alias), code: 'state_corrupt', maxBytes: MAX_ENTRY_BYTES, remedy, check }, files); // prettier-ignore
}

export function writeAlias(
  root: string,
  index: string,
  alias: string,
  version: string,
  at: Date,
  files: FileSystem,
): Promise<void> {
  const document = { format: STATE_FORMAT, index, alias, version, at: at.toISOString() };
  return writeSealed(aliasPath(root, index, alias), document, files);
}

export function aliasPath(root: string, index: string, alias: string): string {
  return join(aliasesPath(root, index), alias);
}

function currentPlace(root: string, index: string): SealedPlace<Move> {
  const check = (fields: Fields): Move => {
    checkPlace(fields, index);
    return checkMove(fields);
  };
  const remedy = 'remove it and publish a version again; HISTORY and the versions are kept';
  return { path: currentPath(root, index), code: 'state_corrupt', maxBytes: MAX_ENTRY_BYTES, remedy, check };
}

function historyPlace(root: string, index: string): SealedPlace<readonly Move[]> {
  const check = (fields: Fields): readonly Move[] => {
    checkPlace(fields, index);
    const moves = fields.list('entries', checkMove);
    moves.forEach((move, position) => {
      if (position > 0 && moves[position - 1]!.sequence >= move.sequence) fields.fail('entries', 'are out of order');
    });
    return moves;
  };
  const remedy = 'remove it to begin a new history with what CURRENT says; what is published stays';
  return { path: historyPath(root, index), code: 'state_corrupt', maxBytes: MAX_HISTORY_BYTES, remedy, check };
}

export function checkPlace(fields: Fields, index: string): void {
  fields.integer('format', STATE_FORMAT, STATE_FORMAT);
  if (fields.text('index') !== index) fields.fail('index', `is not '${index}', where it lies`);
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
  };
}

export function checkVersion(fields: Fields, name: string): string {
  const version = fields.text(name);
  return isVersionName(version) ? version : fields.fail(name, 'is not the name of a version');
}
