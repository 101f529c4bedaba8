/**
 * Nights of the overlays, on this machine: the tasks of the nightly Job build, push and publish, and the pods that serve
 * answer from what they pull, with the commands, options and variables of the manifests.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shortlistJson } from '../../cli/process.js';
import { makeVectors, temporaryFolder, writeCatalog } from '../../indexes.js';
import { waitFor } from '../../serve/server.js';
import { buildOverlay, environmentOf, hasKustomize, podsOf, type Manifest, type Pods } from './manifests.js';
import { PodProcess, type Cluster } from './pod-process.js';

/** Processes share two cores, and the last task waits ten seconds at a time. */
const TIMEOUT_MS = 300_000;

const DIM = 8;
const ROWS = 2_000;
const LEAVES = 'shortlist-leaves:8080';
const SCRIPTS = new URL('../../../scripts/kubernetes/base', import.meta.url).pathname;

class Night {
  private readonly folder = temporaryFolder();
  readonly store = `file://${join(this.folder, 'store')}`;
  private readonly manifests: Manifest[];
  readonly pods: Pods[];
  private nights = 0;

  constructor(overlay: string) {
    this.manifests = buildOverlay(overlay);
    this.pods = podsOf(this.manifests);
    mkdirSync(join(this.folder, 'store'));
    mkdirSync(join(this.folder, 'work/feed'), { recursive: true });
  }

  /** Rows of which some are new for each seed. */
  writeFeed(newRows: number): void {
    const vectors = makeVectors(ROWS, DIM, 1);
    vectors.set(makeVectors(newRows, DIM, 2));
    writeCatalog(join(this.folder, 'work/feed/listings.arrow'), { vectors, dim: DIM });
  }

  writeBadFeed(): void {
    writeFileSync(join(this.folder, 'work/feed/listings.arrow'), 'ARROW1\0\0 and then nothing of Arrow');
  }

  private cluster(variables: Record<string, string>, mounts: Record<string, string> = {}): Cluster {
    const shared = { '/work': join(this.folder, 'work'), '/scripts': SCRIPTS, ...mounts };
    return { manifests: this.manifests, mounts: shared, variables: { SHORTLIST_SOURCE: this.store, ...variables } };
  }

  private get nightly(): Pods {
    return this.pods.find(({ kind }) => kind === 'CronJob')!;
  }

  /** Starts every task of a night as often as `times` says, all at once. */
  startTasks(times = 1): PodProcess[] {
    const shards = Number(environmentOf(this.nightly.spec.containers[0]!, this.manifests)['NIGHTLY_SHARDS']);
    const run = `night-${(this.nights += 1)}`;
    return Array.from({ length: (shards + 1) * times }, (_, i) => {
      const index = String(i % (shards + 1));
      return PodProcess.start(this.nightly, this.cluster({ NIGHTLY_RUN: run, JOB_COMPLETION_INDEX: index }));
    });
  }

  async run(times = 1): Promise<void> {
    const tasks = this.startTasks(times);
    const codes = await Promise.all(tasks.map((task) => task.ended()));
    expect(codes, tasks.map(({ output }) => output).join('\n')).toEqual(tasks.map(() => 0));
  }

  /** The version that the store publishes. */
  async published(): Promise<string> {
    const { json } = await shortlistJson(['list', 'listings', '--root', this.store]);
    return (json['versions'] as { version: string; current: boolean }[]).find(({ current }) => current)!.version;
  }

  /** The versions that wait on the shared volume, without what a build leaves. */
  versionsHere(): string[] {
    return readdirSync(join(this.folder, 'work/indexes/listings')).filter((name) => /^\d{8}T/.test(name));
  }

  start(pods: Pods, port: number, replaced: Record<string, string> = {}): PodProcess {
    const cache = join(this.folder, `cache-${port}`);
    mkdirSync(cache);
    const own = { SHORTLIST_HOST: '127.0.0.1', SHORTLIST_PORT: String(port), SHORTLIST_WORKERS: '1' };
    const quick = { SHORTLIST_DRAIN_DELAY_MS: '500', SHORTLIST_WARM_UP_MS: '0', SHORTLIST_SOURCE_POLL_MS: '200' };
    return PodProcess.start(pods, this.cluster({ ...own, ...quick }, { '/cache': cache }), replaced);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The status of a probe; null if nothing listens. */
const probe = (port: number, path: string): Promise<number | null> =>
  fetch(`http://127.0.0.1:${port}${path}`).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status;
    },
    () => null,
  );

