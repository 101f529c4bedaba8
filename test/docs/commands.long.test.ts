/**
 * Runs what the pages show: each page's commands in order, in a folder of its own with an index and a server, and every
 * program of docs/examples. What a command prints must be what the page shows, but for numbers, names of versions and the
 * lines that `...` stands for.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeCatalog } from '../../scripts/catalog.js';
import { shortlist } from '../cli/process.js';
import { temporaryFolder } from '../indexes.js';
import { TestServer } from '../serve/server.js';
import { commandsOf, examples, pages, PROJECT } from './pages.js';

/** The base URL in the pages. */
const PAGE_URL = 'http://127.0.0.1:8080';
const EMPTY = '<!-- page starts empty -->';
const ROWS = 50_000;
const SEED = 42;

const PYTHON = process.env['SHORTLIST_TEST_PYTHON'] ?? 'python3';
const hasPython = (...modules: string[]): boolean =>
  spawnSync(PYTHON, ['-c', `import ${modules.join(', ')}`]).status === 0;
const hasCurl = spawnSync('curl', ['--version']).error === undefined;

const run = promisify(execFile);

/** Two published versions of a catalog, the file of the second, and queries. */
const template = temporaryFolder();

beforeAll(async () => {
  const root = join(template, 'indexes');
  for (const rows of [ROWS - 1_000, ROWS]) {
    writeFileSync(join(template, 'listings.arrow'), makeCatalog({ rows, seed: SEED }));
    const { code, stderr } = await shortlist(['build', 'listings', '--root', root, '--input', join(template, 'listings.arrow'), '--publish']); // prettier-ignore
    expect(code, stderr).toBe(0);
  }
  writeFileSync(join(template, 'queries.arrow'), makeCatalog({ rows: 200, seed: SEED + 1 }));
});

