/**
 * Compiles src/ to dist/, so that dist/ holds what a clean build gives, and nothing else.
 *
 * tsc alone does not ensure that: an incremental build does not repair files that somebody edited or deleted, and
 * leaves the output of sources that have moved. So tsc compiles into a folder of its own, and dist/ is made equal to
 * it. That folder is used only while its digest is the one noted after the last build; else it is compiled from
 * nothing.
 *
 * If nothing has changed, tsc does not start. Files are replaced by renames, and equal ones are left alone, so a
 * process that runs from dist/ never reads half a file. Builds of one project wait for each other.
 */
import { spawn } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { whileLocked } from './lock.js';

/** What the output depends on, beside src/. The last one names the compiler and the types of the packages. */
const SETTINGS = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];

/** Endings of the output of one source. */
const ENDINGS = ['.js', '.js.map', '.d.ts'];

const PROGRAM = 'cli/main.js';

export interface Build {
  /** The compiler's messages; null if there are none. With errors the files are written all the same. */
  readonly errors: string | null;
  /** Number of files of dist/ that were written or deleted. */
  readonly changed: number;
}

/** What is noted about the compiled folder. */
interface State {
  /** Digest of the sources, if they compiled without an error; else null. */
  readonly sources: string | null;
  /** Digest of the compiled files. */
  readonly compiled: string;
}

/** @param project the folder with src/ and dist/ */
export async function compile(project: string): Promise<Build> {
  const folder = join(project, 'build');
  mkdirSync(folder, { recursive: true });
  return whileLocked(join(folder, 'lock'), async () => {
    const compiled = join(folder, 'compiled');
    const errors = await update(project, folder, compiled);
    const changed = makeEqual(compiled, join(project, 'dist'));
    return { errors, changed };
  });
}

/** Brings the compiled folder up to date. @returns the compiler's messages */
async function update(project: string, folder: string, compiled: string): Promise<string | null> {
  const statePath = join(folder, 'state.json');
  const state = readState(statePath);
  const isKnown = state !== null && state.compiled === digestOf(compiled, listFiles(compiled));
  const sources = listFiles(join(project, 'src')).filter((file) => file.endsWith('.ts'));
  const wanted = digestOf(project, [...SETTINGS, ...sources.map((file) => `src/${file}`)]);
  if (isKnown && state.sources === wanted) return null;
  if (!isKnown) {
    for (const path of [join(folder, 'tsbuildinfo'), compiled]) rmSync(path, { recursive: true, force: true });
  }
  const errors = await runCompiler(project);
  const made = new Set(sources.flatMap((file) => ENDINGS.map((ending) => file.replace(/\.ts$/, ending))));
  for (const file of listFiles(compiled)) if (!made.has(file)) rmSync(join(compiled, file));
  const after = { sources: errors === null ? wanted : null, compiled: digestOf(compiled, listFiles(compiled)) };
  writeFileSync(statePath, JSON.stringify(after satisfies State));
  return errors;
}

async function runCompiler(project: string): Promise<string | null> {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const options = ['-p', 'tsconfig.build.json']; // it names the same folders of `build/` as this file
  const child = spawn(process.execPath, [tsc, ...options], { cwd: project, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('close', resolve).once('error', reject),
  );
  return code === 0 ? null : output || `tsc ended with ${code}`;
}

/** @returns how many files of `to` were written or deleted */
function makeEqual(from: string, to: string): number {
  let changed = 0;
  const wanted = listFiles(from);
  for (const file of wanted) {
    const [bytes, path] = [readFileSync(join(from, file)), join(to, file)];
    if (existsSync(path) && readFileSync(path).equals(bytes)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
    changed++;
  }
  for (const file of listFiles(to).filter((name) => !wanted.includes(name))) {
    rmSync(join(to, file));
    changed++;
  }
  if (wanted.includes(PROGRAM)) chmodSync(join(to, PROGRAM), 0o755);
  return changed;
}

/** Paths of the files below a folder, sorted; none if it does not exist. */
function listFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

function digestOf(folder: string, files: readonly string[]): string {
  const hash: Hash = createHash('sha256');
  for (const file of files) {
    const bytes = readFileSync(join(folder, file));
    hash.update(`${file}\n${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}

function readState(path: string): State | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as State;
  } catch {
    return null; // the first build, or a build that was killed
  }
}
