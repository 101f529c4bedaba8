import {
  appendFileSync,
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { versionMemory } from '../../../src/serve/primary/memory-budget.js';
import { readManifest } from '../../../src/version/sealed/manifest-file.js';
import { publish, rollback, setAlias } from '../../../src/version/state/publish.js';
import { buildVersion, publishVersion, temporaryFolder } from '../../indexes.js';
import { Load } from '../load.js';
import { TestServer, waitFor } from '../server.js';

async function start(test: TestContext, root: string, flags: readonly string[] = []): Promise<TestServer> {
  const server = await TestServer.start(root, flags);
  test.onTestFinished(async () => {
    await server.stop();
  });
  return server;
}

async function liveVersion(server: TestServer): Promise<string | null> {
  const response = await server.search({ id: 1, k: 1 });
  return response.status === 200 ? ((await response.json()) as { version: string }).version : null;
}

/** One bit of one byte, in a file that its owner may not write either. */
function flipByte(path: string, position: number): void {
  const bytes = Buffer.alloc(1);
  chmodSync(path, 0o644);
  const file = openSync(path, 'r+');
  bytes[0] = 0x5a;
  writeSync(file, bytes, 0, 1, position);
  closeSync(file);
}

describe('a switch of versions', () => {
  it('under load fails no request and mixes no versions, and every answer is of the version that was current or just before', async (test) => {
    const root = temporaryFolder();
    const first = await publishVersion(root, 'listings', { seed: 1, rows: 1500 });
    const server = await start(test, root, ['--warm-up-ms', '50']);
    const switches = [{ at: 0, version: first.version }];
    const load = new Load(server.port, 4);
    for (const seed of [2, 3]) {
      const next = await publishVersion(root, 'listings', { seed, rows: 1500 });
      switches.push({ at: Date.now(), version: next.version });
      await waitFor('the switch', async () => ((await liveVersion(server)) === next.version ? true : undefined));
    }
    const back = await rollback(root, 'listings');
    switches.push({ at: Date.now(), version: back.version });
    await waitFor('the rollback', async () => ((await liveVersion(server)) === back.version ? true : undefined));
    const samples = await load.stop();
    expect(samples.length).toBeGreaterThan(100);
    expect(samples.filter(({ status }) => status !== 200)).toEqual([]);
    expect(samples.filter(({ generations }) => generations.length !== 1)).toEqual([]);
    for (const { startedAt, endedAt, version } of samples) {
      const before = switches.findLastIndex(({ at }) => at <= startedAt);
      const allowed = switches.filter(({ at }, position) => position >= before - 1 && at <= endedAt + 1000);
      expect(allowed.map((one) => one.version)).toContain(version);
    }
    expect(new Set(samples.map(({ version }) => version)).size).toBe(3);
  });

  it('to a damaged version does not happen: the old one answers, and log and metrics say why', async (test) => {
    const root = temporaryFolder();
    const first = await publishVersion(root, 'listings', { seed: 1 });
    const server = await start(test, root);
    const bad = await buildVersion(root, 'listings', { seed: 2 });
    const file = join(root, 'listings', bad.version, 'shard-0000.vectors');
    flipByte(file, statSync(file).size - 3);
    await publish(root, 'listings', bad.version).catch(() => undefined);
    const line = await server.waitForLog('version could not be loaded');
    expect(line).toMatchObject({ index: 'listings', code: 'file_corrupt', file, live: first.version, level: 50 });
    expect(await liveVersion(server)).toBe(first.version);
    expect((await server.get('/readyz')).status).toBe(200);
    const metrics = await (await server.get('/metrics')).text();
    expect(metrics).toContain('shortlist_load_failures_total{index="listings",code="file_corrupt"} 1');
    expect(metrics).toContain('shortlist_live_version_is_published{index="listings"} 0');
    // The next good one goes live.
    const good = await publishVersion(root, 'listings', { seed: 3 });
    await waitFor('the repair', async () => ((await liveVersion(server)) === good.version ? true : undefined));
    expect(await (await server.get('/metrics')).text()).toContain(
      'shortlist_live_version_is_published{index="listings"} 1',
    );
  });

  it('goes on when a worker dies in the middle of it', async (test) => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings', { seed: 1 });
    const server = await start(test, root);
    const [victim] = server.workers;
    process.kill(victim!, 'SIGSTOP'); // it never says that it has loaded the version
    const next = await publishVersion(root, 'listings', { seed: 2 });
    await server.waitForLog('version verified', 0, (line) => line['version'] === next.version);
    expect(server.lines.filter(({ msg, version }) => msg === 'version is live' && version === next.version)).toEqual(
      [],
    );
    process.kill(victim!, 'SIGKILL');
    await server.waitForLog('version is live', 0, (line) => line['version'] === next.version);
    await waitFor('the replacement', async () => {
      const page = await (await server.get('/metrics', { connection: 'close' })).text();
      return page.includes('shortlist_workers{state="listening"} 2') ? true : undefined;
    });
    const versions = await Promise.all(Array.from({ length: 8 }, () => liveVersion(server)));
    expect(new Set(versions)).toEqual(new Set([next.version]));
  });

  it('that does not fit the memory does not happen', async (test) => {
    const root = temporaryFolder();
    const small = await publishVersion(root, 'listings', { seed: 1, rows: 100 });
    const server = await start(test, root, ['--workers', '1', '--memory-limit', '104MiB']);
    await publishVersion(root, 'listings', { seed: 2, rows: 2_500, dim: 1024 });
    const line = await server.waitForLog('version could not be loaded');
    expect(line).toMatchObject({ code: 'insufficient_memory', live: small.version, limit_bytes: 104 * 2 ** 20 });
    expect(await liveVersion(server)).toBe(small.version);
  });

  it('that fits beside what workers hold happens, however quickly one follows the other', async (test) => {
    const root = temporaryFolder();
    const large = { rows: 500, dim: 1024 };
    const first = await publishVersion(root, 'listings', { ...large, seed: 1 });
    // Room for what answers, what answered before, and a new one: as much as a worker ever holds.
    const copies = 3.5 * versionMemory(await readManifest(root, 'listings', first.version), []);
    const server = await start(test, root, ['--workers', '1', '--memory-limit', `${96 * 2 ** 20 + Math.ceil(copies)}`]);
    for (const seed of [2, 3, 4]) {
      const { version } = await publishVersion(root, 'listings', { ...large, seed });
      await server.waitForLog('version is live', 0, (line) => line['version'] === version);
    }
    expect(server.stderr).not.toContain('insufficient_memory');
  });

  it('counts versions against the memory that become ready together', async (test) => {
    const root = temporaryFolder();
    const large = { rows: 500, dim: 1024 };
    const first = await publishVersion(root, 'listings', { ...large, seed: 1 });
    for (const seed of [2, 3]) {
      const { version } = await buildVersion(root, 'listings', { ...large, seed });
      await setAlias(root, 'listings', `canary-${seed}`, version);
    }
    const copies = 2.5 * versionMemory(await readManifest(root, 'listings', first.version), []);
    const server = await start(test, root, ['--workers', '1', '--memory-limit', `${96 * 2 ** 20 + Math.ceil(copies)}`]);
    expect(server.lines.filter(({ code }) => code === 'insufficient_memory')).toHaveLength(1);
    expect(await liveVersion(server)).toBe(first.version);
    const described = (await (await server.get('/v1/indexes/listings')).json()) as { loaded: string[] };
    expect(described.loaded).toHaveLength(2);
  });

  it('survives a CURRENT that is unreadable or gone', async (test) => {
    const root = temporaryFolder();
    const first = await publishVersion(root, 'listings', { seed: 1 });
    const server = await start(test, root, ['--workers', '1']);
    const current = join(root, 'listings', 'CURRENT');
    copyFileSync(current, `${current}.saved`);
    appendFileSync(current, ' ');
    expect(await server.waitForLog('version could not be loaded')).toMatchObject({ code: 'state_corrupt' });
    expect(await liveVersion(server)).toBe(first.version);
    rmSync(current);
    renameSync(join(root, 'listings'), join(root, '.away'));
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(await liveVersion(server)).toBe(first.version);
  });
});