/** A folder to run a page in. @returns its path and an environment in which `shortlist` is a command */
function workplace(empty: boolean): { folder: string; env: NodeJS.ProcessEnv } {
  const folder = temporaryFolder();
  if (!empty) cpSync(template, folder, { recursive: true });
  const bin = join(folder, '.bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'shortlist'), `#!/bin/sh\nexec "${process.execPath}" "${join(PROJECT, 'dist/cli/main.js')}" "$@"\n`, { mode: 0o755 }); // prettier-ignore
  return { folder, env: { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`, COLUMNS: '120' } };
}

const VERSION = /\d{8}T\d{6}Z-[0-9a-f]{8}/g;

function newestVersion(root: string): string {
  return readdirSync(join(root, 'listings')).filter((name) => new RegExp(`^${VERSION.source}$`).test(name)).sort().at(-1)!; // prettier-ignore
}

/** A command of a page as it is run here. */
function asRun(command: string, folder: string, url: string): string {
  const withVersion = new RegExp(VERSION.source).test(command)
    ? command.replaceAll(VERSION, newestVersion(join(folder, 'indexes')))
    : command;
  return withVersion
    .replaceAll(PAGE_URL, url)
    .replaceAll('npx tsx scripts/', `"${PROJECT}node_modules/.bin/tsx" "${PROJECT}"scripts/`);
}

/** Text of which only the words count. */
const wordsOf = (line: string): string =>
  line
    .replaceAll(VERSION, 'VERSION')
    .replace(/[\d.,:]*\d[\d.,:]*/g, '#')
    .replace(/─+/g, '─')
    .replace(/ +/g, ' ')
    .trim();

/** The shown lines must be among the printed ones in that order, with nothing between them but where `...` stands. */
function expectPrinted(printed: string, shown: string, command: string): void {
  const pattern = shown
    .split('\n')
    .map((line) => (line === '...' ? '[^]*' : wordsOf(line).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('\n')
    .replaceAll('\n[^]*', '[^]*')
    .replaceAll('[^]*\n', '[^]*');
  const words = printed.trimEnd().split('\n').map(wordsOf).join('\n');
  expect(words, `${command}\n${printed}`).toMatch(new RegExp(`^${pattern}$`));
}

/** Keys and kinds of values, without the values. Lists are as long as they are. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]));
}

describe.skipIf(!hasCurl)('the commands (skipped without curl)', () => {
  const withCommands = [...pages].filter(([, text]) => commandsOf(text).length > 0);

  it.each(withCommands)('of %s run, and print what it shows', async (_, text) => {
    const empty = text.includes(EMPTY) || text.startsWith('# shortlist\n');
    const { folder, env } = workplace(empty);
    const root = join(folder, 'indexes');
    let server = empty ? null : await TestServer.start(root, ['--workers', '1']);
    for (const { command, output } of commandsOf(text)) {
      if (command.startsWith('shortlist serve')) {
        server = await TestServer.start(root, ['--workers', '1']);
        continue;
      }
      const script = asRun(command, folder, server?.url ?? PAGE_URL);
      const { stdout, stderr } = await run('sh', ['-ec', script], { cwd: folder, env });
      if (output === null) continue;
      if (output.startsWith('{')) expect(shapeOf(JSON.parse(stdout)), command).toEqual(shapeOf(JSON.parse(output)));
      else expectPrinted(stdout === '' ? stderr : stdout, output, command);
    }
    if (server !== null) expect(await server.stop()).toBe(0);
  });

  it('exist', () => {
    expect(withCommands.length).toBeGreaterThanOrEqual(8);
  });
});

describe('the programs of docs/examples', () => {
  let place: ReturnType<typeof workplace>;
  let server: TestServer;

  beforeAll(async () => {
    place = workplace(false);
    server = await TestServer.start(join(place.folder, 'indexes'), ['--workers', '1']);
    return async () => {
      await server.stop();
    };
  });

  /** Runs a program with the server's URL, and with time enough for a busy machine. @returns the lines that it printed */
  async function runProgram(program: string, args: string[], text: string, name: string): Promise<string[]> {
    const path = join(place.folder, name);
    writeFileSync(path, text.replaceAll(PAGE_URL, server.url).replace(/(timeoutMs|timeout_ms): \d+/g, '$1: 20_000'));
    const child = spawn(program, [...args, path], { cwd: place.folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (piece: Buffer) => (output += piece.toString()));
    const [exit] = (await once(child, 'close')) as [number | null];
    expect(exit, output).toBe(0);
    return output.trimEnd().split('\n');
  }

  /** Names of packages as files of this project: the programs run outside of it. */
  const linkPackages = (code: string): string =>
    code
      .replaceAll("'shortlist/client'", `'${pathToFileURL(join(PROJECT, 'dist/client/client.js')).href}'`)
      .replaceAll("'shortlist'", `'${pathToFileURL(join(PROJECT, 'dist/index.js')).href}'`)
      .replaceAll("'hnswlib-node'", `'${pathToFileURL(join(PROJECT, 'node_modules/hnswlib-node/lib/index.js')).href}'`);

  it.each([...examples.keys()].filter((name) => name.endsWith('.ts')))('%s runs', async (name) => {
    const { outputText } = ts.transpileModule(examples.get(name)!, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
    });
    const lines = await runProgram(process.execPath, [], linkPackages(outputText), name.replace(/\.ts$/, '.mjs'));
    expect(lines.length).toBeGreaterThanOrEqual(5);
    if (name === 'retrieve-and-rank.ts') expect(lines[0]).toMatch(/^200 candidates of listings@\d{8}T/);
  });

  it.skipIf(!hasPython('requests', 'pyarrow'))(
    'search.py searches in JSON and in Arrow (skipped where python3, or SHORTLIST_TEST_PYTHON, lacks requests or pyarrow)',
    async () => {
      const lines = await runProgram(PYTHON, [], examples.get('search.py')!, 'search.py');
      expect(lines).toHaveLength(4);
      expect(lines[3]).toMatch(/^10000 \['query', 'id', 'score', 'price'\] \d/);
    },
  );

  it.skipIf(!hasPython('numpy', 'pyarrow'))(
    'write-embeddings.py writes a file that builds (skipped where python3, or SHORTLIST_TEST_PYTHON, lacks numpy or pyarrow)',
    async () => {
      await runProgram(PYTHON, [], examples.get('write-embeddings.py')!, 'write-embeddings.py');
      const built = await run('shortlist', ['build', 'items', '--input', 'items.arrow', '--json'], { cwd: place.folder, env: place.env }); // prettier-ignore
      expect(JSON.parse(built.stdout)).toMatchObject({ count: 1_000, dim: 64, rejected: 0 });
    },
  );

  it('read-export.mjs searches an export', async () => {
    await run('shortlist', ['export', 'listings', '--out', 'listings-hnswlib'], { cwd: place.folder, env: place.env });
    const [line] = await runProgram(process.execPath, [], linkPackages(examples.get('read-export.mjs')!), 'read-export.mjs'); // prettier-ignore
    expect(line).toMatch(/^100 0\.\d+$/);
  });

  it.skipIf(!hasPython('hnswlib', 'numpy', 'pyarrow'))(
    'read-export.py searches an export (skipped where python3, or SHORTLIST_TEST_PYTHON, lacks hnswlib, numpy or pyarrow)',
    async () => {
      const [line] = await runProgram(PYTHON, [], examples.get('read-export.py')!, 'read-export.py');
      expect(line).toMatch(/^100 \d+ 0\.\d+$/);
    },
  );

  it('asks routes and metrics that the server has', async () => {
    const { paths } = (await (await fetch(`${server.url}/openapi.json`)).json()) as { paths: Record<string, object> };
    const served = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const http = pages.get('docs/reference/http.md')!;
    const documented = [...http.matchAll(/^\| `((?:GET|POST) [^`]+)`/gm)].map((match) => match[1]!);
    expect(documented.sort()).toEqual(served.sort());
    const page = await (await fetch(`${server.url}/metrics`)).text();
    const measured = [...page.matchAll(/^# TYPE (shortlist_\w+)/gm)].map((match) => match[1]!);
    const listed = [...pages.get('docs/operating/metrics-and-alerts.md')!.matchAll(/^\| `(shortlist_\w+)`/gm)].map((match) => match[1]!); // prettier-ignore
    const ofServers = listed.filter((name) => !name.startsWith('shortlist_fleet_')); // the others are a gateway's
    expect([...new Set(ofServers)].sort()).toEqual(measured.sort());
    expect(ofServers.length).toBeLessThan(listed.length);
  });
});
