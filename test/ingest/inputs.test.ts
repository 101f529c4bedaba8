import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expandBraces, expandGlob, segmentMatcher } from '../../src/ingest/glob.js';
import { resolveInputs } from '../../src/ingest/inputs.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inputs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const make = (...names: string[]): void => {
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), name);
  }
};
/** What the inputs resolve to, relative to the folder. */
const resolve = async (...names: string[]): Promise<string[]> => {
  const files = await resolveInputs(names.map((name) => join(folder, name)));
  return files.map((file) => file.slice(folder.length + 1));
};

describe('files and folders', () => {
  it('come in the order given, the files of a folder sorted by path', async () => {
    make('z.arrow', 'parts/b.arrow', 'parts/a.arrow', 'parts/10.arrow', 'parts/9.arrow', 'c.arrow');
    expect(await resolve('z.arrow', 'parts', 'c.arrow')).toEqual([
      'z.arrow',
      'parts/10.arrow',
      'parts/9.arrow',
      'parts/a.arrow',
      'parts/b.arrow',
      'c.arrow',
    ]);
  });

  it('of any extension are taken when named', async () => {
    make('embeddings.bin');
    expect(await resolve('embeddings.bin')).toEqual(['embeddings.bin']);
  });

  it('of a folder are its Arrow files when it has any, those of subfolders included', async () => {
    make('d/x.arrow', 'd/y.feather', 'd/z.IPC', 'd/w.arrows', 'd/README.md', 'd/day=2/x.arrow', 'd/.cache/x.arrow');
    expect(await resolve('d')).toEqual(['d/day=2/x.arrow', 'd/w.arrows', 'd/x.arrow', 'd/y.feather', 'd/z.IPC']);
  });

  it('of a folder without such names are all but hidden ones', async () => {
    make('d/part-0', 'd/part-1', 'd/_SUCCESS', 'd/.part-0.crc', 'd/sub/part-2');
    expect(await resolve('d')).toEqual(['d/part-0', 'd/part-1', 'd/sub/part-2']);
  });

  it('of a Hugging Face dataset are those that its state.json names, not the cached ones', async () => {
    make('d/data-00000-of-00002.arrow', 'd/data-00001-of-00002.arrow', 'd/cache-1f2e.arrow', 'd/dataset_info.json');
    const listed = ['data-00000-of-00002.arrow', 'data-00001-of-00002.arrow'].map((filename) => ({ filename }));
    writeFileSync(join(folder, 'd/state.json'), JSON.stringify({ _data_files: listed, _split: 'train' }));
    expect(await resolve('d')).toEqual(['d/data-00000-of-00002.arrow', 'd/data-00001-of-00002.arrow']);
    rmSync(join(folder, 'd/data-00001-of-00002.arrow'));
    await expect(resolve('d')).rejects.toMatchObject({ code: 'input_not_found' });
  });

  it('of a Hugging Face dataset of several splits are those of every split', async () => {
    for (const split of ['train', 'test']) {
      make(`d/${split}/data-00000-of-00001.arrow`, `d/${split}/cache-9.arrow`);
      const state = { _data_files: [{ filename: 'data-00000-of-00001.arrow' }] };
      writeFileSync(join(folder, `d/${split}/state.json`), JSON.stringify(state));
    }
    expect(await resolve('d')).toEqual(['d/test/data-00000-of-00001.arrow', 'd/train/data-00000-of-00001.arrow']);
  });

  it('are found beside a state.json of another origin', async () => {
    make('a/x.arrow', 'b/x.arrow', 'c/x.arrow');
    writeFileSync(join(folder, 'a/state.json'), '{"step": 3}');
    writeFileSync(join(folder, 'b/state.json'), 'not json');
    writeFileSync(join(folder, 'c/state.json'), '{"_data_files": [{"filename": "../a/x.arrow"}]}');
    expect(await resolve('a', 'b', 'c')).toEqual(['a/x.arrow', 'b/x.arrow', 'c/x.arrow']);
  });

  it('that are links to files are taken, links to folders are not followed', async () => {
    make('blobs/1', 'd/own.arrow');
    symlinkSync('../blobs/1', join(folder, 'd/linked.arrow'));
    symlinkSync('..', join(folder, 'd/loop'));
    symlinkSync('nowhere', join(folder, 'd/dangling.arrow'));
    expect(await resolve('d')).toEqual(['d/linked.arrow', 'd/own.arrow']);
  });

  it('that are missing are named', async () => {
    await expect(resolve('nothing.arrow')).rejects.toMatchObject({ code: 'input_not_found' });
    await expect(resolve('nothing.arrow')).rejects.toThrow(join(folder, 'nothing.arrow'));
    make('file');
    await expect(resolve('file/below')).rejects.toMatchObject({ code: 'input_not_found' });
    mkdirSync(join(folder, 'empty'));
    await expect(resolve('empty')).rejects.toThrow('has no files');
  });

  it('that are named twice are refused, however they are named', async () => {
    make('d/a.arrow', 'd/b.arrow');
    symlinkSync('d/a.arrow', join(folder, 'link.arrow'));
    for (const inputs of [
      ['d', 'd/a.arrow'],
      ['d/a.arrow', 'd/../d/a.arrow'],
      ['d', 'link.arrow'],
      ['d/*', 'd/b.arrow'],
    ]) {
      await expect(resolve(...inputs)).rejects.toMatchObject({ code: 'usage' });
    }
  });

  it('that are pipes are refused', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await expect(resolve('pipe')).rejects.toMatchObject({ code: 'input_format' });
  });

  it('keep a relative path relative', async () => {
    const cwd = process.cwd();
    make('d/a.arrow');
    try {
      process.chdir(folder);
      expect(await resolveInputs(['./d/a.arrow'])).toEqual(['d/a.arrow']);
      expect(await resolveInputs(['d/*.arrow'])).toEqual(['d/a.arrow']);
      expect(await resolveInputs(['**/*.arrow'])).toEqual(['d/a.arrow']);
      expect(await resolveInputs(['.'])).toEqual(['d/a.arrow']);
    } finally {
      process.chdir(cwd);
    }
  });
});