describe.concurrent('a damaged alias', { timeout: 120_000 }, () => {
  const failures = (server: TestServer) => server.lines.filter(({ code }) => code === 'state_corrupt');

  it('holds up neither CURRENT nor other aliases, goes on answering, and is followed again when it is set', async (test) => {
    const root = temporaryFolder();
    const first = await publishVersion(root, 'listings', { seed: 1 });
    await setAlias(root, 'listings', 'canary', first.version);
    const server = await start(test, root, ['--workers', '1']);
    const canary = join(root, 'listings', 'aliases', 'canary');
    writeFileSync(canary, 'garbage');
    const next = await publishVersion(root, 'listings', { seed: 2 });
    await setAlias(root, 'listings', 'other', next.version);
    await server.waitForLog('version is live', 0, (line) => line['version'] === next.version);
    const versionOf = async (version: string) =>
      ((await (await server.search({ id: 1, k: 1, version })).json()) as { version?: string }).version;
    await waitFor('the sound alias', async () => ((await versionOf('other')) === next.version ? true : undefined));
    expect(await versionOf('canary')).toBe(first.version);
    expect(failures(server)).toMatchObject([{ index: 'listings', file: canary }]);
    expect(await (await server.get('/metrics')).text()).toContain(
      'shortlist_load_failures_total{index="listings",code="state_corrupt"} 1',
    );
    rmSync(canary);
    await setAlias(root, 'listings', 'canary', next.version);
    await waitFor('the repaired alias', async () => ((await versionOf('canary')) === next.version ? true : undefined));
  });

  it('is no reason not to start', async (test) => {
    const root = temporaryFolder();
    const { version } = await publishVersion(root, 'listings');
    mkdirSync(join(root, 'listings', 'aliases'));
    writeFileSync(join(root, 'listings', 'aliases', 'canary'), 'garbage');
    const server = await start(test, root, ['--workers', '1']);
    expect(await liveVersion(server)).toBe(version);
    expect(failures(server)).toHaveLength(1);
  });
});

