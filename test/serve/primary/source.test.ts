import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { removeAliasInStore, setAliasInStore } from '../../../src/store/aliases.js';
import { publishInStore, rollbackInStore } from '../../../src/store/moves.js';
import { openStore } from '../../../src/store/objects/open-store.js';
import { pushVersion } from '../../../src/store/push.js';
import { readHistory } from '../../../src/version/state/catalog.js';
import { buildVersion, temporaryFolder } from '../../indexes.js';
import { startS3 } from '../../store/versions.js';
import { TestServer, waitFor } from '../server.js';

const INDEX = 'listings';
const POLL_MS = '200';

async function openSource(test: TestContext, count: number) {
  const root = temporaryFolder();
  const versions: string[] = [];
  for (let seed = 1; seed <= count; seed++)
    versions.push((await buildVersion(root, INDEX, { seed, rows: 300 })).version);
  const { server, url, env, close } = await startS3();
  const store = await openStore(url, env);
  test.onTestFinished(async () => {
    store.close();
    await close();
  });
  const push = async (version: string) => pushVersion(root, INDEX, version, store);
  const publish = async (version: string) => {
    await push(version);
    await publishInStore(store, INDEX, version);
  };
  return { server, url, env, store, versions, push, publish };
}

type Source = Awaited<ReturnType<typeof openSource>>;

async function serve(test: TestContext, { url, env }: Source, cache: string, flags: readonly string[] = []) {
  const started = await TestServer.start(cache, ['--source', url, '--source-poll-ms', POLL_MS, '--workers', '1', ...flags], env); // prettier-ignore
  test.onTestFinished(async () => {
    await started.stop();
  });
  return started;
}

async function answering(server: TestServer): Promise<string | null> {
  const response = await server.search({ id: 1, k: 1 });
  return response.status === 200 ? ((await response.json()) as { version: string }).version : null;
}

const waitUntilAnswers = (server: TestServer, version: string) =>
  waitFor(`an answer of ${version}`, async () => ((await answering(server)) === version ? true : undefined));

async function metric(server: TestServer, name: string): Promise<string | undefined> {
  const text = await (await server.get('/metrics')).text();
  return text.split('\n').find((line) => line.startsWith(name) && !line.startsWith('#'));
}

describe('a server with a source', () => {
  it('pulls what the store publishes into an empty folder, and follows publishes, rollbacks and aliases', async (test) => {
    const source = await openSource(test, 3);
    const [a, b, c] = source.versions as [string, string, string];
    await source.publish(a);
    const cache = join(temporaryFolder(), 'cache');
    const server = await serve(test, source, cache);
    expect(await answering(server)).toBe(a);
    await source.publish(b);
    await waitUntilAnswers(server, b);
    await rollbackInStore(source.store, INDEX);
    await waitUntilAnswers(server, a);
    await source.push(c);
    await setAliasInStore(source.store, INDEX, 'canary', c);
    await waitFor('the alias', async () => ((await server.search({ id: 1, k: 1, version: 'canary' })).status === 200 ? true : undefined)); // prettier-ignore
    await removeAliasInStore(source.store, INDEX, 'canary');
    await waitFor('the end of the alias', async () => ((await server.search({ id: 1, k: 1, version: 'canary' })).status === 409 ? true : undefined)); // prettier-ignore
    const moves = (await readHistory(cache, INDEX)).map(({ action, version }) => [action, version]);
    expect(moves).toEqual([
      ['publish', a],
      ['publish', b],
      ['rollback', a],
    ]);
    expect(await metric(server, 'shortlist_source_up')).toBe(`shortlist_source_up{source="${source.url}"} 1`);
  });

  it('serves on while the store is away, says so, and starts again without it', async (test) => {
    const source = await openSource(test, 2);
    const [a, b] = source.versions as [string, string];
    await source.publish(a);
    const cache = temporaryFolder();
    const server = await serve(test, source, cache);
    source.server.fault = () => ({ status: 403, code: 'AccessDenied' });
    const logged = await server.waitForLog('the source cannot be followed; what is served stays');
    expect(logged).toMatchObject({ source: source.url, code: 'store_refused' });
    expect(await metric(server, 'shortlist_source_up')).toContain(' 0');
    expect(await metric(server, 'shortlist_source_failures_total{code="store_refused"}')).not.toContain(' 0');
    expect(await answering(server)).toBe(a);
    const second = await serve(test, source, cache);
    expect(await answering(second)).toBe(a);
    source.server.fault = () => null;
    await source.publish(b);
    await waitUntilAnswers(server, b);
    await server.waitForLog('the source is followed again');
    await waitUntilAnswers(second, b);
  });

  it('keeps what is live if the version that the store publishes is not whole there', async (test) => {
    const source = await openSource(test, 2);
    const [a, b] = source.versions as [string, string];
    await source.publish(a);
    const server = await serve(test, source, temporaryFolder());
    await source.push(b);
    const key = [...source.server.objects.keys()].find((name) => name.includes(`/${b}/shard-0000.vectors`))!;
    const right = source.server.objects.get(key)!;
    source.server.put(
      key,
      Buffer.concat([right.bytes.subarray(0, -1), Buffer.of(right.bytes.at(-1)! ^ 1)]),
      right.meta,
    );
    await publishInStore(source.store, INDEX, b);
    const logged = await server.waitForLog('the source cannot be followed; what is served stays');
    expect(logged).toMatchObject({ code: 'file_corrupt' });
    expect(logged['error']).toContain(`s3://bucket/${key}`);
    expect(await answering(server)).toBe(a);
    source.server.put(key, right.bytes, right.meta);
    await waitUntilAnswers(server, b);
  });

  it('ends with the error of the store if there is nothing to serve', async (test) => {
    const source = await openSource(test, 1);
    source.server.fault = () => ({ status: 403, code: 'AccessDenied' });
    const server = TestServer.launch(temporaryFolder(), ['--source', source.url], source.env);
    expect(await server.waitForExit()).toBe(74);
    expect(server.stderr).toContain('store_refused');
  });

  it('keeps only what may be needed: the oldest pulled versions go first, and no version in use', async (test) => {
    const source = await openSource(test, 4);
    const [a, b, c, d] = source.versions as [string, string, string, string];
    await source.publish(a);
    const cache = temporaryFolder();
    const server = await serve(test, source, cache);
    const cached = () => readdirSync(join(cache, INDEX)).filter((name) => source.versions.includes(name));
    for (const version of [b, c]) {
      await source.publish(version);
      await waitUntilAnswers(server, version);
    }
    await setAliasInStore(source.store, INDEX, 'canary', b);
    await waitFor('the alias', async () => ((await server.search({ id: 1, k: 1, version: 'canary' })).status === 200 ? true : undefined)); // prettier-ignore
    await source.publish(d);
    await waitUntilAnswers(server, d);
    expect(cached()).toEqual([b, c, d]);
    expect(server.lines.filter(({ msg }) => msg === 'version is deleted from the cache')).toMatchObject([
      { version: a },
    ]);
  });

  it('pulls a version again that was removed from the cache', async (test) => {
    const source = await openSource(test, 1);
    const [a] = source.versions as [string];
    await source.publish(a);
    const cache = temporaryFolder();
    await serve(test, source, cache);
    rmSync(join(cache, INDEX, a), { recursive: true, force: true });
    await waitFor('the version', () => Promise.resolve(readdirSync(join(cache, INDEX)).includes(a) ? true : undefined));
  });
});
