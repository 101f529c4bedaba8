import { Command, Option } from 'commander';
import { checkAnswerPath, writeAnswers } from '../retrieve/answer-file.js';
import { availableCores } from '../base/machine.js';
import { DEFAULT_K, MAX_EF, MAX_K } from '../base/limits.js';
import { openIndex } from '../retrieve/open-index.js';
import { action, numberBetween, parseTarget, wholeNumber } from './command.js';
import { formatCount, formatDuration } from './progress.js';
import { readQueryFiles } from './query-file.js';

interface BatchOptions {
  readonly queries: string[];
  readonly out: string;
  readonly vectorColumn?: string;
  readonly k: number;
  readonly ef?: number;
  readonly targetRecall?: number;
  readonly exact?: boolean;
  readonly minScore?: number;
  readonly threads?: number;
}

export function batchCommand(): Command {
  return new Command('batch')
    .argument('<index[@version]>', 'index to search')
    .description('answer a whole file of queries on all cores, into an Arrow file')
    .requiredOption('--queries <path...>', 'Arrow files of query vectors')
    .requiredOption('--out <file>', 'Arrow file to write: query, id, score; one row a candidate')
    .option('--vector-column <name>', 'column of vectors in --queries')
    .option('-k <n>', 'candidates for each query', wholeNumber(1, MAX_K), DEFAULT_K)
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
    .option('--min-score <s>', 'least score that may come back', numberBetween(-Infinity, Infinity))
    .option('--threads <n>', 'threads (default: all cores)', wholeNumber(1, 1024))
    .action(
      action(async ({ root, progress }, options: BatchOptions, target: string) => {
        const { index: name, ref } = parseTarget(target);
        await checkAnswerPath(options.out);
        const index = await openIndex(root, name, { version: ref, threads: options.threads ?? availableCores() });
        try {
          const started = performance.now();
          const queries = await readQueryFiles(options.queries, index.manifest, options.vectorColumn);
          const answers = await index.searchBatch(queries.vectors, {
            k: options.k,
            ef: options.ef,
            targetRecall: options.targetRecall,
            exact: options.exact,
            minScore: options.minScore,
            onProgress: (done, total) => progress.update('batch', done, total, 'queries'),
          });
          const rows = await writeAnswers(options.out, index, answers);
          const seconds = (performance.now() - started) / 1000;
          const json = {
            index: name,
            version: index.manifest.version,
            queries: queries.count,
            candidates: rows,
            seconds,
            out: options.out,
          };
          const text = `${formatCount(queries.count)} queries, ${formatCount(rows)} candidates in ${formatDuration(seconds)}: ${options.out}`;
          return { json, text };
        } finally {
          await index.close();
        }
      }),
    );
}
