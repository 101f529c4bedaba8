import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync, writeSync } from 'node:fs'; // prettier-ignore
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { changedFiles, fingerprintDirectory, readStamps, sameStamps } from '../../../src/version/disk/file-stamps.js';
import { nodeFiles } from '../../../src/version/disk/files.js';
import { temporaryDirectory } from '../versions.js';

const NAMES = ['a.bin', 'b.bin'];
let folder: string;
const path = (name: string) => join(folder, name);
const stamps = () => readStamps(folder, NAMES, nodeFiles);
/** Longer than a tick of the file system's clock. */
const tick = () => new Promise((resolve) => setTimeout(resolve, 30));

beforeEach(async () => {
  folder = temporaryDirectory();
  for (const name of NAMES) writeFileSync(path(name), 'some bytes');
  await tick();
});

describe('stamps', () => {
  it('stay as they are while files are read', async () => {
    const before = await stamps();
    readFileSync(path('a.bin'));
    expect(sameStamps(before, await stamps())).toBe(true);
    expect(sameStamps(before, before)).toBe(true);
  });

  it.each<[string, () => void]>([
    ['written in place with as many bytes', () => overwrite('other byte')],
    ['written in place, its time set back', () => {
      const { atime, mtime } = statSync(path('a.bin'));
      overwrite('other byte');
      utimesSync(path('a.bin'), atime, mtime);
    }],
    ['cut off', () => truncateSync(path('a.bin'), 4)],
    ['replaced by its own bytes', () => {
      copyFileSync(path('a.bin'), path('c.bin'));
      renameSync(path('c.bin'), path('a.bin'));
    }],
    ['removed', () => rmSync(path('a.bin'))],
    ['a folder now', () => {
      rmSync(path('a.bin'));
      mkdirSync(path('a.bin'));
    }],
  ])('tell of a file that is %s, and of no other', async (_, change) => {
    const before = await stamps();
    const fingerprint = await fingerprintDirectory(folder, nodeFiles);
    change();
    expect(changedFiles(before, await stamps())).toEqual(['a.bin']);
    expect(sameStamps(before, await stamps())).toBe(false);
    expect(await fingerprintDirectory(folder, nodeFiles)).not.toBe(fingerprint);
  }); // prettier-ignore

  it('of a directory that is gone are none', async () => {
    rmSync(folder, { recursive: true });
    expect((await stamps()).size).toBe(0);
    expect(await fingerprintDirectory(folder, nodeFiles)).toBe('');
  });
});

function overwrite(text: string): void {
  const file = openSync(path('a.bin'), 'r+');
  writeSync(file, text, 0);
  closeSync(file);
}
