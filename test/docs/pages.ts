/** The pages that users read, and the blocks of code in them. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { docsPages } from '../../scripts/docs-tables.js';

export const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** A fenced block of a page. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** Why no test runs it: the text of a mark `<!-- not run: ... -->` above it. */
  readonly notRun: string | null;
}

export interface Command {
  /** As a shell takes it; may have several lines. */
  readonly command: string;
  /** What the page says it prints; a line `...` stands for any lines. */
  readonly output: string | null;
}

/** README.md and docs/, by path from the project's root. */
export const pages: ReadonlyMap<string, string> = docsPages();

/** Those, and what else of ours is written for readers. */
export const allPages: ReadonlyMap<string, string> = new Map([
  ...pages,
  ...['CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', 'src/README.md', 'indexes/README.md', 'bench/README.md'].map(
    (path): [string, string] => [path, readFileSync(join(PROJECT, path), 'utf8')],
  ),
]);

/** The programs of docs/examples, by name. */
export const examples: ReadonlyMap<string, string> = new Map(
  readdirSync(join(PROJECT, 'docs/examples')).map((name) => [
    name,
    readFileSync(join(PROJECT, 'docs/examples', name), 'utf8'),
  ]),
);

export function blocksOf(page: string): Block[] {
  return [...page.matchAll(/(?:^<!-- not run: (.*) -->\n)?^```(\w*)\n([^]*?)^```$/gm)].map(
    ([, notRun, language, text]) => ({ language: language!, text: text!, notRun: notRun ?? null }),
  );
}

/** The commands of a page that a test runs, in order. */
export function commandsOf(page: string): Command[] {
  return blocksOf(page).flatMap(({ language, text, notRun }): Command[] => {
    if (notRun !== null) return [];
    if (language === 'sh') return [{ command: text, output: null }];
    if (language !== 'console') return [];
    return text
      .split(/^\$ /m)
      .slice(1)
      .map((each) => {
        const end = /(?<![\\|])\n/.exec(each)!.index;
        return { command: each.slice(0, end), output: each.slice(end + 1).trimEnd() };
      });
  });
}
