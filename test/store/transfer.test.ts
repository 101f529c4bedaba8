import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { publishInStore } from '../../src/store/moves.js';
import { openStore } from '../../src/store/objects/open-store.js';
import type { ObjectStore } from '../../src/store/objects/object-store.js';
import { pullVersion } from '../../src/store/pull.js';
import { pushVersion } from '../../src/store/push.js';
import { storeFiles } from '../../src/store/store-files.js';
import { readCurrent, readNote, writeNote } from '../../src/version/state/catalog.js';
import { prune } from '../../src/version/state/prune.js';
import { findVersionProblems } from '../../src/version/sealed/verify.js';
import { copyRoot, failureOf, INDEX, overwrite, snapshot, temporaryDirectory } from '../version/versions.js';
import type { Fault, S3Request, S3Server } from './s3-server.js';
import { filesOf, makeRoot, startS3, STORES } from './versions.js';

const { root, versions } = await makeRoot(2, 4_000);
const [a, b] = versions as [string, string];
const entries = await filesOf(root, a);
const total = entries.reduce((sum, { bytes }) => sum + bytes, 0);

/** Small ranges, so that small files have many, and short waits. */
const PART_BYTES = 8_192;
const tuning = { partBytes: PART_BYTES, waitMs: 1, attempts: 3, parallel: 4 };

const pull = (store: ObjectStore, to: string, version = a, more = {}) =>
  pullVersion(store, to, INDEX, version, { tuning: { ...tuning, ...more } });

const filesBelow = (folder: string, version = a): Record<string, string> => snapshot(join(folder, INDEX, version));
const hasVersion = (folder: string, version = a): boolean => readdirSync(join(folder, INDEX)).includes(version);

/** A range of a file of the version, not of its manifest or notes. */
const isFileRange = ({ method, key }: S3Request): boolean =>
  method === 'GET' && entries.some(({ name }) => key.endsWith(`/${a}/${name}`));

describe.each(STORES)('a version in %s', (_, start) => {
  it('comes back as it was pushed, with the notes that servers read', async () => {
    const under = await start();
    const store = await openStore(under.url, under.env);
    const from = copyRoot(root);
    await writeNote(from, INDEX, a, 'gate', { pass: true });
    await writeNote(from, INDEX, a, 'cost', { seconds: 1 });
    expect(await pushVersion(from, INDEX, a, store)).toEqual({ index: INDEX, version: a, bytes: total, reused: 0, files: entries.length }); // prettier-ignore
    const to = temporaryDirectory();
    expect(await pull(store, to)).toMatchObject({ version: a, bytes: total, reused: 0 });
    expect(filesBelow(to)).toEqual(filesBelow(root));
    expect(await findVersionProblems(to, INDEX, a)).toEqual([]);
    expect(await readNote(to, INDEX, a, 'gate')).toEqual({ pass: true });
    expect(await readNote(to, INDEX, a, 'cost')).toBeNull();
    expect(await pull(store, to)).toMatchObject({ reused: total });
    expect(readdirSync(join(to, INDEX)).sort()).toEqual([a, 'locks', 'notes']);
    store.close();
    await under.close();
  });
});

describe('a push', () => {
  let server: S3Server;
  let store: ObjectStore;
  let close: () => Promise<void>;
  beforeEach(async () => {
    const under = await startS3();
    ({ server, close } = under);
    store = await openStore(under.url, under.env);
    return close;
  });

  it('writes the manifest last, and sends nothing again that the store has', async () => {
    await pushVersion(root, INDEX, a, store);
    const puts = server.requests.filter(({ method, key }) => method === 'PUT' && !key.includes('.trial-'));
    expect(puts.at(-1)?.key).toBe(`indexes/${INDEX}/${a}/MANIFEST.json`);
    expect(puts).toHaveLength(entries.length + 1);
    server.requests.length = 0;
    expect(await pushVersion(root, INDEX, a, store)).toMatchObject({ reused: total });
    expect(server.requests.filter(({ method, status }) => method === 'PUT' && status === 200)).toEqual([]);
  }); // prettier-ignore

  it('that ends at any write leaves no version, and the next one sends only what is missing', async () => {
    for (let last = 1; last <= entries.length; last++) {
      server.objects.clear();
      let puts = 0;
      server.fault = ({ method, key }) =>
        method === 'PUT' && !key.includes('/.trial-') && ++puts > last ? { status: 403, code: 'AccessDenied' } : null;
      expect(await failureOf(pushVersion(root, INDEX, a, store))).toMatchObject({ code: 'store_refused' });
      server.fault = () => null;
      expect(await failureOf(publishInStore(store, INDEX, a))).toMatchObject({ code: 'version_not_found' });
      const sent = entries.slice(0, last).reduce((sum, { bytes }) => sum + bytes, 0);
      expect(await pushVersion(root, INDEX, a, store)).toMatchObject({ reused: sent });
      expect(await publishInStore(store, INDEX, a)).toMatchObject({ version: a });
    }
  });

  it('of a file that is damaged here is refused, and the store does not get the file', async () => {
    const broken = copyRoot(root);
    const { name } = entries.at(-1)!;
    const path = join(broken, INDEX, a, name);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    overwrite(path, bytes);
    expect(await failureOf(pushVersion(broken, INDEX, a, store))).toMatchObject({ code: 'file_corrupt', file: path });
    expect([...server.objects.keys()].filter((key) => key.endsWith(name) || key.endsWith('MANIFEST.json'))).toEqual([]);
  });

  it('with --overwrite repairs what is wrong in the store', async () => {
    await pushVersion(root, INDEX, a, store);
    const key = [...server.objects.keys()].find((name) => name.endsWith('MANIFEST.json'))!;
    server.put(key, Buffer.from('{}'));
    expect(await failureOf(pushVersion(root, INDEX, a, store))).toMatchObject({ code: 'manifest_corrupt' });
    expect(await pushVersion(root, INDEX, a, store, { overwrite: true })).toMatchObject({ reused: 0 });
    expect(await pull(store, temporaryDirectory())).toMatchObject({ version: a });
  });
});

