import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startHashing } from '../../src/ingest/hash-files.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hash-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, bytes: Buffer): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

describe.each([
  ['at the end', 0],
  ['on a thread', 2 ** 30],
])('files hashed %s', (_, totalBytes) => {
  it('have their size and SHA-256, in the order given', async () => {
    const contents = [Buffer.alloc(2_500_000, 'abc'), Buffer.alloc(0), Buffer.from('x')];
    const paths = contents.map((bytes, i) => write(`${i}`, bytes));
    const run = startHashing(paths, totalBytes);
    expect(await run.result()).toEqual(
      contents.map((bytes) => ({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') })),
    );
    await run.stop();
  });

  it('that cannot be read are named', async () => {
    const run = startHashing([join(folder, 'missing')], totalBytes);
    await expect(run.result()).rejects.toMatchObject({ code: 'io_error', details: { file: join(folder, 'missing') } });
    await run.stop();
  });
});

describe('a thread that is stopped', () => {
  it('fails whoever waits for it', async () => {
    const path = write('large', Buffer.alloc(64 * 1024 * 1024));
    const run = startHashing(
      Array.from({ length: 50 }, () => path),
      2 ** 30,
    );
    await run.stop();
    await expect(run.result()).rejects.toThrow('ended early');
  });
});
