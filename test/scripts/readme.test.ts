/** README.md says what is so: its tables are the code's, its flags exist, its examples compile and run, its routes answer. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCatalog } from '../../scripts/catalog.js';
import { withTables } from '../../scripts/readme-tables.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = join(PROJECT, 'dist/cli/main.js');
const readme = readFileSync(join(PROJECT, 'README.md'), 'utf8');

/** The base URL that the README's examples ask. */
const README_URL = 'http://127.0.0.1:8080';

/** The README's catalog has 50,000 rows; a smaller one of its seed begins with the same listings. */
const ROWS = 20_000;
const SEED = 42;

/** Text of the fenced blocks of one language. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))].map((match) => match[1]!);
}

/** The commands of console blocks, each with what the README says it prints. */
function consoleCommands(): { command: string; output: string }[] {
  return blocks('console').flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const end = /(?<![\\|])\n/.exec(text)!.index;
        return { command: text.slice(0, end), output: text.slice(end + 1) };
      }),
  );
}

const helps = new Map<string, string>();

function helpOf(command: string): string {
  const help =
    helps.get(command) ?? execFileSync(process.execPath, [CLI, ...command.split(' '), '--help'], { encoding: 'utf8' });
  helps.set(command, help);
  return help;
}

const flagsIn = (text: string): string[] => [...new Set(text.match(/(?<![\w-])--?[a-z][a-z-]*/g) ?? [])];

/** The names in the first column of the table under a heading or sentence. */
function firstColumn(after: string): string[] {
  const table = readme.slice(readme.indexOf(after)).match(/^\|[^]*?(?=\n\n)/m)![0];
  return table
    .split('\n')
    .slice(2)
    .map((row) => /^\| `([^`]+)`/.exec(row)![1]!);
}

describe('the tables of README.md', () => {
  it('of errors, options of serve and metrics are those of the code (else: npx tsx scripts/readme-tables.ts)', () => {
    expect(readme).toBe(withTables(readme));
  });

  it('list the commands that there are', () => {
    const commands = helpOf('').split('Commands:')[1]!.split('\n\n')[0]!;
    const known = [...commands.matchAll(/^ {2}([a-z]+)/gm)].map((match) => match[1]!).filter((name) => name !== 'help');
    expect(
      firstColumn('| command | does |')
        .map((cell) => cell.split(' ')[0]!)
        .sort(),
    ).toEqual(known.sort());
  });

  it('list the options of build that there are', () => {
    const own = helpOf('build')
      .split('Global Options:')[0]!
      .matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm);
    const known = [...own].map((match) => match[1]!).filter((flag) => flag !== '--help');
    expect(firstColumn('Options of `build`:').flatMap(flagsIn).sort()).toEqual(known.sort());
  });

  it('name flags that the command of the row has', () => {
    for (const row of readme.slice(readme.indexOf('| command | does |')).split('\n\n')[0]!.split('\n').slice(2)) {
      const command = /^\| `([a-z]+)/.exec(row)![1]!;
      for (const flag of flagsIn(row)) expect(helpOf(command), `${command} ${flag}`).toContain(flag);
    }
  });

  it('list the exit codes of the help', () => {
    const codes = firstColumnNumbers('Exit codes:');
    expect(codes).toEqual(
      [
        ...helpOf('')
          .split('Exit codes:')[1]!
          .split('\n\n')[0]!
          .matchAll(/(\d+) /g),
      ].map((match) => match[1]),
    );
  });
});

function firstColumnNumbers(after: string): string[] {
  const table = readme.slice(readme.indexOf(after)).match(/^\|[^]*?(?=\n\n)/m)![0];
  return [...table.matchAll(/^\| (\d+) \|/gm)].map((match) => match[1]!);
}

