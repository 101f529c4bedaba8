/**
 * `npm run demo`: the whole product on this machine. Makes a catalog in .demo/, runs the real command line and server
 * on it, sends a few queries, and keeps serving until it is interrupted.
 *
 *     --once             end after the queries
 *     --rows N           size of the catalog
 *     --folder FOLDER    where everything is written; default .demo
 */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ShortlistClient } from '../src/client/client.js';
import { DEFAULT_ROWS, DEFAULT_SEED, makeCatalog } from './catalog.js';
import { CLI, ServerProcess, endChildren, killChildren, runForJson, runShown } from './demo/children.js';
import { indent, printCommand, printStep, style } from './demo/print.js';
import { INDEX, askQueries } from './demo/queries.js';

const { values: options } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    rows: { type: 'string', default: String(DEFAULT_ROWS) },
    folder: { type: 'string', default: '.demo' },
  },
});

const CATALOG = `${options.folder}/listings.arrow`;
const ROOT = `${options.folder}/indexes`;
const SERVER_LOG = `${options.folder}/server.log`;
const STEPS = 6;
const GRID = ['--sample', '500', '-k', '10,100', '--ef', '100,200,400'];

const HOST = '127.0.0.1';
const PORT = 8080;

/** Loading 50,000 vectors takes one or two seconds, and ten times that on a busy machine. */
const READY_MS = 60_000;
const READY_POLL_MS = 50;

/** Versions kept from earlier runs, this run's included. */
const KEPT_VERSIONS = 2;

async function main(): Promise<void> {
  if (!existsSync(CLI)) throw new Error(`${CLI} is missing; compile it with: npm run build`);
  const startedMs = performance.now();
  writeCatalog(Number(options.rows));
  const version = await buildAndPublish();
  const { server, baseUrl } = await startServer();
  const id = await ask(server, baseUrl);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  console.log(`\n${INDEX}@${version} is served at ${baseUrl}, ${seconds} s after the start.`);
  if (options.once) return server.stop();
  printNextSteps(baseUrl, id);
  await server.ended();
  throw new Error(server.describeEnd());
}

function writeCatalog(rows: number): void {
  printStep(1, STEPS, `catalog: ${rows.toLocaleString('en-US')} invented listings with text embeddings`);
  mkdirSync(options.folder, { recursive: true });
  const bytes = makeCatalog({ rows, seed: DEFAULT_SEED });
  writeFileSync(`${CATALOG}.new`, bytes);
  renameSync(`${CATALOG}.new`, CATALOG);
  console.log(`${CATALOG}: ${(bytes.length / 1e6).toFixed(1)} MB`);
}

/** @returns the version that is now published */
async function buildAndPublish(): Promise<string> {
  printStep(2, STEPS, 'build: Arrow in, a sealed version of the index out');
  await run('build', INDEX, '--input', CATALOG, '--root', ROOT);
  const version = await newestVersion();
  printStep(3, STEPS, 'evaluate: recall against exact search, and speed');
  await run('evaluate', `${INDEX}@${version}`, ...GRID, '--root', ROOT);
  printStep(4, STEPS, 'publish: the gate, then the move of CURRENT');
  await run('publish', `${INDEX}@${version}`, '--root', ROOT);
  await runForJson(['prune', INDEX, '--keep', String(KEPT_VERSIONS), '--root', ROOT]);
  return version;
}

async function run(...args: string[]): Promise<void> {
  printCommand(args);
  await runShown(args);
}

async function newestVersion(): Promise<string> {
  const { versions } = await runForJson<{ versions: { version: string }[] }>(['list', INDEX, '--root', ROOT]);
  return versions.map(({ version }) => version).sort().at(-1)!; // prettier-ignore
}

async function startServer(): Promise<{ server: ServerProcess; baseUrl: string }> {
  printStep(5, STEPS, 'serve: a process per core, each with the index in memory');
  const port = (await isFree(PORT)) ? PORT : await freePort();
  if (port !== PORT) console.log(`port ${PORT} is taken, so the demo listens on ${port}`);
  const address = ['--host', HOST, '--port', String(port)];
  const args = ['serve', '--root', ROOT, '--index', INDEX, ...address, '--drain-delay-ms', '0'];
  printCommand(args);
  const server = ServerProcess.start(args, SERVER_LOG);
  const baseUrl = `http://${HOST}:${port}`;
  await waitUntilReady(server, baseUrl);
  console.log(`${baseUrl} is ready; its log is ${SERVER_LOG}`);
  return { server, baseUrl };
}

async function waitUntilReady(server: ServerProcess, baseUrl: string): Promise<void> {
  const deadlineMs = performance.now() + READY_MS;
  while (performance.now() < deadlineMs) {
    if (server.hasEnded) throw new Error(server.describeEnd());
    const answer = await fetch(`${baseUrl}/readyz`).catch(() => null);
    if (answer?.ok === true) return;
    await sleep(READY_POLL_MS);
  }
  throw new Error(`the server was not ready after ${READY_MS / 1000} s; see ${SERVER_LOG}`);
}

async function ask(server: ServerProcess, baseUrl: string): Promise<string> {
  printStep(6, STEPS, 'search: neighbours over HTTP');
  try {
    return await askQueries(new ShortlistClient(baseUrl));
  } catch (error) {
    throw server.hasEnded ? new Error(server.describeEnd(), { cause: error }) : error;
  }
}

function isFree(port: number): Promise<boolean> {
  return listenOnce(port).then(
    () => true,
    () => false,
  );
}

function freePort(): Promise<number> {
  return listenOnce(0);
}

/** Listens for a moment. @returns the port; rejects if it is taken */
function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}

function printNextSteps(baseUrl: string, id: string): void {
  const search = `${baseUrl}/v1/indexes/${INDEX}/search`;
  const json = "-H 'content-type: application/json'";
  const lines = [
    style('bold', 'Try next, in another terminal:'),
    '# search for a text of your own',
    `npx tsx scripts/embed.ts "blue ceramic coffee mug" | curl -s ${search} ${json} -d @-`,
    '# find listings like this one',
    `curl -s ${search} ${json} -d '{"id": "${id}", "k": 5, "include": {"attributes": ["title", "price"]}}'`,
    '# what is served, and its metrics',
    `curl -s ${baseUrl}/v1/indexes/${INDEX}`,
    `curl -s ${baseUrl}/metrics | grep ^shortlist_`,
    '# the same search without the server',
    `node ${CLI} query ${INDEX} --root ${ROOT} --id ${id} -k 5 --attributes title,price`,
    '# publish a second version; the server switches to it, and back after the rollback',
    `node ${CLI} build ${INDEX} --root ${ROOT} --input ${CATALOG} --publish`,
    `node ${CLI} rollback ${INDEX} --root ${ROOT}`,
    `# read and try the routes: ${baseUrl}/docs`,
    '',
    'Ctrl-C ends the demo.',
  ];
  console.log(`\n${lines.map((line) => (line.startsWith('#') ? style('dim', line) : line)).join('\n')}`);
}

const interruption = new AbortController();

/** Ends the children in order, then the demo. A second signal has no effect. */
async function endOnSignal(): Promise<void> {
  if (interruption.signal.aborted) return;
  interruption.abort();
  console.log('\nending the demo');
  await endChildren();
  process.exit(0);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void endOnSignal());
process.on('exit', killChildren);

try {
  await main();
} catch (error) {
  // A child that ended because the demo ends has not failed.
  if (!interruption.signal.aborted) {
    console.error(`\nThe demo failed:\n${indent(error instanceof Error ? error.message : String(error))}`);
    await endChildren();
    process.exitCode = 1;
  }
}
