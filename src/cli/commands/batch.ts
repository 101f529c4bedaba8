import { Command } from 'commander';
import { checkAnswerPath, writeAnswers } from '../../retrieve/library/answer-file.js';
import { availableCores } from '../../base/machine.js';
import { openIndex } from '../../retrieve/library/open-index.js';
import { action, parseTarget, wholeNumber } from '../command.js';
import { formatCount, formatDuration } from '../output/progress.js';
import { readQueryFiles } from '../query-file.js';
import { addSearchFlags, searchOptions, type SearchFlags } from '../search-flags.js';

interface BatchOptions {
  readonly queries: string[];
  readonly out: string;
  readonly vectorColumn?: string;
  readonly threads?: number;
}

export function batchCommand(): Command {
  const command = new Command('batch')
    .argument('<index[@version]>', 'index to search')
    .description('answer a file of queries on all cores and write an Arrow file')
    .requiredOption('--queries <path...>', 'Arrow or Parquet files of query vectors (required)')
    .requiredOption('--out <file>', 'Arrow file to write: query, id, score; one row per candidate (required)')
    .option('--vector-column <name>', 'column of vectors in --queries');
  return addSearchFlags(command, { single: false })
    .option('--threads <n>', 'number of threads (default: all cores)', wholeNumber(1, 1024))
    .action(
      action(async ({ root, progress, signal, warn }, options: BatchOptions & SearchFlags, target: string) => {
        const { index: name, ref } = parseTarget(target);
        await checkAnswerPath(options.out);
        const index = await openIndex(root, name, {
          version: ref,
          threads: options.threads ?? availableCores(),
          signal,
        });
        try {
          const started = performance.now();
          const queries = await readQueryFiles(options.queries, index.manifest, options.vectorColumn, { signal, warn });
          const answers = await index.searchBatch(queries.vectors, {
            ...searchOptions(options),
            signal,
            onProgress: (done, total) => progress.update('batch', done, total, 'queries'),
          });
          const rows = await writeAnswers(options.out, index, answers, signal);
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
