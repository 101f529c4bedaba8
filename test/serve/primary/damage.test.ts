/** Damage to versions that are served, and before they are: real files, broken in place beside real processes. */
import { chmodSync, closeSync, copyFileSync, cpSync, openSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'; // prettier-ignore
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { publish } from '../../../src/version/state/publish.js';
import { buildVersion, publishVersion, temporaryFolder, type IndexSpec } from '../../indexes.js';
import { TestServer, waitFor } from '../server.js';

const SMALL: IndexSpec = { rows: 600, dim: 16 };
const MANY: IndexSpec = { rows: 6_000, dim: 64 };

async function start(
  test: TestContext,
  root: string,
  flags: readonly string[] = ['--workers', '1'],
): Promise<TestServer> {
  const server = await TestServer.start(root, ['--scrub-rate', '0', ...flags]);
  test.onTestFinished(async () => {
    server.process.kill('SIGKILL');
    await server.waitForExit();
  });
  return server;
}

interface Seen {
  readonly status: number;
  readonly version?: string;
  readonly code?: string;
  readonly cause?: string;
}

/** On a connection of its own. @returns status 0 where a worker died meanwhile */
async function ask(server: TestServer, index = 'listings', body: object = { id: 1, k: 5 }): Promise<Seen> {
  try {
    const response = await server.post(`/v1/indexes/${index}/search`, body, { connection: 'close' });
    return { ...((await response.json()) as object), status: response.status };
  } catch {
    return { status: 0 };
  }
}

function fileOf(root: string, index: string, version: string, suffix: string): string {
  const folder = join(root, index, version);
  chmodSync(folder, 0o755);
  const file = join(
    folder,
    readdirSync(folder).find((name) => name.endsWith(suffix))!,
  );
  chmodSync(file, 0o644);
  return file;
}

/** Writes into the file where it lies, as a disk or a program that knows no better does. */
function overwriteAt(file: string, position: number, bytes: Buffer): void {
  const handle = openSync(file, 'r+');
  writeSync(handle, bytes, 0, bytes.length, position);
  closeSync(handle);
}

const ENDED_BY_A_SIGNAL =
  'a worker was ended by a signal that damaged files can cause; verifying all served versions again';

/**
 * Breaks a file while the primary stands still, so that it notices nothing before the worker does, and searches on a connection
 * that the worker has already until it is gone.
 */
async function dieReading(server: TestServer, damage: () => void, options: object): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await sendOn(agent, server.port, { id: 0, k: 50, ...options });
  process.kill(server.pid, 'SIGSTOP');
  damage();
  try {
    for (let id = 0; id < 200; id++) await sendOn(agent, server.port, { id, k: 50, ...options });
  } catch {
    // The worker has ended, and its connection with it.
  } finally {
    process.kill(server.pid, 'SIGCONT');
    agent.destroy();
  }
}

/** A search on the agent's one connection. @throws where that ends, or has to be made anew and nobody takes it */
function sendOn(agent: Agent, port: number, body: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { agent, port, method: 'POST', path: '/v1/indexes/listings/search', timeout: 10_000 };
    const sent = request({ ...options, host: '127.0.0.1', headers: { 'content-type': 'application/json' } }, (answer) =>
      answer.resume().once('end', resolve).once('error', reject),
    );
    sent.once('error', reject).once('timeout', () => sent.destroy(new Error('no answer')));
    sent.end(JSON.stringify(body));
  });
}

const waitForVersion = (server: TestServer, version: string): Promise<unknown> =>
  waitFor(`answers of ${version}`, async () => ((await ask(server)).version === version ? true : undefined));

