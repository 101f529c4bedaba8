import { Command } from 'commander';
import { ShortlistError } from '../../base/errors.js';
import { shortestFloat32 } from '../../base/float32.js';
import { formatFixed } from '../../base/number-text.js';
import type { Explain } from '../../wire/answers.js';
import { openIndex, type OpenIndex, type SearchAnswer, type Seed } from '../../retrieve/library/open-index.js';
import { action, parseTarget, type CommandContext } from '../command.js';
import { describeExplain } from '../output/explain-text.js';
import { readQueryFiles } from '../query-file.js';
import { addSearchFlags, parseJson, searchOptions, type SearchFlags } from '../search-flags.js';
import { formatTable } from '../output/table.js';

interface QueryOptions {
  readonly vector?: string;
  readonly id?: string;
  readonly queries?: string;
  readonly seeds?: string;
  readonly vectorColumn?: string;
  readonly attributes?: string;
  readonly exclude?: string[];
}

export function queryCommand(): Command {
  const command = new Command('query')
    .argument('<index[@version]>', 'index to search')
    .description('search from the shell with the same engine as the server')
    .option('--vector <json>', 'query vector as a JSON list')
    .option('--id <id>', 'find the neighbours of this item')
    .option('--queries <path>', 'file of query vectors, in any format that build --input takes; all are searched')
    .option(
      '--seeds <json>',
      'several queries with one joint answer, such as \'[{"id": "1", "weight": 2}, {"id": "2", "quota": 5}]\'',
    )
    .option('--vector-column <name>', 'column of vectors in --queries');
  return addSearchFlags(command, { single: true })
    .option('--attributes <names>', 'attributes to show: a,b or all')
    .action(
      action(async (context, options: QueryOptions & SearchFlags, target: string) => {
        context.refuseWithout(['vectorColumn'], 'queries');
        const { root, signal } = context;
        const { index: name, ref } = parseTarget(target);
        const sources = [options.vector, options.id, options.queries, options.seeds];
        if (sources.filter((source) => source !== undefined).length !== 1)
          throw new ShortlistError(
            'usage',
            'give exactly one of --vector, --id, --queries and --seeds; see shortlist query --help',
          );
        const index = await openIndex(root, name, { version: ref, signal });
        try {
          for (const id of options.exclude ?? []) {
            if (index.ids.find(id) < 0) context.warn(`--exclude ${id}: no such item; separate ids with spaces`);
          }
          const started = performance.now();
          const answers = await runSearches(index, options, context);
          const tookMs = Math.round((performance.now() - started) * 1000) / 1000;
          const names = attributeNames(index, options.attributes);
          const results = answers.map((found) => ({
            candidates: toCandidates(index, found, names),
            quality: found.quality,
            ...(found.explain && { explain: found.explain }),
          }));
          const head = { index: name, version: index.manifest.version, took_ms: tookMs };
          const json = options.queries === undefined ? { ...head, ...results[0]! } : { ...head, results };
          return { json, text: results.map((result) => describe(result, names)).join('\n\n') };
        } finally {
          await index.close();
        }
      }),
    );
}

async function runSearches(
  index: OpenIndex,
  options: QueryOptions & SearchFlags,
  { signal, warn }: CommandContext,
): Promise<SearchAnswer[]> {
  const search = searchOptions(options);
  if (options.id !== undefined) return [index.searchById(options.id, search)];
  if (options.vector !== undefined) return [index.search(parseVector(options.vector), search)];
  if (options.seeds !== undefined) return [index.searchSeeds(parseSeeds(options.seeds), search)];
  const { vectors } = await readQueryFiles([options.queries!], index.manifest, options.vectorColumn, { signal, warn });
  return index.searchBatch(vectors, { ...search, signal });
}

function parseVector(text: string): Float32Array {
  return toVector(parseJson('--vector', text, '[0.1, 0.2]'), '--vector');
}

