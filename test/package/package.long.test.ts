/**
 * The package as its users get it: what the tarball holds, and that it works once npm has installed it, as a tarball and from
 * a git repository. This is npm itself, in folders of its own, with what it has in its cache and else from the network.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { listSources, PROJECT, SRC } from '../architecture/sources.js';
import { makeVectors, writeCatalog } from '../indexes.js';

/** An installation compiles the addons: half a minute, and minutes where the machine is busy. */
const INSTALL_MS = 600_000;

/** What npm says where it reaches no registry and its cache does not suffice. */
const OFFLINE = /\b(?:ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT)\b/;

/** What users import, with types that are wrong where ours are `any`. */
const TYPED = `
import { openIndex, ShortlistClient, ShortlistError, type ErrorCode, type SearchAnswer } from 'shortlist';
import { ShortlistClient as Client, ShortlistClientError, type SearchRequest } from 'shortlist/client';
export const client: ShortlistClient = new Client('http://127.0.0.1:8080', { timeoutMs: 1000 });
export const search = (request: SearchRequest) => client.search('items', request);
export async function find(vector: Float32Array): Promise<SearchAnswer> {
  const index = await openIndex('indexes', 'items');
  return index.search(vector, { k: 3 });
}
export const codeOf = (error: unknown): ErrorCode | null => (error instanceof ShortlistError ? error.code : null);
export const isOurs = (error: unknown): boolean => error instanceof ShortlistClientError;
// @ts-expect-error there is no such method
export const wrong = client.find;
// @ts-expect-error the address of the server is a text
new Client(8080);
`;

const SEARCH = `
const index = await openIndex('indexes', 'items');
const { ids } = index.search(new Float32Array([1, 0, 0, 0, 0, 0, 0, 0]), { k: 3 });
const client = new ShortlistClient('http://127.0.0.1:8080');
console.log(JSON.stringify({ ids, dim: index.manifest.dim, client: typeof client.search, same: ShortlistClient === Client }));
`;

const ESM = `
import { openIndex, ShortlistClient } from 'shortlist';
import { ShortlistClient as Client } from 'shortlist/client';
${SEARCH}`;

const COMMON_JS = `
const { openIndex, ShortlistClient } = require('shortlist');
const { ShortlistClient: Client } = require('shortlist/client');
(async () => {${SEARCH}})();
`;

const folder = mkdtempSync(join(tmpdir(), 'package-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  /** stdout and stderr */
  readonly said: string;
}

/** Runs a program with the Node of this test. */
async function run(cwd: string, program: string, ...args: string[]): Promise<Run> {
  const env = {
    ...process.env,
    PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
    JOBS: 'max', // of node-gyp
    CXXFLAGS: '-O0', // compiles in half the time; how fast the addons are is not asked here
  };
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, said] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => ((stdout += text), (said += text)));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('close', resolve).once('error', reject),
  );
  return { code, stdout, said };
}

async function expectRun(cwd: string, program: string, ...args: string[]): Promise<string> {
  const { code, stdout, said } = await run(cwd, program, ...args);
  expect(code, `${[program, ...args].join(' ')}\n${said}`).toBe(0);
  return stdout;
}

let tarball: string;

beforeAll(async () => {
  await expectRun(PROJECT, 'npm', 'pack', '--pack-destination', folder);
  tarball = join(
    folder,
    readdirSync(folder).find((file) => file.endsWith('.tgz'))!,
  );
});