describe('a pull', () => {
  let server: S3Server;
  let store: ObjectStore;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const under = await startS3();
    ({ server, close } = under);
    store = await openStore(under.url, under.env);
    for (const version of versions) await pushVersion(root, INDEX, version, store);
  });
  beforeEach(() => {
    server.fault = () => null;
    server.requests.length = 0;
  });
  afterAll(() => close());

  /** Bytes of the files that the server has sent. */
  const sentBytes = (): number =>
    server.requests.filter((request) => isFileRange(request) && request.status === 206).reduce((sum, { sent }) => sum + sent, 0); // prettier-ignore

  it('that is cut in every range continues where each was cut, and loads no byte twice', async () => {
    const cut = new Set<string>();
    const delivered: number[] = [];
    server.fault = (request) => {
      const { key, range } = request;
      if (!isFileRange(request)) return null;
      const id = `${key} ${Math.floor(range!.from / PART_BYTES)}`;
      const size = range!.to! - range!.from + 1;
      if (cut.has(id) || size < 2) {
        delivered.push(size);
        return null;
      }
      cut.add(id);
      delivered.push(size >> 1);
      return { cut: size >> 1 };
    };
    const to = temporaryDirectory();
    expect(await pull(store, to)).toMatchObject({ reused: 0 });
    expect(filesBelow(to)).toEqual(filesBelow(root));
    expect(cut.size).toBeGreaterThan(20);
    const asked = delivered.reduce((sum, bytes) => sum + bytes, 0);
    expect(asked).toBe(total);
  });

  it('that ends after any number of ranges continues with those that are missing', async () => {
    const all = entries.reduce((sum, { bytes }) => sum + Math.ceil(bytes / PART_BYTES), 0);
    for (let done = 1; done < all; done += 5) {
      const to = temporaryDirectory();
      let ranges = 0;
      const complete = new Set<string>();
      server.fault = (request) => {
        if (!isFileRange(request)) return null;
        if (++ranges > done) return { status: 403, code: 'AccessDenied' };
        complete.add(`${request.key} ${request.range!.from}`);
        return null;
      };
      expect(await failureOf(pull(store, to, a, { parallel: 1 }))).toMatchObject({ code: 'store_refused' });
      expect(hasVersion(to)).toBe(false);
      const again: string[] = [];
      server.fault = (request) => {
        if (isFileRange(request)) again.push(`${request.key} ${request.range!.from}`);
        return null;
      };
      await pull(store, to);
      expect(again.filter((range) => complete.has(range))).toEqual([]);
      expect(again.length + complete.size).toBe(all);
      expect(filesBelow(to)).toEqual(filesBelow(root));
      rmSync(to, { recursive: true });
    }
  });

  it.each<[string, Fault]>([
    ['answers 500', { status: 500 }],
    ['answers 503', { status: 503, code: 'SlowDown' }],
    ['ends an answer early, as if it were complete', { short: 100 }],
    ['cuts an answer', { cut: 100 }],
    ['is silent', { slow: 60_000 }],
  ])('survives a store that now and then %s', async (_, fault) => {
    let ranges = 0;
    server.fault = (request) => (isFileRange(request) && ++ranges % 7 === 1 ? fault : null);
    const to = temporaryDirectory();
    await pull(store, to, a, { silenceMs: 400, attempts: 6 });
    expect(filesBelow(to)).toEqual(filesBelow(root));
  });

  it('of a store that does not recover ends with store_unavailable, and keeps what has come', async () => {
    const to = temporaryDirectory();
    let ranges = 0;
    server.fault = (request) => (isFileRange(request) && ++ranges > 8 ? { cut: 0 } : null);
    const failure = await failureOf(pull(store, to));
    expect(failure.code).toBe('store_unavailable');
    expect(failure.message).toContain(`s3://bucket/indexes/${INDEX}/${a}/`);
    server.fault = () => null;
    const before = sentBytes();
    await pull(store, to);
    expect(sentBytes() - before).toBeLessThan(total);
    expect(filesBelow(to)).toEqual(filesBelow(root));
  });

  it('loads a file again whose bytes were wrong on the way', async () => {
    let flips = 0;
    server.fault = (request) => (isFileRange(request) && flips++ === 3 ? { flip: 5 } : null);
    const to = temporaryDirectory();
    await pull(store, to);
    expect(filesBelow(to)).toEqual(filesBelow(root));
  });

  it('refuses a byte that is wrong in the store, and names the object', async () => {
    for (const { name } of entries) {
      const key = `indexes/${INDEX}/${a}/${name}`;
      const right = server.objects.get(key)!;
      const wrong = Buffer.from(right.bytes);
      wrong[wrong.length - 1]! ^= 128;
      server.put(key, wrong, right.meta);
      const to = temporaryDirectory();
      expect(await failureOf(pull(store, to))).toMatchObject({ code: 'file_corrupt', file: `s3://bucket/${key}` });
      expect(hasVersion(to)).toBe(false);
      server.put(key, right.bytes.subarray(1), right.meta);
      expect(await failureOf(pull(store, to))).toMatchObject({ code: 'file_corrupt', file: `s3://bucket/${key}` });
      server.objects.delete(key);
      expect(await failureOf(pull(store, to))).toMatchObject({ code: 'file_missing', file: `s3://bucket/${key}` });
      server.put(key, right.bytes, right.meta);
      await pull(store, to);
    }
  });

  it('refuses a manifest with a wrong byte, and a version that was never pushed', async () => {
    const key = `indexes/${INDEX}/${a}/MANIFEST.json`;
    const right = server.objects.get(key)!;
    server.put(key, Buffer.from(right.bytes.toString().replace('"dim": 4', '"dim": 5')));
    const failure = await failureOf(pull(store, temporaryDirectory()));
    expect(failure).toMatchObject({ code: 'manifest_corrupt', file: `s3://bucket/${key}` });
    server.put(key, right.bytes, right.meta);
    expect(await failureOf(pull(store, temporaryDirectory(), '20200101T000000Z-00000000'))).toMatchObject({ code: 'version_not_found' }); // prettier-ignore
  });

  it('copies files that another local version has, if they are sound there', async () => {
    const to = temporaryDirectory();
    await pull(store, to, a);
    const before = sentBytes();
    const ids = (await filesOf(root, b)).find(({ name }) => name === 'shard-0000.ids')!;
    expect((await filesOf(root, a)).find(({ name }) => name === 'shard-0000.ids')?.sha256).toBe(ids.sha256);
    const { bytes, reused } = await pull(store, to, b);
    expect(reused).toBeGreaterThanOrEqual(ids.bytes);
    expect(sentBytes()).toBe(before);
    expect(filesBelow(to, b)).toEqual(filesBelow(root, b));
    const broken = temporaryDirectory();
    await pull(store, broken, a);
    const path = join(broken, INDEX, a, 'shard-0000.ids');
    const damaged = readFileSync(path);
    damaged[damaged.length >> 1]! ^= 1;
    overwrite(path, damaged);
    const again = await pull(store, broken, b);
    expect(bytes - again.reused).toBeGreaterThanOrEqual(bytes - reused + ids.bytes);
    expect(filesBelow(broken, b)).toEqual(filesBelow(root, b));
  });

  it('leaves what another program has put among its unfinished files behind, and prune removes an abandoned pull', async () => {
    const to = temporaryDirectory();
    mkdirSync(join(to, INDEX, '.pulls', a), { recursive: true });
    writeFileSync(join(to, INDEX, '.pulls', a, 'stranger.bin'), 'x');
    await pull(store, to, a);
    expect(filesBelow(to)).toEqual(filesBelow(root));
    mkdirSync(join(to, INDEX, '.pulls', b), { recursive: true });
    writeFileSync(join(to, INDEX, '.pulls', b, '.part-shard-0000.ids'), 'x');
    await prune(to, INDEX, { keep: 1 });
    expect(readdirSync(join(to, INDEX))).not.toContain('.pulls');
  });

  it('publishes nothing', async () => {
    await publishInStore(store, INDEX, a);
    const to = temporaryDirectory();
    await pull(store, to, a);
    expect(await readCurrent(to, INDEX)).toBeNull();
    expect((await readCurrent(store.url, INDEX, storeFiles(store)))?.version).toBe(a);
  });
});