describe('the commands of README.md', () => {
  const lines = [...readme.matchAll(/\bshortlist ([a-z]+)\b([^`\n&|]*)/g)]
    .map((match) => ({ command: match[1]!, rest: match[2]! }))
    .filter(({ command }) => firstColumn('| command | does |').some((cell) => cell.startsWith(command)));

  it('have flags that exist', () => {
    expect(lines.length).toBeGreaterThan(10);
    for (const { command, rest } of lines) {
      for (const flag of flagsIn(rest)) expect(helpOf(command), `${command} ${flag}`).toContain(flag);
    }
  });

  it('of npm are scripts of package.json', () => {
    const { scripts } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...readme.matchAll(/npm run ([a-z:-]+)/g)].map((match) => match[1]!);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe('the TypeScript of README.md', () => {
  it('type-checks against the package as it is installed', () => {
    const options = ts.parseJsonConfigFileContent(
      ts.readConfigFile(join(PROJECT, 'tsconfig.json'), (path) => ts.sys.readFile(path)).config,
      ts.sys,
      PROJECT,
    ).options;
    const examples = new Map(blocks('ts').map((text, i) => [join(PROJECT, `readme-example-${i}.ts`), text]));
    const host = ts.createCompilerHost(options);
    const readFile = host.readFile.bind(host);
    const fileExists = host.fileExists.bind(host);
    host.readFile = (path) => examples.get(path) ?? readFile(path);
    host.fileExists = (path) => examples.has(path) || fileExists(path);
    const getSourceFile = host.getSourceFile.bind(host);
    host.getSourceFile = (path, target, ...rest) => {
      const text = examples.get(path);
      return text === undefined ? getSourceFile(path, target, ...rest) : ts.createSourceFile(path, text, target);
    };
    const program = ts.createProgram([...examples.keys()], options, host);
    const wrong = [...examples.keys()].flatMap((path) =>
      ts.getPreEmitDiagnostics(program, program.getSourceFile(path)),
    );
    expect(examples.size).toBe(2);
    expect(wrong.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
  });
});

describe('with a server over a smaller catalog', () => {
  let folder: string;
  let server: ChildProcess;
  let baseUrl: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'shortlist-readme-'));
    writeFileSync(join(folder, 'listings.arrow'), makeCatalog({ rows: ROWS, seed: SEED }));
    runCli('build', 'listings', '--input', 'listings.arrow', '--ef-construction', '60', '--publish');
    server = spawn(process.execPath, [CLI, 'serve', '--port', '0', '--workers', '1', '--drain-delay-ms', '0'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    baseUrl = `http://127.0.0.1:${await listeningPort(server)}`;
  });

  afterAll(async () => {
    if (server.exitCode === null) {
      server.kill('SIGTERM');
      await once(server, 'exit');
    }
    rmSync(folder, { recursive: true });
  });

  function runCli(...args: string[]): string {
    return execFileSync(process.execPath, [CLI, ...args], { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  }

  it('the TypeScript runs', async () => {
    for (const [i, text] of blocks('ts').entries()) {
      const code = ts.transpileModule(text, {
        compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
      });
      const path = join(folder, `example-${i}.mjs`);
      writeFileSync(path, linkPackage(code.outputText).replaceAll(README_URL, baseUrl));
      const child = spawn(process.execPath, [path], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (piece: Buffer) => (output += piece.toString()));
      const [exit] = (await once(child, 'close')) as [number | null];
      expect(exit, output).toBe(0);
      expect(output.split('\n').length).toBeGreaterThan(3);
    }
  });

  it.skipIf(spawnSync('curl', ['--version']).error !== undefined)(
    'the curl commands print what README.md shows (skipped without curl)',
    () => {
      const curls = consoleCommands().filter(({ command }) => command.includes('curl'));
      expect(curls.length).toBeGreaterThanOrEqual(4);
      for (const { command, output } of curls) {
        const script = command
          .replaceAll(README_URL, baseUrl)
          .replaceAll('npx tsx', join(PROJECT, 'node_modules/.bin/tsx'));
        const answer = execFileSync('sh', ['-c', script], { cwd: PROJECT, encoding: 'utf8', stdio: 'pipe' });
        // What passes of a smaller catalog may be scanned, which has no ef.
        const shown = output.replace(/"ef": ?\d+/, answer.includes('"ef":null') ? '"ef": null' : '$&');
        expect(shapeOf(JSON.parse(answer)), command).toEqual(shapeOf(JSON.parse(shown)));
      }
    },
  );

  it('its routes are those of README.md, and answer', async () => {
    const { paths } = (await (await fetch(`${baseUrl}/openapi.json`)).json()) as { paths: Record<string, object> };
    const served = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const documented = firstColumn('| route | answers |');
    expect(documented.filter((route) => !served.includes(route))).toEqual([]);
    for (const path of ['/v1/indexes', '/v1/indexes/listings', '/livez', '/readyz', '/docs', '/openapi.json']) {
      expect((await fetch(baseUrl + path)).status, path).toBe(200);
    }
  });

  it('its fields of a search are those of README.md', async () => {
    const openapi = (await (await fetch(`${baseUrl}/openapi.json`)).json()) as {
      components: { schemas: Record<string, { properties: object }> };
    };
    const known = Object.keys(openapi.components.schemas['SearchRequest']!.properties);
    const queries = readme.slice(readme.indexOf('| field | query |')).split('\n\n')[0]!.split('\n').slice(2);
    const queryFields = queries.flatMap((row) =>
      [...row.split('|')[1]!.matchAll(/`([a-z0-9_]+)`/g)].map((match) => match[1]!),
    );
    expect([...queryFields, ...firstColumn('| field | default |')].sort()).toEqual(known.sort());
  });

  it('its metrics are those of README.md', async () => {
    const page = await (await fetch(`${baseUrl}/metrics`)).text();
    const measured = [...page.matchAll(/^# TYPE (shortlist_\w+)/gm)].map((match) => match[1]!);
    expect(firstColumn('<!-- metrics -->').sort()).toEqual(measured.sort());
    for (const name of readme.match(/shortlist_[a-z_]+/g)!) expect(measured).toContain(name);
  });
});

/** Names of the package as files of this build: the examples run outside of the project. */
function linkPackage(code: string): string {
  return code
    .replaceAll("'shortlist/client'", `'${pathToFileURL(join(PROJECT, 'dist/client/client.js')).href}'`)
    .replaceAll("'shortlist'", `'${pathToFileURL(join(PROJECT, 'dist/index.js')).href}'`);
}

/** The port in the log line that says the server listens. */
async function listeningPort(server: ChildProcess): Promise<number> {
  const seen: string[] = [];
  for await (const line of createInterface({ input: server.stderr! })) {
    seen.push(line);
    const entry = JSON.parse(line) as { msg?: string; port?: number };
    if (entry.msg !== 'listening') continue;
    server.stderr!.resume();
    return entry.port!;
  }
  throw new Error(`the server did not start:\n${seen.join('\n')}`);
}

/** Keys and kinds of values, without the values. Lists are as long as they are. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]));
}
