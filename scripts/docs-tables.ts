/**
 * Writes the parts of README.md and docs/ that come from the code, from docs/examples and from the benches' results. Such a
 * part stands between the marks `<!-- name -->` and `<!-- /name -->`. A test fails where a part differs from its source.
 *
 *     npx tsx scripts/docs-tables.ts
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { Registry } from 'prom-client';
import { readResult } from '../bench/engine/result.js';
import { benchTables } from '../bench/engine/tables.js';
import { filterTable, readFilterResult } from '../bench/filters/result.js';
import { readServeResult, serveTable } from '../bench/serve/result.js';
import { ERRORS } from '../src/base/errors.js';
import * as limits from '../src/base/limits.js';
import { LiveIndexes } from '../src/retrieve/load/live.js';
import { commandPath } from '../src/cli/command.js';
import { createProgram } from '../src/cli/program.js';
import { CHECK_NAMES, specOf, type Bounds } from '../src/gate/checks.js';
import { SERVE_OPTIONS } from '../src/serve/channel/options.js';
import { GatewayMetrics } from '../src/serve/gateway/gateway-metrics.js';
import { PrimaryMetrics } from '../src/serve/primary/primary-metrics.js';
import { Admission } from '../src/serve/worker/admission.js';
import { WorkerMetrics } from '../src/serve/worker/worker-metrics.js';
import { SEARCH_OPTIONS, SEARCH_TERMS, type Term } from '../src/wire/search-terms.js';

const PROJECT = new URL('../', import.meta.url);

/** One part of a page: `<!-- errors -->`, or with an argument `<!-- cli build -->`. */
const PARTS: Readonly<Record<string, (argument: string) => string | Promise<string>>> = {
  errors: errorTable,
  'serve-options': serveOptionTable,
  metrics: metricTable,
  'gateway-metrics': gatewayMetricTable,
  limits: limitTable,
  'gate-checks': gateTable,
  'search-fields': () => termTable(Object.entries(SEARCH_TERMS)),
  'library-options': () => termTable([...SEARCH_OPTIONS]),
  cli: commandReference,
  example: exampleBlock,
  bench: () => benchTables(readResult('bench/results/engine.json')),
  'bench-serve': () => serveTable(readServeResult('bench/results/serve.json')),
  'bench-filters': () => filterTable(readFilterResult('bench/results/filters.json')),
};

const MARKED = /^<!-- ([a-z-]+)(?: (\S+))? -->\n[^]*?^<!-- \/\1(?: \2)? -->$/gm;

/** The pages with their text, by path from the project's root. */
export function docsPages(): Map<string, string> {
  const paths = readdirSync(new URL('docs/', PROJECT), { recursive: true, encoding: 'utf8' });
  const pages = ['README.md', ...paths.filter((path) => path.endsWith('.md')).map((path) => `docs/${path}`).sort()]; // prettier-ignore
  return new Map(pages.map((path) => [path, readFileSync(new URL(path, PROJECT), 'utf8')]));
}

