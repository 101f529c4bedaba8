/** dist/ is what the sources are, whatever happened to it: on a project of two sources. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compile } from '../../scripts/build/compile.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const FILES = ['a.d.ts', 'a.js', 'a.js.map', 'inner/b.d.ts', 'inner/b.js', 'inner/b.js.map'];
const UNCHANGED = { errors: null, changed: 0 };

const folder = mkdtempSync(join(tmpdir(), 'build-'));
const path = (file: string): string => join(folder, file);
const dist = (file: string): string => readFileSync(path(`dist/${file}`), 'utf8');

function write(file: string, text: string): void {
  mkdirSync(dirname(path(file)), { recursive: true });
  writeFileSync(path(file), text);
}

function listDist(): string[] {
  const entries = readdirSync(path('dist'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.map((file) => file.slice(path('dist/').length)).sort();
}

beforeAll(async () => {
  write('package.json', '{"type": "module"}');
  write('package-lock.json', '{}');
  const options = { target: 'es2023', module: 'nodenext', lib: ['es2023'], types: [], strict: true, noEmit: true };
  write('tsconfig.json', JSON.stringify({ compilerOptions: { ...options, declaration: true, sourceMap: true } }));
  write('tsconfig.build.json', readFileSync(join(PROJECT, 'tsconfig.build.json'), 'utf8'));
  write('src/a.ts', "import { b } from './inner/b.js';\nexport const a = b + 1;\n");
  write('src/inner/b.ts', 'export const b = 1;\n');
  expect(await compile(folder)).toEqual({ errors: null, changed: FILES.length });
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a build', () => {
  beforeEach(() => expect(listDist()).toEqual(FILES));

  it('writes nothing where nothing changed', async () => {
    const before = statSync(path('dist/a.js')).mtimeMs;
    expect(await compile(folder)).toEqual(UNCHANGED);
    expect(statSync(path('dist/a.js')).mtimeMs).toBe(before);
  });

  it('writes what changed, and only that', async () => {
    write('src/inner/b.ts', 'export const b = 2;\n');
    expect((await compile(folder)).errors).toBeNull();
    expect(dist('inner/b.js')).toContain('b = 2');
    expect(await compile(folder)).toEqual(UNCHANGED);
  });

  it('mends files of dist/ that were edited, deleted or added by hand', async () => {
    write('dist/a.js', '// edited\n');
    rmSync(path('dist/inner'), { recursive: true });
    write('dist/inner/c.js', '// added\n');
    expect(await compile(folder)).toEqual({ errors: null, changed: 5 });
    expect(listDist()).toEqual(FILES);
    expect(dist('a.js')).toContain('b + 1');
  });

  it('mends what was edited before dist/ was made of it', async () => {
    const good = dist('a.js');
    write('build/compiled/a.js', '// edited\n');
    expect(await compile(folder)).toEqual(UNCHANGED);
    expect(dist('a.js')).toBe(good);
  });

  it('leaves no file of a source that has moved', async () => {
    renameSync(path('src/inner/b.ts'), path('src/moved.ts'));
    write('src/a.ts', "import { b } from './moved.js';\nexport const a = b + 1;\n");
    expect((await compile(folder)).errors).toBeNull();
    expect(listDist()).toEqual(['a.d.ts', 'a.js', 'a.js.map', 'moved.d.ts', 'moved.js', 'moved.js.map']);
    renameSync(path('src/moved.ts'), path('src/inner/b.ts'));
    write('src/a.ts', "import { b } from './inner/b.js';\nexport const a = b + 1;\n");
    expect((await compile(folder)).errors).toBeNull();
  });

  it('says again and again what does not compile, until it does', async () => {
    write('src/inner/b.ts', "export const b: number = 'text';\n");
    for (let round = 0; round < 2; round++) expect((await compile(folder)).errors).toContain('src/inner/b.ts(1,14)');
    write('src/inner/b.ts', 'export const b = 3;\n');
    expect((await compile(folder)).errors).toBeNull();
    expect(dist('inner/b.js')).toContain('b = 3');
  });

  it('waits for another one that has begun', async () => {
    write('src/inner/b.ts', 'export const b = 4;\n');
    const builds = await Promise.all([compile(folder), compile(folder), compile(folder)]);
    expect(builds.filter(({ changed }) => changed > 0)).toHaveLength(1);
    expect(dist('inner/b.js')).toContain('b = 4');
    expect(existsSync(path('build/lock'))).toBe(false);
  });

  it('does not wait for one that was killed', async () => {
    const killed = spawn(process.execPath, ['-e', '']);
    await once(killed, 'exit');
    write('build/lock', String(killed.pid));
    expect(await compile(folder)).toEqual(UNCHANGED);
    expect(existsSync(path('build/lock'))).toBe(false);
  });
});
