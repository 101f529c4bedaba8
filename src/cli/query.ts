import { Command, Option } from 'commander';
import { ShortlistError } from '../base/errors.js';
import { shortestFloat32 } from '../base/float32.js';
import { DEFAULT_K, MAX_EF, MAX_K } from '../base/limits.js';
import { openIndex, type OpenIndex, type SearchAnswer } from '../retrieve/open-index.js';
import { action, numberBetween, parseTarget, wholeNumber } from './command.js';
import { readQueryFiles } from './query-file.js';
import { formatTable } from './table.js';

interface QueryOptions {
  readonly vector?: string;
  readonly id?: string;
  readonly queries?: string;
  readonly vectorColumn?: string;
  readonly k: number;
  readonly ef?: number;
  readonly targetRecall?: number;
  readonly exact?: boolean;
  readonly exclude?: string[];
  readonly minScore?: number;
  readonly attributes?: string;
}

export function queryCommand(): Command {
  return new Command('query')
    .argument('<index[@version]>', 'index to search')
    .description('search from the shell with the engine that the server uses')
    .option('--vector <json>', 'query vector as a JSON list')
    .option('--id <id>', 'search for the neighbours of this item')
    .option('--queries <path>', 'Arrow file of query vectors; every one is searched')
    .option('--vector-column <name>', 'column of vectors in --queries')
    .option('-k <n>', 'candidates to return', wholeNumber(1, MAX_K), DEFAULT_K)
    .option(
      '--ef <n>',
      'size of the candidate list (default: as calibrated, else max(200, 2k))',
      wholeNumber(1, MAX_EF),
    )
    .addOption(
      new Option('--target-recall <r>', 'recall@k to reach; the calibration says with which ef')
        .argParser(numberBetween(0, 1))
        .conflicts('ef'),
    )
    .addOption(
      new Option('--exact', 'scan every vector instead of searching the graph').conflicts(['ef', 'targetRecall']),
    )
    .option('--exclude <id...>', 'ids that must not come back')
    .option('--min-score <s>', 'least score that may come back', numberBetween(-Infinity, Infinity))
    .option('--attributes <names>', 'attributes to show: a,b or all')
    .action(
      action(async (context, options: QueryOptions, target: string) => {
        const { root } = context;
        const { index: name, ref } = parseTarget(target);
        const sources = [options.vector, options.id, options.queries].filter((source) => source !== undefined);
        if (sources.length !== 1)
          throw new ShortlistError('usage', 'give one of --vector, --id and --queries; see shortlist query --help');
        const index = await openIndex(root, name, { version: ref });
        try {
          for (const id of options.exclude ?? []) {
            if (index.ids.find(id) < 0)
              context.warn(`--exclude ${id}: there is no such item; ids are given one by one, with spaces between`);
          }
          const started = performance.now();
          const answers = await answer(index, options);
          const tookMs = Math.round((performance.now() - started) * 1000) / 1000;
          const names = attributeNames(index, options.attributes);
          const results = answers.map((found) => ({
            candidates: candidates(index, found, names),
            quality: found.quality,
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

async function answer(index: OpenIndex, options: QueryOptions): Promise<SearchAnswer[]> {
  const search = {
    k: options.k,
    ef: options.ef,
    targetRecall: options.targetRecall,
    exact: options.exact,
    excludeIds: options.exclude,
    minScore: options.minScore,
  };
  if (options.id !== undefined) return [index.searchById(options.id, search)];
  if (options.vector !== undefined) return [index.search(parseVector(options.vector), search)];
  const { vectors } = await readQueryFiles([options.queries!], index.manifest, options.vectorColumn);
  return index.searchBatch(vectors, search);
}

function parseVector(text: string): Float32Array {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ShortlistError('bad_json', '--vector is not valid JSON; give a list such as [0.1, 0.2]', {}, { cause });
  }
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'number')) {
    throw new ShortlistError('bad_vector', '--vector is not a list of numbers; give a list such as [0.1, 0.2]');
  }
  return Float32Array.from(value);
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
  readonly attributes?: Record<string, unknown>;
}

function candidates(index: OpenIndex, found: SearchAnswer, names: string[]): Candidate[] {
  return found.ids.map((id, position) => ({
    id,
    score: shortestFloat32(found.scores[position]!),
    ...(names.length > 0 && { attributes: index.attributes(id, names) }),
  }));
}

function describe(
  { candidates, quality }: { candidates: Candidate[]; quality: SearchAnswer['quality'] },
  names: string[],
): string {
  const table = formatTable<{ candidate: Candidate; rank: number }>(
    [
      { title: '#', value: ({ rank }) => String(rank), align: 'right' },
      { title: 'id', value: ({ candidate }) => candidate.id },
      { title: 'score', value: ({ candidate }) => candidate.score.toFixed(4), align: 'right' },
      ...names.map((name) => ({
        title: name,
        value: ({ candidate }: { candidate: Candidate }) => formatValue(candidate.attributes?.[name]),
      })),
    ],
    candidates.map((candidate, position) => ({ candidate, rank: position + 1 })),
  );
  const short = quality.short === null ? '' : `, short: ${quality.short}`;
  return `${table}\n${candidates.length} candidates, path ${quality.path}${quality.ef === null ? '' : `, ef ${quality.ef}`}${short}`;
}

function formatValue(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