function toVector(value: unknown, what: string): Float32Array {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'number')) {
    throw new ShortlistError('bad_vector', `${what} is not a list of numbers; give a list such as [0.1, 0.2]`);
  }
  return Float32Array.from(value);
}

const SEED_MEMBERS = ['id', 'vector', 'weight', 'quota'];

/** The search checks weights and quotas. */
function parseSeeds(text: string): Seed[] {
  const value = parseJson('--seeds', text, '[{"id": "1"}, {"vector": [0.1, 0.2]}]');
  if (!Array.isArray(value))
    throw new ShortlistError('bad_field', '--seeds is not a list; give a list such as [{"id": "1"}]', {
      field: 'seeds',
    });
  return value.map((item: unknown, position) => parseSeed(item, `seed ${position}`));
}

function parseSeed(value: unknown, what: string): Seed {
  const members = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const { id, vector, weight, quota } = members;
  const unknown = Object.keys(members).find((name) => !SEED_MEMBERS.includes(name));
  const isNumber = (given: unknown): given is number | undefined => given === undefined || typeof given === 'number';
  if (unknown !== undefined || (id === undefined) === (vector === undefined) || !isNumber(weight) || !isNumber(quota)) {
    const message = `${what} is invalid; give an object such as {"id": "1", "weight": 2, "quota": 5} or {"vector": [0.1, 0.2]}`;
    throw new ShortlistError('bad_field', message, { field: 'seeds' });
  }
  if (typeof id === 'string' || Number.isSafeInteger(id)) return { id: `${id as string | number}`, weight, quota };
  return { vector: toVector(vector, `the vector of ${what}`), weight, quota };
}

function attributeNames(index: OpenIndex, text: string | undefined): string[] {
  const known = index.manifest.attributes.map(({ name }) => name);
  if (text === undefined) return [];
  if (text === 'all') return known;
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new ShortlistError(
      'unknown_attribute',
      `the index has no attribute ${unknown}; it has: ${known.join(', ') || 'none'}`,
      { attribute: unknown },
    );
  }
  return names;
}

interface Candidate {
  readonly id: string;
  readonly score: number;
  readonly seed?: number;
  readonly seed_score?: number;
  readonly attributes?: Record<string, unknown>;
}

function toCandidates(index: OpenIndex, found: SearchAnswer, names: string[]): Candidate[] {
  return found.ids.map((id, position) => ({
    id,
    score: shortestFloat32(found.scores[position]!),
    ...(found.seeds && { seed: found.seeds[position]!, seed_score: shortestFloat32(found.seedScores![position]!) }),
    ...(names.length > 0 && { attributes: index.attributes(id, names) }),
  }));
}

const seedColumn = {
  title: 'seed',
  value: ({ candidate }: { candidate: Candidate }) => String(candidate.seed),
  align: 'right',
} as const;

interface Result {
  readonly candidates: Candidate[];
  readonly quality: SearchAnswer['quality'];
  readonly explain?: Explain;
}

function describe({ candidates, quality, explain }: Result, names: string[]): string {
  const table = formatTable<{ candidate: Candidate; rank: number }>(
    [
      { title: '#', value: ({ rank }) => String(rank), align: 'right' },
      { title: 'id', value: ({ candidate }) => candidate.id },
      { title: 'score', value: ({ candidate }) => formatFixed(candidate.score, 4), align: 'right' },
      ...(candidates[0]?.seed === undefined ? [] : [seedColumn]),
      ...names.map((name) => ({
        title: name,
        value: ({ candidate }: { candidate: Candidate }) => formatValue(candidate.attributes?.[name]),
      })),
    ],
    candidates.map((candidate, position) => ({ candidate, rank: position + 1 })),
  );
  const short = quality.short === null ? '' : `, short: ${quality.short}`;
  const path = `path ${quality.path}${quality.ef === null ? '' : `, ef ${quality.ef}`}`;
  const end = `${table}\n${candidates.length} candidates, ${path}${short}`;
  return explain === undefined ? end : `${end}\n\n${describeExplain(explain)}`;
}

function formatValue(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
