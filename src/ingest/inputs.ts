/**
 * The files that `--input` and `--queries` stand for.
 *
 * Takes paths of files, folders and globs; returns files in the given order, those of a folder or glob sorted by path.
 * A path that exists is never read as a glob. A folder stands for the Arrow and Parquet files (.arrow, .arrows,
 * .feather, .ipc, .parquet, .parq, .pq) in it and its subfolders, such as those of a Hive-style table; if there is
 * none, for the .npy files; if there is none either, for all files. The files of benchmarks (.fvecs, .fbin, .hdf5 and
 * their like) must be named, since a folder of them holds base, queries and truth side by side. Names that start with
 * `.` or `_` are left out, as Spark and pyarrow do, and links to folders are not followed.
 *
 * A folder written by Hugging Face's `save_to_disk` stands for the data files that its `state.json` names: `map` and
 * `filter` leave files of cached rows beside them. A DatasetDict has one folder for each split, named in
 * `dataset_dict.json`. Splits serve different purposes, so a user who wants several must name them.
 *
 * Fails with `input_not_found` if nothing is there, and `usage` if a file is named twice or a split must be chosen.
 */
import type { Dirent, Stats } from 'node:fs';
import { readFile, readdir, realpath, stat } from 'node:fs/promises';
import { basename, extname, join, normalize } from 'node:path';
import { ShortlistError, errnoOf, ioError } from '../base/errors.js';
import { arrayKindOf } from '../formats/flat/endings.js';
import { expandGlob, isGlob } from './glob.js';

/** Endings that a folder stands for: those of the first line of which it has files. */
const EXTENSIONS: readonly ReadonlySet<string>[] = [
  new Set(['.arrow', '.arrows', '.feather', '.ipc', '.parquet', '.parq', '.pq']),
  new Set(['.npy']),
];
const HDF5_EXTENSIONS: ReadonlySet<string> = new Set(['.hdf5', '.h5']);

/** Deepest nesting of folders: a deeper tree is a mistake, or has no end. */
const MAX_FOLDER_DEPTH = 64;

export async function resolveInputs(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) files.push(...(await resolveInput(path)));
  await refuseDuplicates(files);
  return files;
}

async function resolveInput(path: string): Promise<string[]> {
  const found = await statOrNull(path);
  if (found !== null) return resolveExisting(normalize(path), found);
  if (!isGlob(path)) {
    throw new ShortlistError('input_not_found', `the input ${path} does not exist`, { file: path });
  }
  const matches = await expandGlob(path);
  if (matches.length === 0) {
    throw new ShortlistError('input_not_found', `no file matches the input ${path}`, { file: path });
  }
  return matches;
}

async function resolveExisting(path: string, found: Stats): Promise<string[]> {
  if (found.isFile()) return [path];
  if (!found.isDirectory()) {
    const message = `the input ${path} is neither a file nor a folder: write its bytes to a file first`;
    throw new ShortlistError('input_format', message, { file: path });
  }
  const files = (await listFiles(path, 0)).sort();
  if (files.length === 0) {
    throw new ShortlistError('input_not_found', `the input folder ${path} has no files`, { file: path });
  }
  for (const extensions of EXTENSIONS) {
    const named = files.filter((file) => extensions.has(extname(file).toLowerCase()));
    if (named.length > 0) return named;
  }
  refuseBenchmark(path, files);
  return files;
}

function refuseBenchmark(folder: string, files: readonly string[]): void {
  const found = files.find((file) => arrayKindOf(file) !== null || HDF5_EXTENSIONS.has(extname(file).toLowerCase()));
  if (found === undefined) return;
  const message = `the folder ${folder} holds files such as ${found}, of which one may be items and another queries: name the files, or use a glob`; // prettier-ignore
  throw new ShortlistError('usage', message, { file: folder, first: found });
}