/** The page's text with every marked part as its source has it. */
export async function withParts(page: string): Promise<string> {
  let text = page;
  for (const [marked, name, argument] of page.matchAll(MARKED)) {
    const part = await PARTS[name!]?.(argument ?? '');
    if (part === undefined) continue;
    const mark = argument === undefined ? name! : `${name!} ${argument}`;
    text = text.replace(marked, () => `<!-- ${mark} -->\n\n${part}\n\n<!-- /${mark} -->`);
  }
  return text;
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

/** The metrics of our own; prom-client's `process_*` and `nodejs_*` are not listed. */
function metricTable(): string {
  const worker = new WorkerMetrics();
  worker.watch(new LiveIndexes(''), new Admission(1, 1, () => undefined));
  const primary = new PrimaryMetrics(() => ({
    watched: [],
    indexes: [],
    workers: { standby: 0, starting: 0, listening: 0 },
    memoryLimitBytes: 0,
  }));
  return metricRows([worker.registry, primary.registry]);
}

function gatewayMetricTable(): string {
  const registry = new Registry();
  const fleet = { counts: () => ({ ready: 0, ejected: 0, unreachable: 0 }), names: () => [], namesOf: () => ({ current: null, aliases: {} }) }; // prettier-ignore
  new GatewayMetrics(registry).watch(fleet);
  return metricRows([registry]);
}

function metricRows(registries: readonly Registry[]): string {
  const rows = registries
    .flatMap((registry) => registry.getMetricsAsArray())
    .filter(({ name }) => name.startsWith('shortlist_'))
    .map((metric) => [`\`${metric.name}\``, labelsOf(metric), metric.help]);
  return markdownTable(['metric', 'labels', 'what it says'], rows);
}

function labelsOf(metric: object): string {
  const names = 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames : [];
  return names.map((name) => `\`${String(name)}\``).join(', ');
}

function limitTable(): string {
  const mebibytes = (bytes: number): string => `${bytes / 2 ** 20} MiB`;
  const count = (value: number): string => value.toLocaleString('en-US');
  return markdownTable(
    ['limit', 'value', 'why'],
    [
      ['`k`', count(limits.MAX_K), 'rankers ask for 100 to 1,000; above this a scan is the better tool'],
      ['`ef`', count(limits.MAX_EF), 'the largest k, to which a smaller `ef` is raised; above this an exact search costs less'],
      ['length of a vector', count(limits.MAX_DIM), 'the longest embeddings sold have 4,096 components'],
      ['magnitude of a component', limits.MAX_COMPONENT.toExponential().replace('+', ''), 'its square still fits float32; under cosine there is no such limit for queries'],
      ['rows of an index', '375,809,638', 'the table of ids has 2^29 places, of which 70 % may be filled; string ids have 4 GiB together'],
      ['shards', count(limits.MAX_SHARDS), 'each shard costs a graph search'],
      ['`m`', `${limits.MIN_M} to ${limits.MAX_M}`, 'with fewer than 4 links a graph falls apart; 128 links need as much memory as a vector of 256 components'],
      ['`ef-construction`', count(limits.MAX_EF_CONSTRUCTION), 'more makes a build slow and finds nothing new'],
      ['id', `${count(limits.MAX_ID_BYTES)} bytes of UTF-8`, 'a UUID has 36, a URL about 100'],
      ['queries in a batch', count(limits.MAX_BATCH), 'at 1 ms each, a worker is busy for a second'],
      ['request body', mebibytes(limits.MAX_BODY_BYTES), '1,024 queries of 4,096 dimensions as JSON; `--body-limit` changes it'],
      ['answer', mebibytes(limits.MAX_ANSWER_BYTES), '1,024 queries of 1,000 candidates take 40 MiB'],
      ['`seeds`', count(limits.MAX_SEEDS), 'each seed is a search'],
      ['`exclude_ids`', count(limits.MAX_EXCLUDE_IDS), 'what a user has seen lately, not a catalog'],
      ['`include.attributes`', count(limits.MAX_INCLUDE_ATTRIBUTES), 'more attributes than items usually have'],
      ['`why_not`', count(limits.MAX_WHY_NOT), 'each id costs a scan'],
      ['names of indexes and aliases', `\`${limits.NAME_PATTERN.source}\``, 'they are folder names on every system'],
      ['previous version after a switch', `${limits.PREVIOUS_VERSION_MS / 1_000} s`, 'a client can take several answers from one version; the next switch ends it earlier'],
    ],
  ); // prettier-ignore
}

function termTable(terms: readonly (readonly [string, Term])[]): string {
  const rows = terms.map(([name, term]) => [`\`${name}\``, typeOf(term), [term.text, ...memberTexts(term)].join(' ')]);
  return markdownTable(['field', 'type', 'meaning'], rows);
}

function memberTexts(term: Term): string[] {
  return term.kind === 'members' ? Object.entries(term.members).map(([name, { text }]) => `\`${name}\`: ${text}`) : [];
}

function typeOf(term: Term): string {
  switch (term.kind) {
    case 'whole':
      return `whole number, 1 to ${term.max.toLocaleString('en-US')}`;
    case 'number':
      return term.above === undefined ? 'number' : `number above ${term.above}, at most ${(term.max ?? Infinity).toLocaleString('en-US')}`; // prettier-ignore
    case 'boolean':
      return '`true` or `false`';
    case 'text':
      return 'text';
    case 'ids':
      return `list of up to ${term.max.toLocaleString('en-US')} ids`;
    case 'names':
      return 'list of names, or `true`';
    case 'filter':
      return '[filter](../guides/filters.md)';
    case 'members':
      return `object with ${Object.keys(term.members).map((name) => `\`${name}\``).join(', ')}`; // prettier-ignore
  }
}

/** Usage, arguments and options of a command; of `global`, the options that every command has. */
async function commandReference(name: string): Promise<string> {
  const program = await createProgram([name]);
  if (name === 'global') return optionTable(program);
  return describeCommand(program.commands.find((each) => each.name() === name)!);
}

/** A command with its arguments and options, and the commands below it. */
function describeCommand(command: Command): string {
  const name = commandPath(command);
  const names = command.registeredArguments.map((argument) => {
    const text = argument.variadic ? `${argument.name()}...` : argument.name();
    return argument.required ? `<${text}>` : `[${text}]`;
  });
  const description = command.description();
  const isGroup = command.commands.length > 0;
  const usage = isGroup ? '' : `    ${[name, ...names].join(' ')} [options]`;
  const args = command.registeredArguments.map((argument) => `- \`${argument.name()}\`: ${argument.description}`);
  const parts = [`${description[0]!.toUpperCase()}${description.slice(1)}.`, usage, args.join('\n')];
  if (command.name() !== 'serve' && command.options.length > 0) parts.push(optionTable(command));
  for (const inner of command.commands) parts.push(`### ${commandPath(inner).replace('shortlist ', '')}`, describeCommand(inner)); // prettier-ignore
  return parts.filter((part) => part !== '').join('\n\n');
}

