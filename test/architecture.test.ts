/** Holds the sources to the code map in src/README.md: who may import whom, where each package lives, how long a file is. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../src/', import.meta.url));

/** Folders from the outermost to the innermost. A folder imports itself and folders of later lines; those of one line are strangers. */
const LAYERS: readonly (readonly string[])[] = [
  ['cli'],
  ['build', 'serve'],
  ['evaluate'],
  ['retrieve'],
  ['version', 'engine', 'ingest'],
  ['arrow'],
  ['base'],
];

/** The one folder (or file) that may import a package. Everything else reaches it through that folder. */
const PACKAGE_HOMES: Readonly<Record<string, string>> = {
  'apache-arrow': 'arrow/',
  'lz4-napi': 'arrow/',
  'hnswlib-node': 'engine/hnswlib/',
  commander: 'cli/',
  fastify: 'serve/',
  '@fastify/cors': 'serve/',
  '@fastify/helmet': 'serve/',
  '@fastify/swagger': 'serve/',
  '@fastify/swagger-ui': 'serve/',
  'prom-client': 'serve/',
  pino: 'serve/',
  typebox: 'serve/',
};

/** Packages that no source imports: the addon of the native engine is compiled with them. */
const COMPILED_WITH = ['node-addon-api'];

const MAX_LINES = 500;

interface Import {
  /** The importing file, relative to src/. */
  readonly file: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .sort();
const imports = files.flatMap((file) => readImports(file));
const ownImports = imports.filter(({ specifier }) => specifier.startsWith('.'));
const packageImports = imports.filter(({ specifier }) => !specifier.startsWith('.') && !isBuiltin(specifier));

/** Static and dynamic imports, re-exports, and `new URL('./x.js', import.meta.url)`, by which worker files are named. */
function readImports(file: string): Import[] {
  const source = ts.createSourceFile(file, readFileSync(join(SRC, file), 'utf8'), ts.ScriptTarget.ES2023, true);
  const found: Import[] = [];
  const add = (node: ts.Node | undefined, typeOnly: boolean): void => {
    if (node !== undefined && ts.isStringLiteralLike(node)) found.push({ file, specifier: node.text, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node.importClause));
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false);
    else if (isModuleUrl(node)) add(node.arguments?.[0], false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const names = clause.namedBindings;
  return (
    clause.name === undefined &&
    names !== undefined &&
    ts.isNamedImports(names) &&
    names.elements.every((element) => element.isTypeOnly)
  );
}

function isModuleUrl(node: ts.Node): node is ts.NewExpression {
  if (!ts.isNewExpression(node) || node.expression.getText() !== 'URL') return false;
  const [path, base] = node.arguments ?? [];
  return base?.getText() === 'import.meta.url' && path?.getText().includes('.js') === true;
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier);
}

/** The file that a relative import names, relative to src/. */
function targetOf({ file, specifier }: Import): string {
  return relative(SRC, join(SRC, dirname(file), specifier)).replace(/\.js$/, '.ts');
}

function folderOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : '';
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function layerOf(folder: string): number {
  return LAYERS.findIndex((layer) => layer.includes(folder));
}

/** The files at the top of src/ are entries of the package: they may import every folder. */
function mayImport(from: string, to: string): boolean {
  if (from === to || from === '') return true;
  if (from === 'client' || to === 'client') return from === 'cli';
  return layerOf(from) !== -1 && layerOf(from) < layerOf(to);
}

const describeImport = (found: Import): string => `${found.file} imports ${found.specifier}`;

describe('the import rule', () => {
  it('knows every folder of src/', () => {
    const known = new Set(['', 'client', ...LAYERS.flat()]);
    expect(files.filter((file) => !known.has(folderOf(file)))).toEqual([]);
    expect(files.length).toBeGreaterThan(0);
  });

  it('finds a file of src/ behind every relative import, with its .js suffix', () => {
    const lost = ownImports.filter((found) => found.specifier.endsWith('.js') && !files.includes(targetOf(found)));
    expect(lost.map(describeImport)).toEqual([]);
  });

  it('imports go one way: cli -> {build, serve} -> evaluate -> retrieve -> {version, engine, ingest} -> arrow -> base', () => {
    const wrong = ownImports.filter((found) => {
      const [from, to] = [folderOf(found.file), folderOf(targetOf(found))];
      return from !== 'client' && !targetOf(found).startsWith('..') && !mayImport(from, to);
    });
    expect(wrong.map(describeImport)).toEqual([]);
  });

  it('the client imports nothing of ours but types of base', () => {
    const wrong = ownImports.filter((found) => {
      const to = folderOf(targetOf(found));
      return folderOf(found.file) === 'client' && to !== 'client' && !(to === 'base' && found.typeOnly);
    });
    expect(wrong.map(describeImport)).toEqual([]);
  });

  it('the client needs no package and no module of Node, so that it runs wherever fetch does', () => {
    const wrong = imports.filter(({ file, specifier }) => folderOf(file) === 'client' && !specifier.startsWith('.'));
    expect(wrong.map(describeImport)).toEqual([]);
  });
});

describe('third-party packages', () => {
  it('each have one home', () => {
    const wrong = packageImports.filter(({ file, specifier }) => {
      const home = PACKAGE_HOMES[packageOf(specifier)];
      return home === undefined || !file.startsWith(home);
    });
    expect(wrong.map(describeImport)).toEqual([]);
  });

  it('in package.json are all used, and all used ones are in package.json', () => {
    const manifest = JSON.parse(readFileSync(join(SRC, '../package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const used = new Set([...packageImports.map(({ specifier }) => packageOf(specifier)), ...COMPILED_WITH]);
    expect([...used].sort()).toEqual(Object.keys(manifest.dependencies).sort());
  });
});

describe('files of src/', () => {
  it(`stay below ${MAX_LINES} lines`, () => {
    const long = files.filter((file) => readFileSync(join(SRC, file), 'utf8').split('\n').length > MAX_LINES);
    expect(long).toEqual([]);
  });

  it('are kebab-case nouns, and none is a drawer for everything', () => {
    const names = files.flatMap((file) => file.replace(/\.ts$/, '').split('/'));
    expect(names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))).toEqual([]);
    expect(names.filter((name) => ['utils', 'util', 'helpers', 'common', 'misc'].includes(name))).toEqual([]);
  });
});

describe('the code map', () => {
  const map = readFileSync(join(SRC, 'README.md'), 'utf8');

  it('has a line for every folder', () => {
    const folders = [...map.matchAll(/^\| `([a-z]+)\/` \|/gm)].map((match) => match[1]);
    expect(folders.sort()).toEqual([...new Set(files.map(folderOf))].filter((folder) => folder !== '').sort());
  });

  it('names files that exist', () => {
    const named = [...map.matchAll(/(?<![\w./-])(?:[a-z]+\/)+[a-z-]+\.ts\b/g)].map((match) => match[0]);
    const lost = named.filter((file) => !existsSync(join(SRC, file)) && !existsSync(join(SRC, '..', file)));
    expect(named.length).toBeGreaterThan(20);
    expect(lost).toEqual([]);
  });

  it('says the import rule and the homes that this test enforces', () => {
    const rule = LAYERS.map((layer) => (layer.length === 1 ? layer[0]! : `{${layer.join(', ')}}`)).join(' -> ');
    expect(map).toContain(`    ${rule}\n`);
    for (const name of Object.keys(PACKAGE_HOMES).filter((name) => !name.startsWith('@'))) expect(map).toContain(name);
  });
});