describe('a DatasetDict of Hugging Face', () => {
  const describeDict = (path: string, content: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };

  it('of several splits asks which one is meant, wherever it lies', async () => {
    make('dd/train/data-0.arrow', 'dd/test/data-0.arrow');
    describeDict('dd/dataset_dict.json', '{"splits": ["train", "test"]}');
    for (const input of ['dd', '.']) {
      await expect(resolve(input)).rejects.toMatchObject({ code: 'usage', details: { splits: ['train', 'test'] } });
      await expect(resolve(input)).rejects.toThrow('splits ("train", "test")');
      await expect(resolve(input)).rejects.toThrow(join(folder, 'dd/train'));
    }
    expect(await resolve('dd/test', 'dd/train')).toEqual(['dd/test/data-0.arrow', 'dd/train/data-0.arrow']);
  });

  it('of one split stands for it, with the files that its state names', async () => {
    make('dd/train/data-0.arrow', 'dd/train/cache-1.arrow');
    describeDict('dd/dataset_dict.json', '{"splits": ["train"]}');
    describeDict('dd/train/state.json', '{"_data_files": [{"filename": "data-0.arrow"}]}');
    expect(await resolve('dd')).toEqual(['dd/train/data-0.arrow']);
  });

  it('whose split is missing is refused, and what only has the name is a file like others', async () => {
    describeDict('dd/dataset_dict.json', '{"splits": ["train"]}');
    await expect(resolve('dd')).rejects.toMatchObject({ code: 'input_not_found' });
    for (const content of [
      '{',
      '[]',
      '{"splits": []}',
      '{"splits": [".."]}',
      '{"splits": ["a/b", "c"]}',
      '{"splits": ["."]}',
    ]) {
      make('x/a.arrow');
      describeDict('x/dataset_dict.json', content);
      expect(await resolve('x')).toEqual(['x/a.arrow']);
    }
  });
});

