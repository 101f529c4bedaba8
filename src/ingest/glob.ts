/**
 * Glob patterns, for shells and schedulers that pass them on unexpanded.
 *
 * Takes a pattern of `*`, `?`, `[abc]`, `[!a-z]`, `{a,b}` and `**` (any number of folders); a backslash takes the
 * meaning from the character after it. Gives the regular files that match, sorted. As in shells, a name that starts
 * with a dot is matched only by a pattern that does, and `**` does not follow symbolic links to folders.
 */
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, ioError } from '../base/errors.js';
import { comparePaths } from './paths.js';

const MAGIC = /[*?[{\\]/;

/** More patterns than this from one pair of braces or several is a slip: {a,b} sixteen times would be 65,536. */
const MAX_BRACE_PATTERNS = 1_024;

export function isGlob(text: string): boolean {
  return MAGIC.test(text);
}

/** The regular files that match the pattern, each once, sorted by path; none where nothing matches. */
export async function expandGlob(pattern: string): Promise<string[]> {
  const found = new Set<string>();
  for (const plain of expandBraces(pattern)) {
    const segments = plain.split('/').filter((segment) => segment !== '');
    await walk(plain.startsWith('/') ? '/' : '', segments, found);
  }
  return [...found].sort(comparePaths);
}

/** `a{b,c{d,e}}` as `ab`, `acd`, `ace`. Braces that do not close or hold no comma stand for themselves. */
export function expandBraces(pattern: string): string[] {
  const finished: string[] = [];
  const pending = [pattern];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const braces = findBraces(next);
    if (braces === null || finished.length + pending.length > MAX_BRACE_PATTERNS) finished.push(next);
    else {
      const { start, end, choices } = braces;
      const [before, after] = [next.slice(0, start), next.slice(end + 1)];
      pending.push(...choices.map((choice) => before + choice + after).reverse());
    }
  }
  return finished;
}

/** The first pair of braces with a comma at its own depth. */
function findBraces(pattern: string): { start: number; end: number; choices: string[] } | null {
  for (let start = pattern.indexOf('{'); start !== -1; start = pattern.indexOf('{', start + 1)) {
    if (pattern[start - 1] === '\\') continue;
    const choices: string[] = [];
    let depth = 0;
    let from = start + 1;
    for (let at = start; at < pattern.length; at++) {
      const char = pattern[at]!;
      if (char === '\\') at++;
      else if (char === '{') depth++;
      else if (char === ',' && depth === 1) {
        choices.push(pattern.slice(from, at));
        from = at + 1;
      } else if (char === '}' && --depth === 0) {
        if (choices.length === 0) break;
        choices.push(pattern.slice(from, at));
        return { start, end: at, choices };
      }
    }
  }
  return null;
}

async function walk(folder: string, segments: readonly string[], found: Set<string>): Promise<void> {
  const [segment, ...rest] = segments;
  if (segment === undefined) return;
  if (segment === '**') return walkDeep(folder, rest, found);
  if (!isGlob(segment)) return visit(join(folder, segment), rest, found);
  const matches = segmentPattern(segment);
  for (const entry of await listEntries(folder)) {
    if (matches.test(entry.name)) await visit(join(folder, entry.name), rest, found);
  }
}

/** `**`: the rest of the pattern here and in every folder below. */
async function walkDeep(folder: string, rest: readonly string[], found: Set<string>): Promise<void> {
  await walk(folder, rest.length === 0 ? ['*'] : rest, found);
  for (const entry of await listEntries(folder)) {
    if (entry.isDirectory() && !entry.name.startsWith('.')) await walkDeep(join(folder, entry.name), rest, found);
  }
}

async function visit(path: string, rest: readonly string[], found: Set<string>): Promise<void> {
  if (rest.length > 0) return walk(path, rest, found);
  try {
    if ((await stat(path)).isFile()) found.add(path);
  } catch (error) {
    if (!isAbsence(error)) throw ioError('read', path, error);
  }
}

async function listEntries(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder === '' ? '.' : folder, { withFileTypes: true });
  } catch (error) {
    if (isAbsence(error)) return [];
    throw ioError('list', folder, error);
  }
}

/**
 * Nothing there, or a file where the pattern wants a folder: no match. No permission is an error, since rows would be
 * lost.
 */
function isAbsence(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

const REGEXP_SYNTAX = /[\\^$.*+?()[\]{}|/-]/g;
const quote = (text: string): string => text.replace(REGEXP_SYNTAX, '\\$&');

/** One path segment as a regular expression over file names. */
export function segmentPattern(segment: string): RegExp {
  let source = segment.startsWith('.') ? '' : '(?!\\.)';
  for (let at = 0; at < segment.length; at++) {
    const char = segment[at]!;
    const set = char === '[' ? readSet(segment, at) : null;
    if (set !== null) {
      source += set.source;
      at = set.end;
    } else if (char === '*') source += '.*';
    else if (char === '?') source += '.';
    else if (char === '\\' && at + 1 < segment.length) source += quote(segment[++at]!);
    else source += quote(char);
  }
  return new RegExp(`^${source}$`, 's');
}

/** `[a-z]` or `[!a-z]` from `at` on; null where it does not close and so stands for itself. */
function readSet(segment: string, at: number): { source: string; end: number } | null {
  const negated = segment[at + 1] === '!' || segment[at + 1] === '^';
  const start = at + (negated ? 2 : 1);
  const end = segment.indexOf(']', start + 1); // a bracket that comes first is a member
  if (end === -1) return null;
  const members = segment.slice(start, end).replace(/[\\\]^[]/g, '\\$&');
  try {
    new RegExp(`[${members}]`);
  } catch {
    return null; // a range that runs backwards
  }
  return { source: `[${negated ? '^' : ''}${members}]`, end };
}
