/** Holds the sources to the code map in src/README.md: who may import whom, where each package lives, how long a file is. */
import { existsSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listSources, PROJECT, readImports, SRC, textOf, type Import } from './sources.js';

/** Folders from the outermost to the innermost. A folder imports itself and folders of later lines; those of one line are strangers. */
const LAYERS: readonly (readonly string[])[] = [
  ['cli'],
  ['builder', 'serve', 'doctor'],
  ['gate'],
  ['evaluate', 'export'],
  ['retrieve'],
  ['store'],
  ['version', 'engine', 'ingest'],
  ['formats'],
  ['arrow', 'wire'],
  ['base'],
];

/** The rooms of a folder, by the same rule. What is not in a room is named by its file; `.` stands for the other files. */
const ROOMS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  arrow: [['read', 'write'], ['decode'], ['frame'], ['.']],
  formats: [['open-table.ts'], ['hdf5'], ['flat', 'parquet'], ['.']],
  cli: [['main.ts'], ['program.ts'], ['commands'], ['.'], ['output']],
  engine: [['engines.ts', 'exact-search.ts'], ['native'], ['hnswlib'], ['exact'], ['engine.ts']],
  evaluate: [['calibrate', 'diff'], ['.']],
  retrieve: [['library'], ['search'], ['load'], ['filter']],
  store: [['.'], ['objects']],
  serve: [['.', 'primary', 'gateway'], ['worker'], ['leaf'], ['answer', 'fleet'], ['request'], ['channel']],
  version: [['state'], ['sealed'], ['locks'], ['disk']],
};

/** The one folder (or file) that may import a package. Everything else reaches it through that folder. */
const PACKAGE_HOMES: Readonly<Record<string, string>> = {
  'apache-arrow': 'arrow/',
  'lz4-napi': 'arrow/',
  '@bokuweb/zstd-wasm': 'arrow/',
  h5wasm: 'formats/hdf5/',
  hyparquet: 'formats/parquet/',
  'hyparquet-compressors': 'formats/parquet/',
  minimatch: 'ingest/',
  '@aws-sdk/client-s3': 'store/objects/',
  '@google-cloud/storage': 'store/objects/',
  'hnswlib-node': 'engine/hnswlib/',
  commander: 'cli/',
  'string-width': 'cli/',
  'fastest-levenshtein': 'base/',
  fastify: 'serve/',
  '@fastify/cors': 'serve/',
  '@fastify/helmet': 'serve/',
  '@fastify/swagger': 'serve/',
  '@fastify/swagger-ui': 'serve/',
  'prom-client': 'serve/',
  pino: 'serve/',
  undici: 'serve/gateway/',
  typebox: 'wire/',
};

/**
 * Packages that no source imports. The addons are compiled with node-addon-api. Fastify would take a light-my-request that
 * needs Node 22; `overrides` would hold that back here, and in no project that installs this one.
 */
const NOT_IMPORTED = ['light-my-request', 'node-addon-api'];

/** The routes of a server that holds some shards. */
const LEAF_ROUTES = 'serve/worker/routes/leaf.ts';

const MAX_LINES = 500;

const files = listSources('src').map((file) => file.slice('src/'.length));
const imports = listSources('src').flatMap(readImports);
const ownImports = imports.filter(({ target }) => target !== null);
const packageImports = imports.filter(({ target, specifier }) => target === null && !isBuiltin(specifier));

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier);
}

const inSrc = (path: string): string => path.slice('src/'.length);
const fromOf = ({ file }: Import): string => inSrc(file);
const toOf = ({ target }: Import): string => inSrc(target!);

function folderOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : '';
}

/** The place of a file's room among those of its folder, the outermost first. */
function roomOf(file: string): { readonly room: string; readonly layer: number } {
  const [folder, first] = file.split('/') as [string, string];
  const rooms = ROOMS[folder]!;
  const room = rooms.flat().includes(first) ? first : '.';
  return { room, layer: rooms.findIndex((layer) => layer.includes(room)) };
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

/** Within a folder. A URL names what another thread or process runs, which may be anywhere. */
function mayImportRoom(found: Import): boolean {
  if (found.kind === 'url') return true;
  const [from, to] = [roomOf(fromOf(found)), roomOf(toOf(found))];
  if (from.room === to.room) return true;
  return from.layer !== -1 && from.layer < to.layer;
}

/** Files that import each other in a circle, each circle once. (Tarjan's strongly connected components.) */
function findCycles(): string[][] {
  const graph = new Map<string, string[]>(files.map((file) => [file, []]));
  for (const found of ownImports) if (found.kind !== 'url') graph.get(fromOf(found))!.push(toOf(found));
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    low.set(file, order.get(file)!);
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!));
    }
    if (low.get(file) !== order.get(file)) return;
    const cycle = stack.splice(stack.indexOf(file));
    if (cycle.length > 1) cycles.push(cycle);
  };
  for (const file of files) if (!order.has(file)) visit(file);
  return cycles;
}

const describeImport = (found: Import): string => `${fromOf(found)} imports ${found.specifier}`;