async function listFiles(folder: string, depth: number): Promise<string[]> {
  if (depth > MAX_FOLDER_DEPTH) {
    const message = `the input folder ${folder} is nested more than ${MAX_FOLDER_DEPTH} folders deep: name the inner folder`;
    throw new ShortlistError('input_unsupported', message, { file: folder, limit: MAX_FOLDER_DEPTH });
  }
  const entries = await listEntries(folder);
  if (entries.some((entry) => entry.name === DATASET_DICT)) {
    const split = await readOnlySplit(folder);
    if (split !== null) return listFiles(split, depth + 1);
  }
  if (entries.some((entry) => entry.name === 'state.json')) {
    const listed = await readDataFiles(folder);
    if (listed !== null) return listed;
  }
  const files: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (/^[._]/.test(entry.name)) continue;
    if (entry.isDirectory()) files.push(...(await listFiles(path, depth + 1)));
    else if (entry.isFile() || (await isLinkedFile(entry, path))) files.push(path);
  }
  return files;
}

async function listEntries(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw ioError('list', folder, error);
  }
}

/** Hugging Face's download cache consists of links to files. */
async function isLinkedFile(entry: Dirent, path: string): Promise<boolean> {
  return entry.isSymbolicLink() && (await statOrNull(path))?.isFile() === true;
}

/** Beside the folders of the splits. */
const DATASET_DICT = 'dataset_dict.json';

/** The folder of a DatasetDict that has one split; null if the file is something else. @throws usage for several */
async function readOnlySplit(folder: string): Promise<string | null> {
  const described = await readJson(join(folder, DATASET_DICT));
  const splits = typeof described === 'object' && described !== null && 'splits' in described ? described.splits : null;
  if (!Array.isArray(splits) || splits.length === 0) return null;
  const names = splits.filter((name: unknown): name is string => typeof name === 'string' && isFolderName(name));
  if (names.length !== splits.length) return null;
  const folders = names.map((name) => join(folder, name));
  if (folders.length === 1) {
    if ((await statOrNull(folders[0]!)) !== null) return folders[0]!;
    const message = `${join(folder, DATASET_DICT)} names the split ${JSON.stringify(names[0])}, which is not there`;
    throw new ShortlistError('input_not_found', message, { file: folders[0]! });
  }
  const message = `the folder ${folder} is a DatasetDict of ${folders.length} splits (${names.map((name) => JSON.stringify(name)).join(', ')}): name the folder of one, such as ${folders[0]!}, or several folders`;
  throw new ShortlistError('usage', message, { file: folder, splits: names });
}

function isFolderName(name: string): boolean {
  return name === basename(name) && !/^\.*$/.test(name);
}

/** The parsed file; null if it is not JSON. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw ioError('read', path, error);
  }
}

/** The data files that a Hugging Face `state.json` lists; null if it is some other `state.json`. */
async function readDataFiles(folder: string): Promise<string[] | null> {
  const path = join(folder, 'state.json');
  const state = await readJson(path);
  const listed = typeof state === 'object' && state !== null && '_data_files' in state ? state._data_files : null;
  if (!Array.isArray(listed)) return null;
  const names = listed.map((file: unknown) =>
    typeof file === 'object' && file !== null && 'filename' in file ? file.filename : null,
  );
  const files: string[] = [];
  for (const name of names) {
    if (typeof name !== 'string' || name !== basename(name)) return null;
    const file = join(folder, name);
    if ((await statOrNull(file)) === null) {
      throw new ShortlistError('input_not_found', `${path} names the data file ${name}, which is not there`, { file });
    }
    files.push(file);
  }
  return files;
}

/** A file named twice would add every row twice. Links to one file are that file. */
async function refuseDuplicates(files: readonly string[]): Promise<void> {
  const seen = new Map<string, string>();
  for (const file of files) {
    const real = await realpath(file).catch((error: unknown) => {
      throw ioError('read', file, error);
    });
    const first = seen.get(real);
    if (first !== undefined) {
      const names = first === file ? file : `${first} and ${file}`;
      const message = `the inputs name one file twice (${names}), so each of its rows would be there twice: name it once`;
      throw new ShortlistError('usage', message, { file, first });
    }
    seen.set(real, file);
  }
}

async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ENAMETOOLONG') return null;
    throw ioError('read', path, error);
  }
}