describe.concurrent('a served version', { timeout: 120_000 }, () => {
  it('of which a row changes on disk gives way to the one published before, loudly, and comes back with its bytes', async (test) => {
    const root = temporaryFolder();
    const first = await publishVersion(root, 'listings', { ...SMALL, seed: 1 });
    const second = await publishVersion(root, 'listings', { ...SMALL, seed: 2 });
    const server = await start(test, root, ['--workers', '2']);
    const file = fileOf(root, 'listings', second.version, 'shard-0000.vectors');
    const saved = readFileSync(file);
    overwriteAt(file, 4096 + 40, Buffer.from([1, 2, 3, 4]));
    await waitForVersion(server, first.version);
    const line = await server.waitForLog('version could not be loaded', 0, (one) => one['code'] === 'file_corrupt');
    expect(line).toMatchObject({ index: 'listings', file, level: 50 });
    expect(await server.waitForLog('the published version cannot be served; an older version answers')).toMatchObject({
      version: first.version, published: second.version, code: 'file_corrupt', level: 50,
    }); // prettier-ignore
    const fault = { version: second.version, code: 'file_corrupt' };
    expect(await (await server.get('/v1/indexes/listings')).json()).toMatchObject({ version: first.version, fault });
    expect((await server.get('/readyz')).status).toBe(200);
    const page = await (await server.get('/metrics')).text();
    expect(page).toContain(
      `shortlist_index_fault_info{index="listings",version="${second.version}",code="file_corrupt"} 1`,
    );
    expect(page).toContain('shortlist_live_version_is_published{index="listings"} 0');
    expect(await ask(server, 'listings', { id: 1, version: second.version })).toMatchObject({ status: 409 });
    overwriteAt(file, 0, saved);
    await waitForVersion(server, second.version);
    expect(await (await server.get('/v1/indexes/listings')).json()).not.toHaveProperty('fault');
  });

  it('alone of its index answers 503 where nothing was published before, until another is published; other indexes go on', async (test) => {
    const root = temporaryFolder();
    const only = await publishVersion(root, 'listings', SMALL);
    await publishVersion(root, 'others', { ...SMALL, seed: 2 });
    const server = await start(test, root);
    overwriteAt(fileOf(root, 'listings', only.version, 'shard-0000.vectors'), 4096, Buffer.from([0, 0, 192, 127]));
    await waitFor('the refusal', async () => ((await ask(server)).status === 503 ? true : undefined));
    expect(await ask(server)).toMatchObject({ code: 'index_damaged', cause: 'file_corrupt', version: only.version });
    expect((await ask(server, 'others')).status).toBe(200);
    expect((await server.get('/readyz')).status).toBe(200);
    const next = await publishVersion(root, 'listings', { ...SMALL, seed: 3 });
    await waitForVersion(server, next.version);
  });

  it('that is cut off under its worker ends it by SIGBUS, which the log says with its name; it comes back without it', async (test) => {
    const root = temporaryFolder();
    const first = await publishVersion(root, 'listings', { ...MANY, seed: 1 });
    const second = await publishVersion(root, 'listings', { ...MANY, seed: 2 });
    await publishVersion(root, 'others', { ...SMALL, seed: 3 });
    const server = await start(test, root);
    const file = fileOf(root, 'listings', second.version, 'shard-0000.vectors');
    const saved = readFileSync(file);
    // A scan reads every vector.
    await dieReading(server, () => truncateSync(file, 4096), { exact: true });
    const died = await server.waitForLog('worker died');
    expect(died).toMatchObject({ signal: 'SIGBUS' });
    const told = await server.waitForLog(ENDED_BY_A_SIGNAL);
    expect(told).toMatchObject({ signal: 'SIGBUS', worker: died['worker'], level: 50 });
    expect(told['versions']).toContain(`listings@${second.version}`);
    await waitForVersion(server, first.version);
    expect((await ask(server, 'others')).status).toBe(200);
    writeFileSync(file, saved);
    await waitForVersion(server, second.version);
    expect(server.lines.filter(({ msg }) => msg === ENDED_BY_A_SIGNAL)).toHaveLength(1); // nobody mapped it again meanwhile
  });

  it('whose graph is overwritten ends its worker by what it reads, and is not mapped again before it was verified', async (test) => {
    const root = temporaryFolder();
    const { version } = await publishVersion(root, 'listings', MANY);
    const server = await start(test, root);
    const file = fileOf(root, 'listings', version, '.graph');
    const saved = readFileSync(file);
    // Links far outside of the file.
    await dieReading(server, () => overwriteAt(file, 4096, Buffer.alloc(saved.length - 4096, 0xee)), {});
    const { signal } = await server.waitForLog(ENDED_BY_A_SIGNAL);
    expect(['SIGSEGV', 'SIGBUS', 'SIGABRT']).toContain(signal);
    await server.waitForLog(
      'version could not be loaded',
      0,
      (line) => line['code'] === 'file_corrupt' && line['file'] === file,
    );
    await waitFor('the code', async () => ((await ask(server)).code === 'index_damaged' ? true : undefined));
    writeFileSync(file, saved);
    await waitForVersion(server, version);
    expect(server.lines.filter(({ msg }) => msg === ENDED_BY_A_SIGNAL)).toHaveLength(1);
  });

  it('that is copied over by its own bytes comes back by itself, the same', async (test) => {
    const root = temporaryFolder();
    const { version } = await publishVersion(root, 'listings', MANY);
    const server = await start(test, root, ['--workers', '2']);
    const folder = join(root, 'listings', version);
    for (const suffix of ['.vectors', '.ids', '.graph', '.arrow']) fileOf(root, 'listings', version, suffix);
    const copy = join(temporaryFolder(), version);
    cpSync(folder, copy, { recursive: true });
    for (let round = 0; round < 3; round++) {
      for (const name of readdirSync(copy)) {
        chmodSync(join(folder, name), 0o644);
        truncateSync(join(folder, name));
        await ask(server, 'listings', { id: round, k: 5, exact: true });
        copyFileSync(join(copy, name), join(folder, name));
      }
    }
    await waitFor('both workers', async () => {
      const seen = await Promise.all(Array.from({ length: 8 }, () => ask(server)));
      return seen.every((one) => one.version === version) ? true : undefined;
    });
    const noticed = [ENDED_BY_A_SIGNAL, 'files of a served version have changed; it is verified again'];
    expect(server.lines.some(({ msg }) => noticed.includes(msg))).toBe(true);
  });

  it('that nobody can tell to have changed is told by the scrub, which says when it has seen all', async (test) => {
    const root = temporaryFolder();
    const { version } = await publishVersion(root, 'listings', SMALL);
    const server = await start(test, root, ['--workers', '1', '--scrub-rate', '64MiB']);
    const finished = async (): Promise<number> => {
      const page = await (await server.get('/metrics')).text();
      return Number(/^shortlist_scrub_last_finished_timestamp_seconds\{index="listings"\} (\S+)$/m.exec(page)?.[1]);
    };
    const first = await waitFor('a pass', async () => ((await finished()) > 0 ? finished() : undefined));
    await waitFor('the next one', async () => ((await finished()) > first ? true : undefined));
    const bytes = readdirSync(join(root, 'listings', version)).reduce(
      (sum, name) => sum + statSync(join(root, 'listings', version, name)).size, 0); // prettier-ignore
    const page = await (await server.get('/metrics')).text();
    const read = Number(/^shortlist_scrub_bytes_total (\S+)$/m.exec(page)![1]);
    expect(read).toBeGreaterThan(bytes);
    expect(page).toContain('shortlist_scrub_failures_total{index="listings"} 0');
  });
});

