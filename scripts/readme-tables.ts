/**
 * Rewrites the tables of README.md that come from the code, between their `<!-- name -->` and `<!-- /name -->` marks. A
 * test fails where the two differ.
 *
 *     npx tsx scripts/readme-tables.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { ERRORS } from '../src/base/errors.js';
import { SERVE_OPTIONS } from '../src/serve/options.js';

const README = 'README.md';

const TABLES: Readonly<Record<string, () => string>> = { errors: errorTable, 'serve-options': serveOptionTable };

/** The README's text with every table as the code has it. @throws Error naming a table that the text has no marks for */
export function withTables(readme: string): string {
  return Object.entries(TABLES).reduce((text, [name, makeTable]) => {
    const marked = new RegExp(`(<!-- ${name} -->\n)[^]*?(\n<!-- /${name} -->)`);
    if (!marked.test(text)) throw new Error(`${README} has no <!-- ${name} --> ... <!-- /${name} -->`);
    return text.replace(marked, (_, before: string, after: string) => `${before}${makeTable()}${after}`);
  }, readme);
}

/** A status of 500 is left out: those codes end commands and startups, and only `internal` answers a request. */
function errorTable(): string {
  const rows = Object.entries(ERRORS).map(([code, { status, exit, title }]) => {
    const http = status === 500 && code !== 'internal' ? '' : String(status);
    return [`\`${code}\``, http, String(exit), title];
  });
  return markdownTable(['code', 'HTTP', 'exit', 'meaning'], rows);
}

function serveOptionTable(): string {
  const rows = SERVE_OPTIONS.map((option) => [
    `\`${option.flags}\``,
    `\`${option.env}\``,
    option.defaultText,
    option.help,
  ]);
  return markdownTable(['flag', 'variable', 'default', 'what it sets'], rows);
}

function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(README, withTables(readFileSync(README, 'utf8')));
}