describe('the tarball', () => {
  it('holds what runs, what the addons are compiled of, and what there is to read', async () => {
    const compiled = listSources('src').flatMap((file) =>
      ['.js', '.js.map', '.d.ts'].map((ending) => file.replace(/^src\//, 'dist/').replace(/\.ts$/, ending)),
    );
    const native = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(?:cc|h|gyp)$/.test(file) && !file.includes('build/'))
      .map((file) => `src/${file}`);
    const read = ['README.md', 'indexes/README.md', 'package.json', 'LICENSE'];
    const wanted = [...compiled, ...native, ...read.filter((file) => existsSync(join(PROJECT, file)))];
    const held = (await expectRun(folder, 'tar', '-tzf', tarball)).trim().split('\n');
    expect(held.sort()).toEqual(wanted.map((file) => `package/${file}`).sort());
  });

  it('holds source maps that need no other file', () => {
    const map = JSON.parse(readFileSync(join(PROJECT, 'dist/index.js.map'), 'utf8')) as { sourcesContent?: string[] };
    expect(map.sourcesContent).toEqual([readFileSync(join(SRC, 'index.ts'), 'utf8')]);
  });

  it('is as npm and bundlers expect it', async () => {
    const bytes = Uint8Array.from(readFileSync(tarball));
    const { messages, pkg } = await publint({ pack: { tarball: bytes.buffer }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  // `node10` is what TypeScript did before `exports`. `CJSResolvesToESM` says that a CommonJS file gets an ES module: every
  // Node that we support can require one that has no top-level await. Built for both it would be there twice in a process that
  // uses both, with two classes for each error.
  it('has types where TypeScript looks for them', async () => {
    const checked = await checkPackage(createPackageFromTarballData(Uint8Array.from(readFileSync(tarball))));
    const problems = checked.types === false ? ['no types'] : checked.problems;
    const expected = ['.', './client'].flatMap((entrypoint) => [
      { kind: 'NoResolution', resolutionKind: 'node10', entrypoint },
      { kind: 'CJSResolvesToESM', resolutionKind: 'node16-cjs', entrypoint },
    ]);
    expect(problems).toEqual(expect.arrayContaining(expected));
    expect(problems).toHaveLength(expected.length);
  });
});

/** Makes an empty project and has npm install the package there. @returns its folder */
async function install(test: TestContext, name: string, from: string): Promise<string> {
  const project = join(folder, name);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name, private: true, type: 'module' }));
  const options = ['--prefer-offline', '--engine-strict', '--no-audit', '--no-fund'];
  const { code, said } = await run(project, 'npm', 'install', ...options, from);
  if (code !== 0 && OFFLINE.test(said)) test.skip('npm has no network, and its cache does not hold the dependencies');
  expect(code, said).toBe(0);
  return project;
}

/** Where a program of an installed package must be able to search: both addons of ours, and hnswlib's. */
async function expectWorking(project: string): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as { version: string };
  expect(await expectRun(project, 'npx', 'shortlist', '--version')).toBe(`${version}\n`);
  const vectors = makeVectors(50, 8, 1);
  vectors.fill(0, 0, 8)[0] = 1; // the row that is searched
  writeCatalog(join(project, 'items.arrow'), { vectors, dim: 8 });
  for (const engine of ['hnswlib', 'native']) {
    const build = ['build', 'items', '--input', 'items.arrow', '--engine', engine, '--publish', '--no-calibrate'];
    await expectRun(project, 'npx', 'shortlist', ...build);
  }
  for (const [file, text] of [['search.mjs', ESM], ['search.cjs', COMMON_JS]] as const) {
    writeFileSync(join(project, file), text);
    const { code, stdout, said } = await run(project, process.execPath, file);
    expect(code, said).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      ids: ['0', expect.any(String), expect.any(String)],
      dim: 8,
      client: 'function',
      same: true,
    });
    expect(said).toBe(stdout); // nothing is experimental, nothing deprecated
  } // prettier-ignore
}

/** The clients of object stores are large: who has no store does without them, and who has one is told what to install. */
async function expectNoStoreClients(project: string): Promise<void> {
  for (const [url, name] of [['s3://bucket/indexes', '@aws-sdk/client-s3'], ['gs://bucket/indexes', '@google-cloud/storage']] as const) {
    expect(existsSync(join(project, 'node_modules', name))).toBe(false);
    const { code, said } = await run(project, 'npx', 'shortlist', 'list', '--root', url);
    expect([code, said]).toEqual([64, expect.stringMatching(new RegExp(`npm install ${name}.*client_missing`))]);
  }
} // prettier-ignore

describe('installed', () => {
  it('from the tarball it works, and its types do', { timeout: INSTALL_MS }, async (test) => {
    const project = await install(test, 'from-tarball', tarball);
    await expectWorking(project);
    await expectNoStoreClients(project);
    for (const file of ['use.mts', 'use.cts']) writeFileSync(join(project, file), TYPED);
    const tsc = join(PROJECT, 'node_modules/typescript/bin/tsc');
    const flags = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2023'];
    const node = ['--lib', 'es2023', '--types', 'node', '--typeRoots', join(PROJECT, 'node_modules/@types')];
    for (const [module, resolution, file, environment] of [
      ['nodenext', 'nodenext', 'use.mts', ['--lib', 'es2023,dom']],
      ['nodenext', 'nodenext', 'use.mts', node],
      ['nodenext', 'nodenext', 'use.cts', node],
      ['esnext', 'bundler', 'use.mts', ['--lib', 'es2023,dom']],
    ] as const) {
      const options = [...flags, '--module', module, '--moduleResolution', resolution, ...environment];
      await expectRun(project, process.execPath, tsc, ...options, file);
    }
  });

  it('from a git repository it works: npm compiles it', { timeout: INSTALL_MS }, async (test) => {
    const repository = join(folder, 'repository');
    const files = await expectRun(PROJECT, 'git', 'ls-files', '--cached', '--others', '--exclude-standard');
    for (const file of files.trim().split('\n'))
      if (existsSync(join(PROJECT, file))) cpSync(join(PROJECT, file), join(repository, file));
    await expectRun(repository, 'git', 'init', '--quiet');
    await expectRun(repository, 'git', 'add', '--all');
    const author = ['-c', 'user.name=test', '-c', 'user.email=test@example.org', '-c', 'commit.gpgsign=false'];
    await expectRun(repository, 'git', ...author, 'commit', '--quiet', '--message', 'all');
    await expectWorking(await install(test, 'from-git', `git+file://${repository}`));
  });
});
