/** What every object store must do, and what is written above it relies on. One suite for all implementations. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/objects/open-store.js';
import { readIfChanged, readSmall, type Content, type ObjectStore } from '../../src/store/objects/object-store.js';

export interface StoreUnderTest {
  readonly url: string;
  readonly env: Record<string, string>;
  readonly close: () => Promise<void>;
}

export function contentOf(bytes: Uint8Array): Content {
  return {
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    // eslint-disable-next-line @typescript-eslint/require-await -- an iteration of what is here
    parts: async function* (partBytes) {
      for (let at = 0; at < bytes.length; at += partBytes) yield bytes.subarray(at, at + partBytes);
    },
  };
}

async function textOf(store: ObjectStore, key: string): Promise<string | null> {
  const found = await readSmall(store, key, 1_000_000);
  return found && Buffer.from(found.bytes).toString();
}

async function rangeOf(store: ObjectStore, key: string, from: number, to: number): Promise<string> {
  const found = await store.get(key, { from, to });
  if (found === null || found === 'unchanged') throw new Error(`no body of ${key}`);
  const parts: Uint8Array[] = [];
  for await (const part of found.body) parts.push(part);
  return Buffer.concat(parts).toString();
}

export function testStore(name: string, start: () => Promise<StoreUnderTest>): void {
  describe(`an object store: ${name}`, () => {
    let under: StoreUnderTest;
    let store: ObjectStore;
    beforeAll(async () => {
      under = await start();
      store = await openStore(under.url, under.env);
    });
    afterAll(async () => {
      store.close();
      await under.close();
    });

    it('gives back what was put, whole and in ranges, and null for what is not there', async () => {
      await store.put('things/a.bin', contentOf(Buffer.from('0123456789')));
      expect(await textOf(store, 'things/a.bin')).toBe('0123456789');
      expect(await rangeOf(store, 'things/a.bin', 2, 5)).toBe('234');
      expect(await rangeOf(store, 'things/a.bin', 8, 100)).toBe('89');
      expect(await rangeOf(store, 'things/a.bin', 10, 20)).toBe('');
      expect(await store.get('things/b.bin')).toBeNull();
      expect(await store.head('things/b.bin')).toBeNull();
      expect((await store.head('things/a.bin'))?.bytes).toBe(10);
    });

    it('puts an empty object, and one of many parts', async () => {
      await store.put('things/empty', contentOf(new Uint8Array()));
      expect(await textOf(store, 'things/empty')).toBe('');
      const large = Buffer.alloc(34 * 2 ** 20, 'shortlist ');
      await store.put('things/large', contentOf(large));
      expect((await store.head('things/large'))?.bytes).toBe(large.length);
      expect(await rangeOf(store, 'things/large', large.length - 12, large.length)).toBe(
        large.subarray(-12).toString(),
      );
    });

    it('does not send an object again that still has the tag', async () => {
      await store.put('things/state', contentOf(Buffer.from('one')));
      const before = (await readSmall(store, 'things/state', 100))!;
      expect(await store.get('things/state', { unlessTag: before.tag })).toBe('unchanged');
      await store.put('things/state', contentOf(Buffer.from('two')));
      const now = await readIfChanged(store, 'things/state', 100, { unlessTag: before.tag });
      expect(now).toMatchObject({ bytes: Buffer.from('two') });
    });

    it('lets one of many writers win where nothing may exist, and where the tag must be the one that all have read', async () => {
      const texts = ['a', 'b', 'c', 'd', 'e', 'f'].map((text) => Buffer.from(text));
      const first = await Promise.all(texts.map((text) => store.putIf('things/won', text, null)));
      expect(first.filter(Boolean)).toHaveLength(1);
      const { tag, bytes } = (await readSmall(store, 'things/won', 100))!;
      expect(Buffer.from(bytes).toString()).toBe(texts[first.indexOf(true)]!.toString());
      const next = texts.map((text) => Buffer.concat([text, text]));
      const second = await Promise.all(next.map((text) => store.putIf('things/won', text, tag)));
      expect(second.filter(Boolean)).toHaveLength(1);
      expect(await textOf(store, 'things/won')).toBe(next[second.indexOf(true)]!.toString());
      expect(await store.putIf('things/won', Buffer.from('late'), tag)).toBe(false);
      expect(await store.putIf('things/none', Buffer.from('late'), tag)).toBe(false);
      expect(await store.head('things/none')).toBeNull();
    });

    it('lists names directly below a prefix, and all of them', async () => {
      const names = Array.from({ length: 9 }, (_, position) => `part-${position}`);
      for (const name of names) await store.put(`lists/v1/${name}`, contentOf(Buffer.from(name)));
      await store.put('lists/v2/x', contentOf(Buffer.from('x')));
      await store.put('lists/CURRENT', contentOf(Buffer.from('x')));
      const below = await store.list('lists/');
      expect([below.objects.filter((key) => !key.startsWith('.')), [...below.folders].sort()]).toEqual([
        ['CURRENT'],
        ['v1', 'v2'],
      ]);
      expect([...(await store.list('lists/v1/')).objects].sort()).toEqual(names);
      expect(await store.list('nothing/')).toEqual({ objects: [], folders: [] });
    });

    it('removes an object only with its tag, and takes it for done if it is gone', async () => {
      await store.put('things/gone', contentOf(Buffer.from('one')));
      const { tag } = (await store.head('things/gone'))!;
      await store.put('things/gone', contentOf(Buffer.from('two')));
      await store.remove('things/gone', tag);
      expect(await textOf(store, 'things/gone')).toBe('two');
      await store.remove('things/gone', (await store.head('things/gone'))!.tag);
      expect(await store.head('things/gone')).toBeNull();
      await store.remove('things/gone', tag);
    });

    it('leaves no object if the content ends with an error', async () => {
      for (const bytes of [1_000, 40 * 2 ** 20]) {
        const broken: Content = {
          bytes,
          sha256: '',
          // eslint-disable-next-line @typescript-eslint/require-await -- an iteration that fails
          parts: async function* (partBytes) {
            yield new Uint8Array(Math.min(partBytes, bytes - 1));
            throw new Error('the disk has gone');
          },
        };
        await expect(store.put('things/broken', broken)).rejects.toThrow('the disk has gone');
        expect(await store.head('things/broken')).toBeNull();
      }
    });
  });
}