describe('globs', () => {
  it('give the matching files sorted by path', async () => {
    make('b.arrow', 'a.arrow', 'c.txt', '.hidden.arrow', 'sub/d.arrow');
    expect(await resolve('*.arrow')).toEqual(['a.arrow', 'b.arrow']);
    expect(await resolve('*/*.arrow')).toEqual(['sub/d.arrow']);
    expect(await resolve('.h*')).toEqual(['.hidden.arrow']);
  });

  it('descend with **', async () => {
    make('a.arrow', 'x/b.arrow', 'x/y/c.arrow', 'x/.git/d.arrow', 'x/y/e.txt');
    expect(await resolve('**/*.arrow')).toEqual(['a.arrow', 'x/b.arrow', 'x/y/c.arrow']);
    expect(await resolve('x/**')).toEqual(['x/b.arrow', 'x/y/c.arrow', 'x/y/e.txt']);
    expect(await resolve('**/y/*')).toEqual(['x/y/c.arrow', 'x/y/e.txt']);
  });

  it('take sets, ranges and braces', async () => {
    make('p-0.arrow', 'p-1.arrow', 'p-2.arrow', 'p-x.arrow', 'q-1.arrow');
    expect(await resolve('p-[0-1].arrow')).toEqual(['p-0.arrow', 'p-1.arrow']);
    expect(await resolve('p-[!0-9].arrow')).toEqual(['p-x.arrow']);
    expect(await resolve('{q,p}-[1x].arrow')).toEqual(['p-1.arrow', 'p-x.arrow', 'q-1.arrow']);
    expect(await resolve('p-?.arrow')).toHaveLength(4);
  });

  it('that match nothing are named', async () => {
    await expect(resolve('*.arrow')).rejects.toMatchObject({ code: 'input_not_found' });
    await expect(resolve('*.arrow')).rejects.toThrow('*.arrow');
  });

  it('are not looked for in the name of a file that exists', async () => {
    make('a[1].arrow', 'a1.arrow', 'b{x,y}.arrow', 'what?.arrow');
    expect(await resolve('a[1].arrow', 'b{x,y}.arrow', 'what?.arrow')).toEqual([
      'a[1].arrow',
      'b{x,y}.arrow',
      'what?.arrow',
    ]);
    expect(await expandGlob(join(folder, 'a\\[1\\].*'))).toEqual([join(folder, 'a[1].arrow')]);
  });
});

describe('segmentMatcher', () => {
  it.each([
    ['*', 'anything', true],
    ['*', '.hidden', false],
    ['.*', '.hidden', true],
    ['?.a', '.a', false],
    ['a.b', 'axb', false],
    ['a+b(c)', 'a+b(c)', true],
    ['[]]', ']', true],
    ['[!]]', 'a', true],
    ['[^a]', 'a', false],
    ['[a-]', '-', true],
    ['[z-a]', '[z-a]', true],
    ['[open', '[open', true],
    ['[\\d]', '5', false],
    ['[.]x', '.x', false],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['!a', 'b', false],
    ['#a', '#a', true],
    ['@(a|b)', 'a', false],
    ['{a,b}', 'a', false],
    ['*', 'of two\nlines', true],
    ['?', '\u{1f600}', true],
  ])('%s on %s says %s', (pattern, name, expected) => {
    expect(segmentMatcher(pattern)(name)).toBe(expected);
  });
});

describe('expandBraces', () => {
  it.each([
    ['a{b,c}d', ['abd', 'acd']],
    ['{a,b{c,d}}', ['a', 'bc', 'bd']],
    ['{a,b}{1,2}', ['a1', 'a2', 'b1', 'b2']],
    ['a{,x}', ['a', 'ax']],
    ['a{b}c', ['a{b}c']],
    ['a{b,c', ['a{b,c']],
    ['{x}{a,b}', ['{x}a', '{x}b']],
    ['a\\{b,c}', ['a{b,c}']],
    ['a\\[{b,c}', ['a\\[b', 'a\\[c']],
    ['p-{08..10}', ['p-08', 'p-09', 'p-10']],
  ])('%s gives %j', (pattern, expected) => {
    expect(expandBraces(pattern)).toEqual(expected);
  });

  it('refuses more patterns than anybody means, rather than to leave files out', () => {
    expect(expandBraces('p-{0..9999}.arrow')).toHaveLength(10_000);
    for (const pattern of ['{a,b}'.repeat(40), 'p-{0..10000}.arrow', '{1..1000000000}']) {
      expect(() => expandBraces(pattern)).toThrow(expect.objectContaining({ code: 'usage' }) as Error);
      expect(() => expandBraces(pattern)).toThrow(pattern);
    }
  });
});
