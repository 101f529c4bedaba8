import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { openArrow } from '../../src/arrow/read/reader.js';
import { failureOf, fixture, readTable, scratchFolder, writeScratch } from './arrow-files.js';

const folder = scratchFolder();

/** First bytes, and the words by which the message tells what the file is and what to do. */
const FOREIGN: readonly (readonly [name: string, bytes: string, words: string])[] = [
  ['vectors.parquet', 'PAR1\x15\x04\x15', 'is a Parquet file; write it as Arrow: pyarrow.feather.write_feather('],
  ['old.feather', 'FEA1\0\0\0\0', 'is a Feather V1 file; write it as Arrow'],
  ['vectors.npy', '\x93NUMPY\x01\0v\0', 'is a NumPy array; write it as Arrow'],
  ['vectors.h5', '\x89HDF\r\n\x1a\n\0', 'is an HDF5 file'],
  ['vectors.npz', 'PK\x03\x04\x2d\0', 'is a zip archive (as .npz'],
  ['vectors.arrow.zst', '\x28\xb5\x2f\xfd\x04\x58', 'is compressed with zstd as a whole; decompress it first: unzstd'],
  ['vectors.arrow.lz4', '\x04\x22\x4d\x18\x64\x40', 'is compressed with lz4 as a whole'],
  ['vectors.pkl', '\x80\x04\x95\x10', 'is a Python pickle'],
  ['vectors.json', '{"id": "a", "embedding": [0.1]}\n', 'is JSON text; write it as Arrow'],
  ['vectors.jsonl', ' [1, 2]\n', 'is JSON text'],
  ['vectors.csv', 'id,embedding\na,"[0.1]"\n', 'is text (CSV?); write it as Arrow'],
  ['empty.arrow', '', 'is empty (0 bytes)'],
  ['fvecs.arrow', '\x80\0\0\0\0\0\x80\x3f\0\0\x80\x3f', 'is neither an Arrow IPC file nor a stream'],
  ['one.arrow', '\0', 'is neither an Arrow IPC file nor a stream (it starts with the bytes 00)'],
];

describe('what is no Arrow file', () => {
  it.each(FOREIGN)('%s is named for what it is', async (name, bytes, words) => {
    const path = writeScratch(folder, name, Buffer.from(bytes, 'latin1'));
    const error = await failureOf(() => openArrow(path));
    expect(error.code).toBe('input_format');
    expect(error.message.startsWith(`${path} `)).toBe(true);
    expect(error.message).toContain(words);
    expect(error.details['file']).toBe(path);
  });

  it('a gzipped Arrow file is told to be unzipped', async () => {
    const path = writeScratch(folder, 'vectors.arrow.gz', gzipSync(readFileSync(fixture('pyarrow.arrow'))));
    expect((await failureOf(() => openArrow(path))).message).toContain('is compressed with gzip');
  });

  it('a missing file, a folder, a pipe and a file behind a file have their own errors', async () => {
    const path = join(folder, 'missing.arrow');
    const missing = await failureOf(() => openArrow(path));
    expect([missing.code, missing.message]).toEqual(['input_not_found', `${path} does not exist; check the path`]);
    const file = writeScratch(folder, 'plain', 'x');
    expect((await failureOf(() => openArrow(join(file, 'inside')))).code).toBe('input_not_found');
    mkdirSync(join(folder, 'sub'));
    const isFolder = await failureOf(() => openArrow(join(folder, 'sub')));
    expect([isFolder.code, isFolder.message]).toEqual([
      'input_format',
      `${join(folder, 'sub')} is a folder, not a file; name the files in it`,
    ]);
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    expect((await failureOf(() => openArrow(join(folder, 'pipe')))).code).toBe('input_format');
  });

  it.skipIf(process.getuid?.() === 0)('a file that may not be read is an io_error (root may read all)', async () => {
    const path = writeScratch(folder, 'secret.arrow', 'x');
    chmodSync(path, 0);
    const error = await failureOf(() => openArrow(path));
    expect(error.code).toBe('io_error');
    expect(error.message).toContain(path);
  });
});

describe('what is one', () => {
  it.each(['pyarrow.arrow', 'pyarrow-batches.arrows'])('is known by its bytes, whatever its name: %s', async (file) => {
    const bytes = readFileSync(fixture(file));
    const path = writeScratch(folder, `renamed-${file}.parquet`, bytes);
    expect(await readTable(path)).toEqual(await readTable(fixture(file)));
  });

  it('is a stream of before Arrow 0.15 too, which begins with a bare length', async () => {
    const legacy = stripContinuations(readFileSync(fixture('pyarrow-batches.arrows')));
    expect(legacy.readInt32LE(0)).toBeGreaterThan(0);
    const path = writeScratch(folder, 'legacy.arrows', legacy);
    expect(await readTable(path)).toEqual(await readTable(fixture('pyarrow-batches.arrows')));
  });
});

/** The stream as it was framed before 0.15: no continuation markers, an end marker of four zeros. */
function stripContinuations(stream: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < stream.length;) {
    const metadataBytes = stream.readInt32LE(at + 4);
    if (metadataBytes === 0) break;
    const metadata = stream.subarray(at + 8, at + 8 + metadataBytes);
    const bodyBytes = bodyLength(metadata);
    parts.push(stream.subarray(at + 4, at + 8 + metadataBytes + bodyBytes));
    at += 8 + metadataBytes + bodyBytes;
  }
  return Buffer.concat([...parts, Buffer.alloc(4)]);
}

/** Field 3 of the message's table. */
function bodyLength(metadata: Buffer): number {
  const table = metadata.readUInt32LE(0);
  const vtable = table - metadata.readInt32LE(table);
  if (metadata.readUInt16LE(vtable) < 12) return 0;
  const offset = metadata.readUInt16LE(vtable + 10);
  return offset === 0 ? 0 : Number(metadata.readBigInt64LE(table + offset));
}
