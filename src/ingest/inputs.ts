/**
 * The files that `--input` and `--queries` mean.
 *
 * Takes paths of files, folders and globs; gives files: in the order given, those of a folder or glob sorted by path.
 * A path that exists is never taken for a glob. A folder stands for the Arrow files (.arrow, .arrows, .feather, .ipc)
 * in it and in its subfolders, or, when there is no such name, for all its files; names that start with `.` or `_`
 * are left out, as Spark and pyarrow leave them out, and links to folders are not followed. A folder that Hugging
 * Face's `save_to_disk` wrote names its data files in `state.json`, and stands for those: beside them `map` and
 * `filter` leave files of cached rows. One of a DatasetDict has a folder a split, named in `dataset_dict.json`: its
 * rows are meant for different things, so whoever wants several splits names them.
 *
 * Fails with `input_not_found` where nothing is there, `usage` where a file is named twice or a split is to be chosen.
 */
import type { Dirent, Stats } from 'node:fs';
import { readFile, readdir, realpath, stat } from 'node:fs/promises';
import { basename, extname, join, normalize } from 'node:path';
import { ShortlistError, errnoOf, ioError } from '../base/errors.js';
import { expandGlob, isGlob } from './glob.js';
import { comparePaths } from './paths.js';

const ARROW_EXTENSIONS: ReadonlySet<string> = new Set(['.arrow', '.arrows', '.feather', '.ipc']);

/** Folders inside folders; a tree deeper than this is a mistake, or has no end. */
const MAX_FOLDER_DEPTH = 64;

export async function resolveInputs(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) files.push(...(await resolveInput(path)));
  await refuseRepeats(files);
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
  const files = (await listFiles(path, 0)).sort(comparePaths);
  const named = files.filter((file) => ARROW_EXTENSIONS.has(extname(file).toLowerCase()));
  if (files.length === 0) {
    throw new ShortlistError('input_not_found', `the input folder ${path} has no files in it`, { file: path });
  }
  return named.length > 0 ? named : files;
}

async function listFiles(folder: string, depth: number): Promise<string[]> {
  if (depth > MAX_FOLDER_DEPTH) {
    const message = `the input folder ${folder} lies more than ${MAX_FOLDER_DEPTH} folders deep: name the inner folder`;
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

/** Hugging Face's download cache is made of links to files. */
async function isLinkedFile(entry: Dirent, path: string): Promise<boolean> {
  return entry.isSymbolicLink() && (await statOrNull(path))?.isFile() === true;
}

/** Beside the folders of the splits. */
const DATASET_DICT = 'dataset_dict.json';

/**
 * The folder of the one split of a Hugging Face DatasetDict, or null where the file is something else.
 * @throws usage that names the splits where there are several
 */
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
  const message = `the folder ${folder} is a DatasetDict of ${folders.length} splits (${names.map((name) => JSON.stringify(name)).join(', ')}): name the folder of the one that is meant, such as ${folders[0]!}, or several one after the other`;
  throw new ShortlistError('usage', message, { file: folder, splits: names });
}

function isFolderName(name: string): boolean {
  return name === basename(name) && !/^\.*$/.test(name);
}

/** What the file holds, or null where it is no JSON. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw ioError('read', path, error);
  }
}

/** The data files that a Hugging Face `state.json` lists, or null where it is some other `state.json`. */
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

/** A file that is named twice would give every row twice. Links to one file are that file. */
async function refuseRepeats(files: readonly string[]): Promise<void> {
  const seen = new Map<string, string>();
  for (const file of files) {
    const real = await realPath(file);
    const first = seen.get(real);
    if (first !== undefined) {
      const names = first === file ? file : `${first} and ${file}`;
      const message = `the inputs name one file twice, ${names}: every row of it would be there twice; name it once`;
      throw new ShortlistError('usage', message, { file, first });
    }
    seen.set(real, file);
  }
}

async function realPath(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (error) {
    throw ioError('read', file, error);
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
