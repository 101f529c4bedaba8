/**
 * gate.json: the gate's limits and choices for one index, edited by people. It lies beside the versions. Without it, or
 * without a member, the defaults hold. A member that is unknown or wrong is an error that names it: a limit with a
 * typing error must not be a limit that is never applied. For the same reason a file that is there and cannot be read
 * is an error, also a link to nothing.
 */
import { ShortlistError } from '../base/errors.js';
import { JsonTextError, parseJsonText } from '../base/json-text.js';
import { MAX_K } from '../base/limits.js';
import { didYouMean } from '../base/nearest-name.js';
import { readSmallFile, replaceFile, statIfPresent } from '../version/disk/durable.js';
import { FieldError, Fields } from '../version/disk/fields.js';
import { nodeFiles, type FileSystem } from '../version/disk/files.js';
import { gatePath } from '../version/disk/paths.js';
import { requireIndex } from '../version/state/catalog.js';
import { CHECK_NAMES, specOf, type Bounds, type CheckName, type Limits } from './checks.js';

export interface GateLimits {
  readonly checks: Readonly<Record<CheckName, Limits>>;
  /** Values of k at which recall is measured, ascending. */
  readonly ks: readonly number[];
  /** Filters whose recall is measured, as JSON. */
  readonly filters: readonly unknown[];
  /** Attributes whose values are checked; null: all. */
  readonly attributes: readonly string[] | null;
  /** Attributes whose values are not checked. */
  readonly ignore: readonly string[];
  /** Files of recorded queries; empty: rows are sampled. */
  readonly queries: readonly string[];
  readonly vectorColumn: string | null;
}

const FILE_FORMAT = 1;
const MAX_FILE_BYTES = 2 ** 20;
const DEFAULT_KS = [10, 100, 1000];

const MEMBERS: Readonly<Record<string, string>> = {
  ks: 'Values of k at which recall is measured.',
  filters: 'Filters whose recall is measured, such as {"category": "kitchen"}.',
  attributes:
    'Attributes whose values are checked; null: all. Those with at most 100 different values are checked by value too.',
  ignore:
    'Attributes whose values are not checked, such as a counter that begins at 0 every week, or a link with a new token every night.',
  queries: 'Files of recorded queries, for the overlap; empty: rows of both versions are the queries.',
  vector_column: 'Column of the vectors in these files; null: the only one.',
  checks:
    'Limits of each check. Beyond "warn" the gate warns, beyond "fail" it refuses; null: never. Checks by value allow for chance where rows are few.',
};

/** The limits of an index. @throws bad_gate_file, naming the member */
export async function readLimits(root: string, index: string, files: FileSystem = nodeFiles): Promise<GateLimits> {
  const path = gatePath(root, index);
  const document = await readDocument(path, files);
  if (document === null) return DEFAULTS;
  try {
    return parseLimits(new Fields(document));
  } catch (error) {
    if (error instanceof FieldError) throw badFile(path, error.message, error.field);
    throw error;
  }
}

/** Writes gate.json with the defaults and what each member means. @throws usage if it exists @returns its path */
export async function initLimits(
  root: string,
  index: string,
  { overwrite, files = nodeFiles }: { readonly overwrite: boolean; readonly files?: FileSystem },
): Promise<string> {
  await requireIndex(root, index, files);
  const path = gatePath(root, index);
  if (!overwrite && (await statIfPresent(path, files)) !== null) {
    throw new ShortlistError('usage', `${path} exists; edit it, or replace it with --overwrite`, { file: path });
  }
  await writeDocument(path, defaultDocument(), files);
  return path;
}

/** Remembers the files of recorded queries in gate.json; the rest of the file stays as it is. */
export async function rememberQueries(
  root: string,
  index: string,
  queries: readonly string[],
  vectorColumn: string | null,
  files: FileSystem = nodeFiles,
): Promise<void> {
  const path = gatePath(root, index);
  const before = (await readDocument(path, files)) ?? defaultDocument();
  const after = { ...before, queries, vector_column: vectorColumn };
  if (JSON.stringify(after) !== JSON.stringify(before)) await writeDocument(path, after, files);
}

function limitsBy(find: (name: CheckName) => Limits): Readonly<Record<CheckName, Limits>> {
  return Object.fromEntries(CHECK_NAMES.map((name) => [name, find(name)])) as Record<CheckName, Limits>;
}

const DEFAULTS: GateLimits = {
  checks: limitsBy(specOf),
  ks: DEFAULT_KS,
  filters: [],
  attributes: null,
  ignore: [],
  queries: [],
  vectorColumn: null,
};

