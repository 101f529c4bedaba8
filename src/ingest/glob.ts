/**
 * Glob patterns, for shells and schedulers that do not expand them.
 *
 * Takes a pattern of `*`, `?`, `[abc]`, `[!a-z]`, `{a,b}`, `{1..3}` and `**` (any number of folders); a backslash
 * escapes the next character. Returns the regular files that match, sorted. As in shells, only a pattern that starts
 * with a dot matches such a name, and `**` does not follow symbolic links to folders.
 *
 * minimatch expands braces and matches names. The walk is written by hand: packages that walk (tinyglobby, glob) skip a
 * folder that they may not read, and its rows would be lost without a word.
 */
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { braceExpand, Minimatch } from 'minimatch';
import { errnoOf, ioError, ShortlistError } from '../base/errors.js';

const MAGIC = /[*?[{\\]/;

/** More patterns from the braces of one are a mistake: {a,b} sixteen times stands for 65,536. */
const MAX_BRACE_PATTERNS = 10_000;

export function isGlob(text: string): boolean {
  return MAGIC.test(text);
}

/** The regular files that match the pattern, each once, sorted by path; may be empty. @throws usage */
export async function expandGlob(pattern: string): Promise<string[]> {
  const found = new Set<string>();
  for (const plain of expandBraces(pattern)) {
    const segments = plain.split('/').filter((segment) => segment !== '');
    await walk(plain.startsWith('/') ? '/' : '', segments, found);
  }
  return [...found].sort();
}

/** `a{b,c{d,e}}` as `ab`, `acd`, `ace`. Braces that do not close, or have no comma, stand for themselves. */
export function expandBraces(pattern: string): string[] {
  const patterns = braceExpand(pattern, { braceExpandMax: MAX_BRACE_PATTERNS + 1 });
  if (patterns.length <= MAX_BRACE_PATTERNS) return patterns;
  const message = `the braces of the input ${pattern} stand for more than ${MAX_BRACE_PATTERNS} patterns; use * instead`;
  throw new ShortlistError('usage', message, { file: pattern, limit: MAX_BRACE_PATTERNS });
}

async function walk(folder: string, segments: readonly string[], found: Set<string>): Promise<void> {
  const [segment, ...rest] = segments;
  if (segment === undefined) return;
  if (segment === '**') return walkDeep(folder, rest, found);
  if (!isGlob(segment)) return visit(join(folder, segment), rest, found);
  const matches = segmentMatcher(segment);
  for (const entry of await listEntries(folder)) {
    if (matches(entry.name)) await visit(join(folder, entry.name), rest, found);
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

/** No match: nothing is there, or a file where the pattern needs a folder. A missing permission is an error instead. */
function isAbsence(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

/** Linux names on every system, so a backslash separates nothing. `dot`, since hidden names are handled here. */
const ONE_NAME = { nobrace: true, noext: true, nonegate: true, nocomment: true, dot: true, platform: 'linux' } as const;

/** Whether one path segment matches a file name. A name equal to the pattern always does. */
export function segmentMatcher(segment: string): (name: string) => boolean {
  const pattern = new Minimatch(segment, ONE_NAME);
  const matchesHidden = segment.startsWith('.');
  return (name) => name === segment || ((matchesHidden || !name.startsWith('.')) && pattern.match(name));
}
