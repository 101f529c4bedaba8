/** Comments fit on a screen, and what they name exists: a reference to a file or symbol that is gone is worse than none. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listSources, parse, PROJECT, readComments, SRC, textOf, type Comment } from './sources.js';

const MAX_WIDTH = 120;

/** Files of others that comments name. */
const FOREIGN_FILES = ['sysexits.h', 'hnswalg.h'];

/** Words in backticks that are no symbols of ours: of other libraries, examples of syntax, members of JSON. */
const FOREIGN_WORDS = ['tableFromIPC', 'ab', 'acd', 'ace', 'save_to_disk', 'u003d', '__proto__', '_total', 'contains'];

const files = listSources('src');
const comments = files.flatMap(readComments);
const native = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(?:cc|h|gyp)$/.test(file) && !file.includes('build/'))
  .map((file) => `src/${file}`);

const at = ({ file, line }: Comment): string => `${file}:${line}`;

describe('comments', () => {
  it(`of src/ are at most ${MAX_WIDTH} columns wide`, () => {
    const wide = [...files, ...native].flatMap((file) =>
      textOf(file)
        .split('\n')
        .flatMap((line, i) =>
          /^\s*(?:\/\*|\*|\/\/)/.test(line) && line.length > MAX_WIDTH ? [`${file}:${i + 1}`] : [],
        ),
    );
    expect(wide).toEqual([]);
  });

  it('name files that exist', () => {
    const known = new Set([...files, ...native, ...listSources('test')].map((file) => basename(file)));
    for (const name of FOREIGN_FILES) known.add(name);
    const isThere = (file: string, name: string): boolean =>
      name.includes('/')
        ? [SRC, PROJECT, join(PROJECT, dirname(file)), join(SRC, file.split('/')[1]!)].some((folder) =>
            existsSync(join(folder, name)),
          )
        : known.has(name);
    const lost = comments.flatMap((comment) =>
      [...comment.text.matchAll(/(?<![\w./-])(?:[\w-]+\/)*[\w-]+\.(?:ts|cc|h)\b/g)]
        .map((match) => match[0])
        .filter((name) => !isThere(comment.file, name))
        .map((name) => `${at(comment)} names ${name}`),
    );
    expect(lost).toEqual([]);
  });

  it('name symbols that exist', () => {
    const code = [...files.map(withoutComments), ...native.map(textOf), textOf('package.json')].join('\n');
    const words = new Set([...code.match(/[A-Za-z_$][\w$]*/g)!, ...FOREIGN_WORDS]);
    const lost = comments.flatMap((comment) =>
      [...comment.text.matchAll(/`([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)(?:\(\))?`/g)]
        .map((match) => match[1]!)
        .filter((name) => !name.split('.').every((word) => words.has(word)))
        .map((name) => `${at(comment)} names ${name}`),
    );
    expect(lost).toEqual([]);
  });
});

function withoutComments(file: string): string {
  let { text } = parse(file);
  for (const { text: comment } of readComments(file)) text = text.replace(comment, '');
  return text;
}