function defaultDocument(): Record<string, unknown> {
  return {
    format: FILE_FORMAT,
    about: { ...MEMBERS },
    ks: DEFAULT_KS,
    filters: [],
    attributes: null,
    ignore: [],
    queries: [],
    vector_column: null,
    checks: Object.fromEntries(
      CHECK_NAMES.map((name) => {
        const { about, warn, fail } = specOf(name);
        return [name, { about, warn, fail }];
      }),
    ),
  };
}

async function readDocument(path: string, files: FileSystem): Promise<Record<string, unknown> | null> {
  const text = await readText(path, files);
  if (text === null) return null;
  let document: unknown;
  try {
    document = parseJsonText(text);
  } catch (error) {
    throw error instanceof JsonTextError ? badFile(path, error.message) : error;
  }
  if (typeof document === 'object' && document !== null && !Array.isArray(document))
    return document as Record<string, unknown>;
  throw badFile(path, 'is not a JSON object');
}

async function readText(path: string, files: FileSystem): Promise<string | null> {
  try {
    const bytes = await readSmallFile(path, MAX_FILE_BYTES, files);
    if (bytes === null) {
      if ((await statIfPresent(path, files)) !== null) throw badFile(path, 'is a link to a file that does not exist');
      return null;
    }
    // Some editors begin a file with a byte-order mark, which the decoder drops.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw badFile(path, 'is not UTF-8');
    if (error instanceof ShortlistError && error.code === 'file_corrupt') throw badFile(path, error.message);
    throw error;
  }
}

function writeDocument(path: string, document: object, files: FileSystem): Promise<void> {
  return replaceFile(path, Buffer.from(`${JSON.stringify(document, null, 2)}\n`), files);
}

function parseLimits(fields: Fields): GateLimits {
  refuseUnknown(fields, ['format', 'about', ...Object.keys(MEMBERS)]);
  const format = fields.integer('format');
  if (format !== FILE_FORMAT) fields.fail('format', `is ${format}; this release reads ${FILE_FORMAT}`);
  const has = (name: string): boolean => Object.hasOwn(fields.all(), name);
  return {
    checks: has('checks') ? parseChecks(fields.object('checks')) : DEFAULTS.checks,
    ks: has('ks') ? parseKs(fields) : DEFAULTS.ks,
    filters: has('filters') ? fields.list('filters', (filter) => filter.all()) : [],
    attributes: has('attributes') && fields.raw('attributes') !== null ? fields.texts('attributes') : null,
    ignore: has('ignore') ? fields.texts('ignore') : [],
    queries: has('queries') ? fields.texts('queries') : [],
    vectorColumn: fields.textIfPresent('vector_column'),
  };
}

function parseKs(fields: Fields): number[] {
  const ks = fields.raw('ks');
  const isK = (k: unknown): boolean => typeof k === 'number' && Number.isInteger(k) && k >= 1 && k <= MAX_K;
  if (!Array.isArray(ks) || ks.length === 0 || !ks.every(isK))
    return fields.fail('ks', `is not a list of whole numbers from 1 to ${MAX_K}`);
  return [...new Set(ks as number[])].sort((a, b) => a - b);
}

function parseChecks(fields: Fields): Readonly<Record<CheckName, Limits>> {
  refuseUnknown(fields, CHECK_NAMES);
  const parse = (name: CheckName): Limits => {
    if (!Object.hasOwn(fields.all(), name)) return specOf(name);
    const check = fields.object(name);
    refuseUnknown(check, ['about', 'warn', 'fail']);
    // A damaged version never goes live.
    if (name === 'verify') return specOf(name);
    const bounds = (kind: 'warn' | 'fail'): Bounds | null =>
      Object.hasOwn(check.all(), kind) ? parseBounds(check, kind) : specOf(name)[kind];
    return { warn: bounds('warn'), fail: bounds('fail') };
  };
  return limitsBy(parse);
}

function parseBounds(check: Fields, kind: 'warn' | 'fail'): Bounds | null {
  if (check.raw(kind) === null) return null;
  const bounds = check.object(kind);
  refuseUnknown(bounds, ['min', 'max']);
  const read = (name: 'min' | 'max'): number | undefined =>
    Object.hasOwn(bounds.all(), name) ? bounds.number(name) : undefined;
  const [min, max] = [read('min'), read('max')];
  if (min !== undefined && max !== undefined && min > max) check.fail(kind, 'has a min above its max');
  return { min, max };
}

function refuseUnknown(fields: Fields, known: readonly string[]): void {
  const unknown = fields.names().find((name) => !known.includes(name));
  if (unknown !== undefined) fields.fail(unknown, `is not a member that the gate knows${didYouMean(unknown, known)}`);
}

function badFile(path: string, problem: string, field?: string): ShortlistError {
  const message = `${problem.startsWith(path) ? problem : `${path}: ${problem}`}; correct it, or write a new one with: shortlist gate init --overwrite`;
  return new ShortlistError('bad_gate_file', message, { file: path, ...(field !== undefined && { field }) });
}