describe.concurrent('a start', { timeout: 120_000 }, () => {
  it('on a damaged version serves the one published before, loudly, and the damaged one as soon as it is sound', async (test) => {
    const root = temporaryFolder();
    const first = await publishVersion(root, 'listings', { ...SMALL, seed: 1 });
    const unpublished = await buildVersion(root, 'listings', { ...SMALL, seed: 2 });
    const second = await publishVersion(root, 'listings', { ...SMALL, seed: 3 });
    const file = fileOf(root, 'listings', second.version, '.graph');
    const saved = readFileSync(file);
    overwriteAt(file, 5000, Buffer.from([1, 2, 3]));
    const server = await start(test, root);
    expect((await ask(server)).version).toBe(first.version);
    expect(first.version).not.toBe(unpublished.version);
    expect(await server.waitForLog('the published version cannot be served; an older version answers')).toMatchObject({ published: second.version, level: 50 });
    const fault = { version: second.version, code: 'file_corrupt' };
    expect(await (await server.get('/readyz')).json()).toMatchObject({ indexes: [{ version: first.version, fault }] });
    overwriteAt(file, 0, saved);
    await waitForVersion(server, second.version);
  }); // prettier-ignore

  it('passes over versions that are gone or damaged too, and goes no further back than was published', async (test) => {
    const root = temporaryFolder();
    const versions: string[] = [];
    for (const seed of [1, 2, 3]) versions.push((await publishVersion(root, 'listings', { ...SMALL, seed })).version);
    for (const version of versions.slice(1)) {
      overwriteAt(fileOf(root, 'listings', version, 'shard-0000.vectors'), 4096, Buffer.from([9, 9, 9]));
    }
    const server = await start(test, root);
    expect((await ask(server)).version).toBe(versions[0]);
  });

  it('with a CURRENT that cannot be read answers 503 for its index, not 404, and serves the others', async (test) => {
    const root = temporaryFolder();
    const built = await publishVersion(root, 'listings', SMALL);
    await publishVersion(root, 'others', { ...SMALL, seed: 2 });
    const current = join(root, 'listings', 'CURRENT');
    const saved = readFileSync(current);
    writeFileSync(current, '{"version": "garbage"}');
    const server = await start(test, root);
    expect((await ask(server, 'others')).status).toBe(200);
    expect(await ask(server)).toMatchObject({ status: 503, code: 'index_damaged', cause: 'state_corrupt' });
    expect((await server.get('/v1/indexes/listings')).status).toBe(200);
    expect((await server.get('/readyz')).status).toBe(200);
    writeFileSync(current, saved);
    await waitForVersion(server, built.version);
  });

  it('on a version whose digests are right and whose contents are not refuses it', async (test) => {
    const root = temporaryFolder();
    await publishVersion(root, 'others', { ...SMALL, seed: 2 });
    const { SealedVersion, partsOf } = await import('../../mutants/sealed-version.js');
    const sound = await buildVersion(root, 'listings', SMALL);
    const hostile = SealedVersion.read(root, 'listings', sound.version).copy();
    const bytes = hostile.change('shard-0000.vectors');
    bytes.writeFloatLE(NaN, partsOf(bytes).find(({ name }) => name === 'vectors')!.offset + 40);
    const version = hostile.write(root);
    await publish(root, 'listings', version);
    const server = await start(test, root);
    expect(await ask(server)).toMatchObject({ status: 503, code: 'index_damaged', cause: 'file_corrupt' });
    const line = await server.waitForLog('version could not be loaded');
    expect(String(line['error'])).toContain('not finite');
  });
});