describe('the import rule', () => {
  it('knows every folder of src/, and every room', () => {
    const known = new Set(['', 'client', ...LAYERS.flat()]);
    expect(files.filter((file) => !known.has(folderOf(file)))).toEqual([]);
    expect(files.length).toBeGreaterThan(0);
    const homeless = files.filter((file) => folderOf(file) in ROOMS && roomOf(file).layer === -1);
    expect(homeless).toEqual([]);
  });

  it('finds a file of src/ behind every relative import, with its .js suffix', () => {
    const lost = ownImports.filter((found) => found.specifier.endsWith('.js') && !files.includes(toOf(found)));
    expect(lost.map(describeImport)).toEqual([]);
  });

  it('imports go one way between folders', () => {
    const wrong = ownImports.filter((found) => {
      const [from, to] = [folderOf(fromOf(found)), folderOf(toOf(found))];
      return from !== 'client' && found.target!.startsWith('src/') && !mayImport(from, to);
    });
    expect(wrong.map(describeImport)).toEqual([]);
  });

  it('imports go one way between the rooms of a folder', () => {
    const wrong = ownImports.filter((found) => {
      const folder = folderOf(fromOf(found));
      return folder in ROOMS && folder === folderOf(toOf(found)) && !mayImportRoom(found);
    });
    expect(wrong.map(describeImport)).toEqual([]);
  });

  it('no files import each other in a circle', () => {
    expect(findCycles()).toEqual([]);
  });

  it('the processes of a server know each other only by the channel', () => {
    const isWorker = (file: string) => /^serve\/(?:worker|leaf)\//.test(file);
    const wrong = ownImports.filter(
      (found) => fromOf(found).startsWith('serve/primary/') && isWorker(toOf(found)) && found.kind !== 'url',
    );
    expect(wrong.map(describeImport)).toEqual([]);
  });

  it('a server loads the code of fleets only if it holds some shards, and no other command loads it', () => {
    const isFleet = (file: string) => /^serve\/(?:fleet|leaf|gateway)\//.test(file) || file === LEAF_ROUTES;
    const doors = ownImports.filter(
      (found) => found.kind === 'value' && isFleet(toOf(found)) && !isFleet(fromOf(found)),
    );
    expect(doors.map((door) => `${fromOf(door)} -> ${toOf(door)}`).sort()).toEqual([
      'cli/commands/gateway.ts -> serve/gateway/gateway-options.ts',
      'cli/commands/gateway.ts -> serve/gateway/start-gateway.ts',
      `serve/worker/worker.ts -> ${LEAF_ROUTES}`,
    ]);
    expect(textOf('src/serve/worker/worker.ts')).toContain("await import('./routes/leaf.js')");
    expect(textOf('src/cli/commands/gateway.ts')).toContain("await import('../../serve/gateway/start-gateway.js')");
  });

  it('the client imports nothing of ours but types of base and wire', () => {
    const wrong = ownImports.filter((found) => {
      const to = folderOf(toOf(found));
      return (
        folderOf(fromOf(found)) === 'client' &&
        to !== 'client' &&
        !(['base', 'wire'].includes(to) && found.kind === 'type')
      );
    });
    expect(wrong.map(describeImport)).toEqual([]);
  });

  it('the client needs no package and no module of Node, so that it runs wherever fetch does', () => {
    const wrong = imports.filter((found) => folderOf(fromOf(found)) === 'client' && found.target === null);
    expect(wrong.map(describeImport)).toEqual([]);
  });
});

describe('third-party packages', () => {
  it('each have one home', () => {
    const wrong = packageImports.filter((found) => {
      const home = PACKAGE_HOMES[packageOf(found.specifier)];
      return home === undefined || !fromOf(found).startsWith(home);
    });
    expect(wrong.map(describeImport)).toEqual([]);
  });

  it('in package.json are all used, and all used ones are in package.json', () => {
    type Versions = Record<string, string>;
    type Group = 'dependencies' | 'optionalDependencies' | 'peerDependencies';
    const manifest = JSON.parse(textOf('package.json')) as Record<Group, Versions>;
    const { dependencies, optionalDependencies, peerDependencies } = manifest;
    const used = new Set([...packageImports.map(({ specifier }) => packageOf(specifier)), ...NOT_IMPORTED]);
    expect([...used].sort()).toEqual(Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).sort()); // prettier-ignore
  });
});

describe('files of src/', () => {
  it(`stay below ${MAX_LINES} lines`, () => {
    const long = files.filter((file) => textOf(`src/${file}`).split('\n').length > MAX_LINES);
    expect(long).toEqual([]);
  });

  it('are kebab-case nouns, and none is a drawer for everything', () => {
    const names = files.flatMap((file) => file.replace(/\.ts$/, '').split('/'));
    expect(names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))).toEqual([]);
    expect(names.filter((name) => ['utils', 'util', 'helpers', 'common', 'misc'].includes(name))).toEqual([]);
  });
});

describe('the code map', () => {
  const map = textOf('src/README.md');

  it('has a line for every folder', () => {
    const folders = [...map.matchAll(/^\| `([a-z]+)\/` \|/gm)].map((match) => match[1]);
    expect(folders.sort()).toEqual([...new Set(files.map(folderOf))].filter((folder) => folder !== '').sort());
  });

  it('names files that exist', () => {
    const named = [...map.matchAll(/(?<![\w./-])(?:[a-z]+\/)+[a-z-]+\.ts\b/g)].map((match) => match[0]);
    const lost = named.filter((file) => !existsSync(join(SRC, file)) && !existsSync(join(PROJECT, file)));
    expect(named.length).toBeGreaterThan(20);
    expect(lost).toEqual([]);
  });

  it('says the import rule, the rooms and the homes that this test enforces', () => {
    const braced = (layers: readonly (readonly string[])[]) =>
      layers.map((layer) => (layer.length === 1 ? layer[0]! : `{${layer.join(', ')}}`)).join(' -> ');
    expect(map).toContain(`    ${braced(LAYERS)}\n`);
    for (const [folder, rooms] of Object.entries(ROOMS)) {
      const named = rooms.map((layer) => layer.filter((room) => room !== '.')).filter((layer) => layer.length > 0);
      expect(map).toContain(`\`${folder}/\`: ${braced(named)}`);
    }
    for (const name of Object.keys(PACKAGE_HOMES).filter((name) => !name.startsWith('@'))) expect(map).toContain(name);
  });
});
