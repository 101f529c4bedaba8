import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeFiles } from '../../../src/version/disk/files.js';
import { SectionFile } from '../../../src/version/disk/section-file.js';
import { PAGE_BYTES } from '../../../src/version/disk/section-layout.js';
import { SectionWriter } from '../../../src/version/disk/section-writer.js';
import { failureOf, overwrite, temporaryDirectory } from '../versions.js';

type Contents = readonly { readonly name: string; readonly parts: readonly Uint8Array[] }[];

async function write(path: string, contents: Contents): Promise<void> {
  const writer = await SectionWriter.create(path, 'shard', nodeFiles);
  for (const { name, parts } of contents) {
    await writer.begin(name);
    for (const part of parts) await writer.append(part);
  }
  await writer.close();
}

function readAll(path: string): Promise<Record<string, string>> {
  return SectionFile.use(path, 'shard', nodeFiles, async (file) => {
    const found: Record<string, string> = {};
    for (const { name } of file.sections) found[name] = Buffer.from(await file.read(name)).toString('latin1');
    await file.checkDigests();
    return found;
  });
}

const SAMPLE: Contents = [
  { name: 'vectors', parts: [Buffer.from('some bytes'), Buffer.from(' and more')] },
  { name: 'ordinals', parts: [Buffer.alloc(5000, 7)] },
  { name: 'empty', parts: [] },
];

async function writeSample(): Promise<{ path: string; bytes: Buffer }> {
  const path = join(temporaryDirectory(), 'sample.bin');
  await write(path, SAMPLE);
  return { path, bytes: readFileSync(path) };
}

/** The header page with its own digest made right again, for damage that a digest cannot show. */
function rehash(bytes: Buffer): Buffer {
  bytes.fill(0, 32, 64);
  createHash('sha256').update(bytes.subarray(0, PAGE_BYTES)).digest().copy(bytes, 32);
  return bytes;
}

describe('a section file', () => {
  it('gives back what was appended, in any number of parts and of any length', async () => {
    const part = fc.oneof(fc.uint8Array({ maxLength: 9000 }), fc.constant(new Uint8Array(300_000).fill(9)));
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9_]{0,31}$/), { maxLength: 5 });
    const contents = names.chain((all) =>
      fc.tuple(...all.map((name) => fc.record({ name: fc.constant(name), parts: fc.array(part, { maxLength: 4 }) }))),
    );
    await fc.assert(
      fc.asyncProperty(contents, async (sections) => {
        const path = join(temporaryDirectory(), 'x.bin');
        await write(path, sections);
        const wanted = sections.map(({ name, parts }) => [name, Buffer.concat(parts).toString('latin1')]);
        expect(await readAll(path)).toEqual(Object.fromEntries(wanted));
      }),
      { seed: 4, numRuns: 40 },
    );
  });

  it('starts every section on a page and ends on one', async () => {
    const { path, bytes } = await writeSample();
    const offsets = await SectionFile.use(path, 'shard', nodeFiles, (file) =>
      Promise.resolve(file.sections.map((section) => section.offset)),
    );
    expect(offsets).toEqual([PAGE_BYTES, 2 * PAGE_BYTES, 4 * PAGE_BYTES]);
    expect(bytes.length).toBe(4 * PAGE_BYTES);
  });

  it('gives shared memory, which threads can use without a copy', async () => {
    const { path } = await writeSample();
    const memory = await SectionFile.use(path, 'shard', nodeFiles, (file) => file.read('vectors'));
    expect(memory).toBeInstanceOf(SharedArrayBuffer);
  });

  it('is not replaced by another', async () => {
    const { path } = await writeSample();
    expect((await failureOf(SectionWriter.create(path, 'shard', nodeFiles))).code).toBe('io_error');
  });

  it('is no section file before it is closed', async () => {
    const path = join(temporaryDirectory(), 'x.bin');
    const writer = await SectionWriter.create(path, 'shard', nodeFiles);
    await writer.begin('vectors');
    await writer.append(Buffer.alloc(1_000_000));
    await writer.abort();
    expect((await failureOf(readAll(path))).code).toBe('file_corrupt');
  });
});

describe('a damaged section file', () => {
  it('is refused with any bit of its header flipped', async () => {
    const { path, bytes } = await writeSample();
    const used = 64 + 3 * 96;
    for (let at = 0; at < used + 40; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << (at % 8);
      overwrite(path, flipped);
      expect(await failureOf(readAll(path)), `byte ${at}`).toMatchObject({ code: 'file_corrupt', file: path });
    }
  });

  it('is refused when it is cut or longer, by what its header says of its size', async () => {
    const { path, bytes } = await writeSample();
    for (const length of [0, 1, 63, 64, PAGE_BYTES - 1, PAGE_BYTES, bytes.length - 1]) {
      overwrite(path, bytes.subarray(0, length));
      expect(await failureOf(readAll(path)), `${length} bytes`).toMatchObject({ code: 'file_corrupt', file: path });
    }
    overwrite(path, Buffer.concat([bytes, Buffer.alloc(1)]));
    expect((await failureOf(readAll(path))).code).toBe('file_corrupt');
  });

  it.each<[string, (bytes: Buffer) => unknown]>([
    ['a section that starts elsewhere', (bytes) => bytes.writeBigUInt64LE(8192n, 64 + 32)],
    ['a section that is longer than the file', (bytes) => bytes.writeBigUInt64LE(1n << 40n, 64 + 40)],
    ['a length beyond what a number holds', (bytes) => bytes.writeBigUInt64LE(2n ** 64n - 1n, 64 + 40)],
    ['two sections of one name', (bytes) => bytes.copy(bytes, 64 + 96, 64, 64 + 8).valueOf()],
    ['a name that is none', (bytes) => bytes.write('../x', 64, 'ascii')],
    ['more sections than fit', (bytes) => bytes.writeUInt32LE(4_000_000_000, 12)],
    ['fewer sections than it has', (bytes) => bytes.writeUInt32LE(1, 12)],
    ['another size of the file', (bytes) => bytes.writeBigUInt64LE(4096n, 16)],
    ['another kind', (bytes) => bytes.write('ids\0\0', 24, 'ascii')],
  ])('is refused with a right digest over %s', async (_, damage) => {
    const { path, bytes } = await writeSample();
    damage(bytes);
    overwrite(path, rehash(bytes));
    expect(await failureOf(readAll(path))).toMatchObject({ code: 'file_corrupt', file: path });
  });

  it('of a later format is told from a damaged one', async () => {
    const { path, bytes } = await writeSample();
    bytes.writeUInt32LE(2, 8);
    overwrite(path, rehash(bytes));
    expect(await failureOf(readAll(path))).toMatchObject({ code: 'format_unsupported', file: path });
  });

  it('shows in the digest of the section that a byte was flipped in', async () => {
    const { path, bytes } = await writeSample();
    bytes[2 * PAGE_BYTES + 4999]! ^= 1;
    overwrite(path, bytes);
    const check = SectionFile.use(path, 'shard', nodeFiles, (file) => file.checkDigests());
    await expect(check).rejects.toThrow("differs from its header's checksum in section ordinals");
  });

  it('that is missing, or lacks a section, is an error that names it', async () => {
    const { path } = await writeSample();
    const lacking = SectionFile.use(path, 'shard', nodeFiles, (file) => file.read('slots'));
    expect(await failureOf(lacking)).toMatchObject({ code: 'file_corrupt', file: path });
    expect(await failureOf(readAll(`${path}.gone`))).toMatchObject({ code: 'file_missing', file: `${path}.gone` });
  });
});