async function waitUntilReady(pods: Pods, port: number, started: PodProcess): Promise<void> {
  const [{ readinessProbe, livenessProbe }] = pods.spec.containers as [Pods['spec']['containers'][0]];
  await waitFor(`${pods.name} to be ready:\n${started.output}`, async () => (await probe(port, readinessProbe!.httpGet!.path!)) === 200 || undefined); // prettier-ignore
  expect(await probe(port, livenessProbe!.httpGet!.path!)).toBe(200);
  expect(await probe(port, '/metrics')).toBe(200);
}

interface Answer {
  readonly version: string;
  readonly candidates: readonly { readonly id: string }[];
  readonly quality: { readonly shards: { readonly total: number; readonly answered: number } };
}

async function search(port: number): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/indexes/listings/search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ vector: [...makeVectors(1, DIM, 1)], k: 10 }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
}

/** Until the pods answer from it. */
const searchIn = (port: number, version: string): Promise<Answer> =>
  waitFor(`an answer from ${version}`, async () => {
    const answer = await search(port);
    return answer.version === version ? answer : undefined;
  });

describe.skipIf(!hasKustomize)('nights on this machine (skipped without kubectl)', () => {
  it(
    'of replicas: a server follows what two nights publish, and drains when it is told to stop',
    async () => {
      const night = new Night('replicas');
      night.writeFeed(0);
      await night.run();
      const first = await night.published();
      const server = night.pods.find(({ kind }) => kind === 'Deployment')!;
      const port = await freePort();
      const started = night.start(server, port);
      await waitUntilReady(server, port, started);
      expect((await searchIn(port, first)).candidates).toHaveLength(10);

      night.writeFeed(20);
      await night.run();
      const second = await night.published();
      expect(second).not.toBe(first);
      expect((await searchIn(port, second)).quality.shards).toEqual({ total: 1, answered: 1 });

      started.terminate();
      await waitFor('the server to be unready', async () => (await probe(port, '/readyz')) === 503 || undefined);
      expect((await search(port)).candidates).toHaveLength(10);
      expect(await started.ended()).toBe(0);
    },
    TIMEOUT_MS,
  );

  it(
    'of shards: groups of leaves and a gateway answer from all shards, and from each new version',
    async () => {
      const night = new Night('sharded');
      night.writeFeed(0);
      await night.run();
      const leaves = night.pods.filter(({ kind }) => kind === 'StatefulSet');
      const ports = await Promise.all(leaves.map(freePort));
      const started = leaves.map((leaf, i) => night.start(leaf, ports[i]!));
      await Promise.all(leaves.map((leaf, i) => waitUntilReady(leaf, ports[i]!, started[i]!)));
      const gateway = night.pods.find(({ kind }) => kind === 'Deployment')!;
      const port = await freePort();
      const addresses = ports.map((one) => `127.0.0.1:${one}`).join();
      const front = night.start(gateway, port, { [LEAVES]: addresses });
      await waitUntilReady(gateway, port, front);
      const answer = await searchIn(port, await night.published());
      expect(answer.candidates[0]!.id).toBe('0');
      expect(answer.quality.shards).toEqual({ total: 4, answered: 4 });

      night.writeFeed(20);
      await night.run();
      expect((await searchIn(port, await night.published())).quality.shards).toEqual({ total: 4, answered: 4 });
      for (const pod of [front, ...started]) pod.terminate();
      expect(await Promise.all([front, ...started].map((pod) => pod.ended()))).toEqual([0, 0, 0]);
    },
    TIMEOUT_MS,
  );

  it(
    'with every task twice at once make one version',
    async () => {
      const night = new Night('sharded');
      night.writeFeed(0);
      await night.run(2);
      expect(night.versionsHere()).toEqual([await night.published()]);
    },
    TIMEOUT_MS,
  );

  it(
    'with bad input end with the code at which the Job gives up, and what is published stays',
    async () => {
      const night = new Night('replicas');
      night.writeFeed(0);
      await night.run();
      const published = await night.published();
      night.writeBadFeed();
      const [first, ...waiting] = night.startTasks();
      expect(await first!.ended(), first!.output).toBe(65);
      for (const task of waiting) task.terminate(); // as the Job does
      await Promise.all(waiting.map((task) => task.ended()));
      expect(await night.published()).toBe(published);
    },
    TIMEOUT_MS,
  );
});
