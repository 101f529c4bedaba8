import { afterEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/objects/open-store.js';
import { readSmall, type ObjectStore } from '../../src/store/objects/object-store.js';
import { parseStoreUrl } from '../../src/store/objects/store-url.js';
import { failureOf } from '../version/versions.js';
import { contentOf, testStore } from './contract.js';
import { startS3, STORES } from './versions.js';

for (const [name, start] of STORES) testStore(name, start);

describe('the S3 client', () => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
  });

  async function open(env: Record<string, string> = {}) {
    const { server, url, close } = await startS3();
    Object.assign(process.env, env);
    const store: ObjectStore = await openStore(url, { ...server.env, ...env });
    stops.push(close);
    return { server, store };
  }

  it('repeats what fails with 500 and 503', async () => {
    const { server, store } = await open();
    const faults = [{ status: 500 }, { status: 503, code: 'SlowDown' }, null, { status: 503, code: 'SlowDown' }];
    server.fault = () => faults.shift() ?? null;
    await store.put('a', contentOf(Buffer.from('one')));
    expect((await readSmall(store, 'a', 100))?.bytes).toEqual(Buffer.from('one'));
    expect(server.requests.map(({ status }) => status)).toEqual([500, 503, 200, 503, 206]);
  });

  it('ends with store_unavailable, naming the object, if a store does not recover', async () => {
    const { server, store } = await open();
    server.fault = () => ({ status: 503, code: 'SlowDown' });
    const failure = await failureOf(store.head('a'));
    expect(failure.code).toBe('store_unavailable');
    expect(failure.message).toContain('s3://bucket/indexes/a');
  });

  it('ends with store_refused for wrong credentials and for a bucket that does not exist', async () => {
    const { store, server } = await open({ AWS_SECRET_ACCESS_KEY: 'wrong' });
    const failure = await failureOf(store.put('a', contentOf(Buffer.from('one'))));
    expect(failure).toMatchObject({ code: 'store_refused' });
    expect(failure.message).toContain('SignatureDoesNotMatch');
    const other = await openStore('s3://other-bucket/x', server.env);
    Object.assign(process.env, server.env);
    expect(await failureOf(other.get('a'))).toMatchObject({ code: 'store_refused' });
  });

  it('refuses a store that ignores the conditions of writes, before it changes anything', async () => {
    const { server, store } = await open();
    server.keepsConditions = false;
    server.put('indexes/listings/CURRENT', Buffer.from('one'));
    const failure = await failureOf(store.putIf('listings/CURRENT', Buffer.from('two'), '"a"'));
    expect(failure.code).toBe('store_refused');
    expect(failure.message).toContain('If-None-Match');
    expect([...server.objects.keys()]).toEqual(['indexes/listings/CURRENT']);
    expect(server.text('indexes/listings/CURRENT')).toBe('one');
  });

  it('gives tags without quotation marks to a store that wants them so', async () => {
    const { server, store } = await open();
    server.wantsBareTags = true;
    expect(await store.putIf('listings/CURRENT', Buffer.from('one'), null)).toBe(true);
    const { tag } = (await store.head('listings/CURRENT'))!;
    expect(await store.putIf('listings/CURRENT', Buffer.from('two'), tag)).toBe(true);
    expect(await store.putIf('listings/CURRENT', Buffer.from('three'), tag)).toBe(false);
    expect([...server.objects.keys()]).toEqual(['indexes/listings/CURRENT']);
  });

  it('reads a small object again whose answer is cut', async () => {
    const { server, store } = await open();
    server.put('indexes/a', Buffer.from('0123456789'));
    const faults = [{ cut: 3 }, { cut: 7 }];
    server.fault = () => faults.shift() ?? null;
    expect((await readSmall(store, 'a', 100))?.bytes.toString()).toBe('0123456789');
  });

  it('refuses an object that is larger than it may be, without reading it', async () => {
    const { server, store } = await open();
    server.put('indexes/a', Buffer.alloc(1_000));
    expect(await failureOf(readSmall(store, 'a', 100))).toMatchObject({ code: 'file_corrupt' });
    expect(server.requests.at(-1)?.sent).toBe(100);
  });
});

describe('the URL of a store', () => {
  it.each([
    ['s3://bucket', { bucket: 'bucket', prefix: '', url: 's3://bucket' }],
    ['s3://bucket/a/b/', { bucket: 'bucket', prefix: 'a/b/', url: 's3://bucket/a/b' }],
    ['gs://my_bucket.x/a', { bucket: 'my_bucket.x', prefix: 'a/', url: 'gs://my_bucket.x/a' }],
    ['file:///mnt/a%20b/', { folder: '/mnt/a b/', url: 'file:///mnt/a%20b' }],
  ])('%s is understood', (text, expected) => {
    expect(parseStoreUrl(text)).toMatchObject(expected);
  });

  it.each(['bucket', 'http://x/y', 's3://', 's3://b', 's3://key:secret@bucket/a', 's3://bucket/a/../b', 's3://bucket//a', 's3://bucket/a?b=c', 'file://host/a', 'file:///a#b', 's3://Bucket'])(
    '%s is refused, and no secret is repeated',
    (text) => {
      let message = '';
      try {
        parseStoreUrl(text);
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).toContain('is not the URL of a store');
      expect(message).not.toContain('secret');
    },
  ); // prettier-ignore
});
