/** What the pages say is so: their tables are the code's, their links lead somewhere, what they name exists. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { withParts } from '../../scripts/docs-tables.js';
import { EXIT } from '../../src/base/errors.js';
import { QUERY_FIELDS } from '../../src/wire/search-terms.js';
import { allPages, blocksOf, examples, pages, PROJECT } from './pages.js';

const CLI = join(PROJECT, 'dist/cli/main.js');
const helps = new Map<string, string>();

function helpOf(command: string): string {
  const help = helps.get(command) ?? execFileSync(process.execPath, [CLI, ...command.split(' '), '--help'], { encoding: 'utf8' }); // prettier-ignore
  helps.set(command, help);
  return help;
}

const page = (path: string): string => pages.get(path)!;

/** The names in the first column of the table whose header begins so. */
function firstColumn(text: string, header: string): string[] {
  return text
    .slice(text.indexOf(header))
    .split('\n\n')[0]!
    .split('\n')
    .slice(2)
    .flatMap((row) => [...row.split('|')[1]!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!));
}

describe('the pages', () => {
  it.each([...pages])(
    '%s has its parts as the code has them (else: npx tsx scripts/docs-tables.ts)',
    async (_, text) => {
      expect(text).toBe(await withParts(text));
    },
  );

  it('are short at the door: README.md has at most 200 lines', () => {
    expect(page('README.md').split('\n').length).toBeLessThanOrEqual(200);
  });

  it('keep their lines within 120 columns, but for tables, what programs print and what comes from the benches', () => {
    for (const [path, text] of pages) {
      const prose = [/^```[^]*?^```$/gm, /^<!-- (bench\S*) -->$[^]*?^<!-- \/\1 -->$/gm, /^ *\|.*\|$/gm].reduce((rest, part) => rest.replace(part, ''), text); // prettier-ignore
      expect(
        prose.split('\n').filter((line) => line.length > 120),
        path,
      ).toEqual([]);
    }
  });

  it('are all reached from docs/README.md', () => {
    const linked = linksOf('docs/README.md').map(({ target }) => relative(PROJECT, join(PROJECT, 'docs', target)));
    const more = linksOf('docs/internals/README.md').map(({ target }) => join('docs/internals', target));
    const unreached = [...pages.keys()].filter((path) => ![...linked, ...more].includes(path));
    expect(unreached).toEqual(['README.md', 'docs/README.md']);
  });
});

interface Link {
  readonly target: string;
  readonly anchor: string | null;
}

/** The links of a page to files and headings. */
function linksOf(path: string): Link[] {
  const prose = allPages.get(path)!.replace(/^ *```[^]*?^ *```$/gm, '').replace(/`[^`\n]*`/g, ''); // prettier-ignore
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1]!)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [target = '', anchor = null] = link.split('#');
      return { target, anchor };
    });
}

/** Headings as GitHub turns them into anchors. */
function anchorsOf(text: string): string[] {
  const prose = text.replace(/^```[^]*?^```$/gm, '');
  return [...prose.matchAll(/^#+ (.*)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('the links', () => {
  it.each([...allPages.keys()])('of %s lead to files and headings that exist', (path) => {
    const dead = linksOf(path).filter(({ target, anchor }) => {
      const file = target === '' ? join(PROJECT, path) : join(PROJECT, dirname(path), target);
      if (!existsSync(file)) return true;
      return anchor !== null && !anchorsOf(readFileSync(file, 'utf8')).includes(anchor);
    });
    expect(dead).toEqual([]);
  });

  it('exist at all', () => {
    expect(linksOf('docs/README.md').length).toBeGreaterThan(20);
  });
});

describe('what the pages name', () => {
  const commandNames = [...helpOf('').split('Commands:')[1]!.split('\n\n')[0]!.matchAll(/^ {2}([a-z-]+)/gm)].map((match) => match[1]!); // prettier-ignore

  it('the command line reference has a section for every command', () => {
    const sections = [...page('docs/reference/cli.md').matchAll(/^## (.*)$/gm)].map((match) => match[1]!);
    expect(sections).toEqual(commandNames.filter((name) => name !== 'help'));
  });

  it.each([...allPages])('%s: flags of shortlist and scripts of npm exist', (_, text) => {
    const { scripts } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as { scripts: object };
    for (const [, command, rest] of text.matchAll(/\bshortlist ([a-z-]+)\b([^`\n&|]*)/g)) {
      if (!commandNames.includes(command!)) continue;
      const flags = rest!.match(/(?<![\w-])--?[a-z][a-z-]*/g) ?? [];
      for (const flag of flags) expect(helpOf(command!), `${command} ${flag}`).toContain(flag);
    }
    for (const [, name] of text.matchAll(/npm run ([a-z:-]+)/g)) expect(scripts).toHaveProperty([name!]);
  });

  it.each([...allPages])('%s: files of the sources exist', (_, text) => {
    const paths = text.match(/(?<=`)(?:src|test|bench|scripts|docs)\/[\w./-]+(?=`)/g) ?? [];
    const missing = paths.filter((path) => !existsSync(join(PROJECT, path)) && !/native_\w+\.node$/.test(path));
    expect(missing).toEqual([]);
  });

  it('metrics are those of the reference', () => {
    const rows = page('docs/operating/metrics-and-alerts.md').matchAll(/^\| `(shortlist_\w+)`/gm);
    const metrics = Array.from(rows, (row) => row[1]!);
    for (const [path, text] of allPages) {
      const named = text.match(/\bshortlist_[a-z_]+/g) ?? [];
      expect(
        named.filter((name) => !metrics.includes(name) && !/_(native|sockets)$/.test(name)),
        path,
      ).toEqual([]);
    }
  });

  it('exit codes are those of the code', () => {
    const table = page('docs/reference/errors.md').split('## Exit codes')[1]!;
    const listed = [...table.matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]));
    expect(listed).toEqual(Object.values(EXIT).sort((a, b) => a - b));
  });

  it('fields that are queries are those of the code', () => {
    expect(firstColumn(page('docs/reference/http.md'), '| field | query |').sort()).toEqual([...QUERY_FIELDS].sort());
  });
});

describe('the programs', () => {
  it('stand in docs/examples, or say why no test runs them', () => {
    for (const [path, text] of pages) {
      const shown = text.replace(/<!-- example [^]*?<!-- \/example [^>]*-->/g, '').replace(/^ {3,}```[^]*?^ {3,}```$/gm, ''); // prettier-ignore
      const loose = blocksOf(shown).filter(({ language, notRun }) => notRun === null && !['console', 'sh', 'yaml'].includes(language)); // prettier-ignore
      expect(loose, path).toEqual([]);
    }
    for (const name of examples.keys()) {
      expect(
        [...pages.values()].some((text) => text.includes(`<!-- example ${name} -->`)),
        name,
      ).toBe(true);
    }
  });

  it('in TypeScript type-check against the package as it is installed', () => {
    const config = ts.readConfigFile(join(PROJECT, 'tsconfig.json'), (path) => ts.sys.readFile(path)).config as unknown;
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, PROJECT);
    const paths = [...examples.keys()].filter((name) => name.endsWith('.ts')).map((name) => join(PROJECT, 'docs/examples', name)); // prettier-ignore
    const program = ts.createProgram(paths, options);
    const wrong = paths.flatMap((path) => ts.getPreEmitDiagnostics(program, program.getSourceFile(path)));
    expect(paths.length).toBeGreaterThanOrEqual(3);
    expect(wrong.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
  });
});