function optionTable(command: Command): string {
  const rows = command.options.map((option) => [`\`${option.flags}\``, defaultOf(option), textOf(option)]);
  return markdownTable(['option', 'default', 'meaning'], rows);
}

type CommandOption = Command['options'][number];

function textOf({ description, argChoices, envVar }: CommandOption): string {
  const choices = argChoices === undefined ? '' : `: ${argChoices.map((choice) => `\`${choice}\``).join(', ')}`;
  return `${description}${choices}${envVar === undefined ? '' : `; also \`${envVar}\``}`;
}

function defaultOf({ defaultValue, defaultValueDescription, negate, mandatory }: CommandOption): string {
  if (mandatory) return 'required';
  if (negate || defaultValue === undefined) return '';
  return defaultValueDescription ?? String(defaultValue);
}

/** The checks of the gate with their default limits. */
function gateTable(): string {
  const rows = CHECK_NAMES.map((name) => {
    const { about, warn, fail, by } = specOf(name);
    return [`\`${name}\``, about, boundsText(warn, by), boundsText(fail, by)];
  });
  return markdownTable(['check', 'value', 'warns', 'fails'], rows);
}

function boundsText(bounds: Bounds | null, by: string): string {
  if (bounds === null) return '';
  const unit = by === 'difference' ? ' more' : '';
  const { min, max } = bounds;
  const parts = [min === undefined ? '' : `below ${min}`, max === undefined ? '' : `above ${max}${unit}`];
  return parts.filter((part) => part !== '').join(', ');
}

/** A program of docs/examples as a fenced block. */
function exampleBlock(file: string): string {
  const language = { py: 'python', ts: 'ts', mjs: 'js' }[file.split('.').at(-1)!]!;
  return `\`\`\`${language}\n${readFileSync(new URL(`docs/examples/${file}`, PROJECT), 'utf8')}\`\`\``;
}

function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [path, text] of docsPages()) writeFileSync(new URL(path, PROJECT), await withParts(text));
}