describe.concurrent('a start', { timeout: 120_000 }, () => {
  it('without a published version answers not_ready until there is one', async (test) => {
    const root = temporaryFolder();
    const built = await buildVersion(root, 'listings');
    const server = await start(test, root, ['--workers', '1']);
    expect((await server.get('/livez')).status).toBe(200);
    for (const response of [
      await server.get('/readyz'),
      await server.search({ id: 1 }),
      await server.get('/v1/indexes/listings/items/1'),
    ]) {
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(await response.json()).toMatchObject({ code: 'not_ready' });
    }
    expect(await (await server.get('/v1/indexes/listings')).json()).toMatchObject({ index: 'listings', version: null });
    await publish(root, 'listings', built.version);
    await waitFor('the first version', async () => ((await server.get('/readyz')).status === 200 ? true : undefined));
    expect(await liveVersion(server)).toBe(built.version);
    // An index that appears is served too.
    await publishVersion(root, 'others', { seed: 4 });
    await waitFor('the new index', async () =>
      (await server.search({ id: 1 }, 'others')).status === 200 ? true : undefined,
    );
  });

  it('is ready with the indexes that are sound, and names the one that is not', async (test) => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings');
    const other = await publishVersion(root, 'others', { seed: 2 });
    const file = join(root, 'others', other.version, 'shard-0000.vectors');
    flipByte(file, statSync(file).size - 3);
    const server = await start(test, root, ['--workers', '1']);
    const ready = await server.get('/readyz');
    expect(ready.status).toBe(200);
    const fault = { version: other.version, code: 'file_corrupt' };
    expect(await ready.json()).toMatchObject({
      indexes: [{ index: 'listings' }, { index: 'others', version: null, fault }],
    });
    expect(await liveVersion(server)).not.toBeNull();
    const refused = await server.search({ id: 1 }, 'others');
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({
      code: 'index_damaged',
      cause: 'file_corrupt',
      version: other.version,
    });
    await publishVersion(root, 'others', { seed: 3 });
    await waitFor('the repair', async () =>
      (await server.search({ id: 1 }, 'others')).status === 200 ? true : undefined,
    );
    expect(await (await server.get('/readyz')).text()).not.toContain('fault');
    // One that appears later is no reason to take the others away.
    const late = await buildVersion(root, 'late', { seed: 4 });
    const lateFile = join(root, 'late', late.version, 'shard-0000.vectors');
    flipByte(lateFile, statSync(lateFile).size - 3);
    await publish(root, 'late', late.version).catch(() => undefined);
    await server.waitForLog('version could not be loaded', 0, (line) => line['index'] === 'late');
    expect((await server.get('/readyz')).status).toBe(200);
  });

  it('does not hold on to the fault of an index that is not published any more', async (test) => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings');
    const other = await publishVersion(root, 'others', { seed: 2 });
    const file = join(root, 'others', other.version, 'shard-0000.vectors');
    flipByte(file, statSync(file).size - 3);
    const server = await start(test, root, ['--workers', '1']);
    expect(await (await server.get('/readyz')).text()).toContain('fault');
    rmSync(join(root, 'others', 'CURRENT'));
    await waitFor('no fault', async () =>
      (await (await server.get('/readyz')).text()).includes('fault') ? undefined : true,
    );
  });

  it('serves the named indexes alone', async (test) => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings');
    await publishVersion(root, 'others', { seed: 2 });
    const server = await start(test, root, ['--workers', '1', '--index', 'others']);
    expect((await server.search({ id: 1 }, 'others')).status).toBe(200);
    expect((await server.search({ id: 1 })).status).toBe(404);
  });

  async function expectRefusal(root: string, flags: readonly string[], exit: number, text: string): Promise<void> {
    const server = TestServer.launch(root, flags);
    expect(await server.waitForExit(), server.stderr).toBe(exit);
    expect(server.stderr).toContain(text);
  }

  it('is refused with a code where something is wrong', async (test) => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings');
    const taken = createServer().listen(0, '127.0.0.1');
    test.onTestFinished(() => void taken.close());
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    await Promise.all([
      expectRefusal(join(root, 'nowhere'), [], 66, 'index_not_found'),
      expectRefusal(join(root, 'listings', 'CURRENT'), [], 74, 'io_error'),
      expectRefusal(root, ['--index', 'listing'], 66, 'index_not_found'),
      expectRefusal(root, ['--workers', '0'], 64, '--workers'),
      expectRefusal(root, ['--port', 'http'], 64, '--port'),
      expectRefusal(root, ['--port', String(port)], 74, `cannot listen on 127.0.0.1:${port}`),
    ]);
  });

  it('on a version with a flipped, missing or added file is refused with the file and exit 66', async (test) => {
    const root = temporaryFolder();
    const { version } = await publishVersion(root, 'listings');
    const folder = join(root, 'listings', version);
    chmodSync(folder, 0o755);
    const flipped = readdirSync(folder).find((name) => name.endsWith('.graph'))!;
    const saved = join(root, '.saved');
    mkdirSync(saved);
    copyFileSync(join(folder, flipped), join(saved, flipped));
    flipByte(join(folder, flipped), 1000);
    await expectRefusal(root, [], 66, flipped);
    rmSync(join(folder, flipped));
    await expectRefusal(root, [], 66, 'file_missing');
    copyFileSync(join(saved, flipped), join(folder, flipped));
    writeFileSync(join(folder, 'extra.bin'), 'x');
    await expectRefusal(root, [], 66, 'extra.bin');
    rmSync(join(folder, 'extra.bin'));
    await start(test, root, ['--workers', '1']);
  });
});
