import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { ArrowWriter } from '../../arrow/write/writer.js';
import { ShortlistError, ioError } from '../../base/errors.js';
import { availableCores } from '../../base/machine.js';
import { planQueries, streamFiles, streamPipe, vectorReader, type QueryFiles, type QueryStreamOptions } from '../../ingest/query-stream.js'; // prettier-ignore
import { seedReader, type SeedColumns, type SeedRow } from '../../ingest/seed-rows.js';
import { AnswerFile, checkAnswerPath, partialPath } from '../../retrieve/library/answer-file.js';
import type { PackedAnswers } from '../../retrieve/library/packed-answers.js';
import { AnswerTable, BATCH_ROWS } from '../../retrieve/library/answer-table.js';
import {
  openIndex,
  type BatchSearchOptions,
  type IndexSearchOptions,
  type OpenIndex,
} from '../../retrieve/library/open-index.js';
import { DEFAULT_K } from '../../base/limits.js';
import { action, parseTarget, wholeNumber, type CommandContext } from '../command.js';
import { formatDuration, formatPlural } from '../output/progress.js';
import { partOf } from '../query-part.js';
import { addSearchFlags, searchOptions, type SearchFlags } from '../search-flags.js';

interface BatchOptions {
  readonly queries: string[];
  readonly out: string;
  readonly vectorColumn?: string;
  readonly seedColumn?: string;
  readonly weightColumn?: string;
  readonly quotaColumn?: string;
  readonly threads?: number;
  readonly part?: string;
}

/** Stands for stdin and stdout. */
const PIPE = '-';

const HELP = `
A run that was killed or interrupted goes on where it was if it is started again
with the same options. Until the file is complete it is FILE.partial.`;

export function batchCommand(): Command {
  const command = new Command('batch')
    .argument('<index[@version]>', 'index to search')
    .description('answer a file of queries on all cores and write an Arrow file')
    .requiredOption(
      '--queries <path...>',
      'files of query vectors, in any format that build --input takes, or - for an Arrow stream on stdin (required)',
    ) // prettier-ignore
    .requiredOption(
      '--out <file>',
      'Arrow file to write, or - for an Arrow stream on stdout: query, id, score; one row per candidate (required)',
    ) // prettier-ignore
    .option('--vector-column <name>', 'column of vectors in --queries')
    .option(
      '--seed-column <name>',
      'column of lists of ids in --queries: each row is one search with these items as seeds',
    )
    .option('--weight-column <name>', 'with --seed-column: column of lists of weights, one for each id')
    .option('--quota-column <name>', 'with --seed-column: column of lists of quotas, one for each id');
  return addSearchFlags(command, { single: false })
    .option('--part <i/n>', 'answer only part i of n, from 0, such as 0/8; auto/8: the number of the array task')
    .option('--threads <n>', 'number of threads (default: all cores)', wholeNumber(1, 1024))
    .addHelpText('after', HELP)
    .action(
      action(async (context, options: BatchOptions & SearchFlags, target: string) => {
        const { root, json, signal } = context;
        context.refuseWith(['vectorColumn'], 'seedColumn');
        context.refuseWithout(['weightColumn', 'quotaColumn'], 'seedColumn');
        const { out } = options;
        const { index: name, ref } = parseTarget(target);
        if (out === PIPE && json) throw new ShortlistError('usage', '--out - and --json would both write to stdout; give --out a file'); // prettier-ignore
        if (out !== PIPE) await checkAnswerPath(out);
        const threads = options.threads ?? availableCores();
        const index = await openIndex(root, name, { version: ref, threads, signal });
        try {
          const started = performance.now();
          const { queries, rows, warnings } = await new BatchRun(context, index, options).run();
          const seconds = (performance.now() - started) / 1000;
          const text = `${formatPlural(queries, 'query', 'queries')}, ${formatPlural(rows, 'candidate')} in ${formatDuration(seconds)}: ${out === PIPE ? 'stdout' : out}`; // prettier-ignore
          if (out === PIPE) {
            context.note(text);
            return null;
          }
          const { version } = index.manifest;
          return { json: { index: name, version, queries, candidates: rows, seconds, out, warnings }, text };
        } finally {
          await index.close();
        }
      }),
    );
}

interface Written {
  readonly queries: number;
  readonly rows: number;
}

interface BatchResult extends Written {
  /** About queries that may be incomplete. */
  readonly warnings: readonly string[];
}

type Answers = AsyncIterable<readonly PackedAnswers[]>;

/** How rows of query files become queries, and how these are answered. */
interface BatchKind<T> {
  readonly start: Parameters<typeof streamFiles<T>>[1];
  readonly answers: (blocks: AsyncIterable<T>, options: BatchSearchOptions) => Answers;
}

class BatchRun {
  private readonly table: AnswerTable;
  private readonly search: IndexSearchOptions;
  /** Columns of seeds; null: the queries are vectors. */
  private readonly seeds: SeedColumns | null;
  private unknownIds = 0;
  /** Queries of a record batch: it has at most as many rows as other record batches. */
  private readonly group: number;
  private readonly warnings: string[] = [];

  constructor(
    private readonly context: CommandContext,
    private readonly index: OpenIndex,
    private readonly options: BatchOptions & SearchFlags,
  ) {
    const { seedColumn: ids, weightColumn: weights, quotaColumn: quotas } = options;
    this.seeds = ids === undefined ? null : { ids, weights, quotas };
    this.table = new AnswerTable(index, [], this.seeds !== null);
    this.search = searchOptions(options);
    this.group = Math.max(1, Math.floor(BATCH_ROWS / (this.search.k ?? DEFAULT_K)));
  }

  async run(): Promise<BatchResult> {
    const { seedColumn } = this.options;
    const written = seedColumn === undefined ? await this.write(this.vectors()) : await this.write(this.itemSeeds());
    if (this.unknownIds > 0) this.warn(`${formatPlural(this.unknownIds, 'id')} of seeds ${this.unknownIds === 1 ? 'is' : 'are'} not in the index and were left out`); // prettier-ignore
    return { ...written, warnings: this.warnings };
  }

  private vectors(): BatchKind<Float32Array> {
    const { dim, metric, vector } = this.index.manifest;
    const { vectorColumn } = this.options;
    return {
      start: vectorReader({ vectorColumn, preferredColumn: vector.column, dim, metric }),
      answers: (blocks, options) => this.index.searchStream(blocks, this.group, options),
    };
  }

  private itemSeeds(): BatchKind<SeedRow[][]> {
    return {
      start: seedReader(this.seeds!),
      answers: (blocks, options) =>
        this.index.searchSeedStream(blocks, this.group, options, (ids) => (this.unknownIds += ids)),
    };
  }

  private async write<T>(kind: BatchKind<T>): Promise<Written> {
    const { queries, out, part, vectorColumn } = this.options;
    if (queries.includes(PIPE)) {
      if (queries.length > 1 || part !== undefined)
        throw new ShortlistError('usage', '--queries - stands for all queries, without other files and without --part');
      const answers = this.answer(kind, streamPipe('stdin', readStdin(), kind.start, this.streamOptions(0, Infinity)));
      return out === PIPE ? this.toPipe(answers, 0, null) : this.toNewFile(answers);
    }
    const files = await planQueries(queries, vectorColumn);
    for (const warning of files.warnings) this.warn(warning);
    const { from, to } = part === undefined ? { from: 0, to: files.queries } : partOf(part, files.queries);
    const answersFrom = (first: number): Answers => this.answer(kind, streamFiles(files, kind.start, this.streamOptions(first, to))); // prettier-ignore
    return out === PIPE ? this.toPipe(answersFrom(from), from, to - from) : this.toFile(files, from, to, answersFrom);
  }

  private streamOptions(from: number, to: number): QueryStreamOptions {
    const { vectorColumn } = this.options;
    return { vectorColumn, from, to, signal: this.context.signal, onWarning: (message) => this.warn(message) };
  }

  private answer<T>(kind: BatchKind<T>, blocks: AsyncIterable<T>): Answers {
    return kind.answers(blocks, { ...this.search, signal: this.context.signal });
  }

  private warn(message: string): void {
    this.warnings.push(message);
    this.context.warn(message);
  }

  /** Continues what an earlier run with the same request has begun. */
  private async toFile(
    files: QueryFiles,
    from: number,
    to: number,
    answersFrom: (first: number) => Answers,
  ): Promise<Written> {
    const { out } = this.options;
    if (files.files.some(({ path }) => resolve(path) === resolve(out))) throw new ShortlistError('usage', `--out ${out} is a file of --queries; give another one`); // prettier-ignore
    const request = await this.requestOf(files, from, to);
    const { signal, progress, warn } = this.context;
    const file = await AnswerFile.open(out, this.table, request, {
      signal,
      onWarning: warn,
      onProgress: (done, total) => progress.update('check', done, total, 'bytes'),
    });
    const before = file.progress;
    if (before.queries > 0) this.context.note(`continuing ${partialPath(this.options.out)} after ${formatPlural(before.queries, 'query', 'queries')}`); // prettier-ignore
    return this.fill(file, answersFrom(from + before.queries), from, to - from);
  }

  /** What comes through a pipe cannot be read again, so that nothing is continued. */
  private async toNewFile(answers: Answers): Promise<Written> {
    const file = await AnswerFile.open(this.options.out, this.table, { pipe: process.pid, at: Date.now() });
    return this.fill(file, answers, 0, null);
  }

  private async fill(file: AnswerFile, answers: Answers, from: number, total: number | null): Promise<Written> {
    try {
      await this.eachGroup(answers, from + file.progress.queries, async (packed, first, count) => {
        await file.write(this.table.packedBatch(packed, first), count);
        this.report(file.progress.queries, total);
      });
      await file.finish();
      return file.progress;
    } catch (error) {
      await (this.context.signal.aborted && total !== null ? file.suspend() : file.discard());
      throw error;
    }
  }

  private async toPipe(answers: Answers, from: number, total: number | null): Promise<Written> {
    const schema = { fields: this.table.fields, metadata: new Map(this.table.metadata) };
    const writer = new ArrowWriter('stream', schema, writeStdout);
    let written: Written = { queries: 0, rows: 0 };
    await this.eachGroup(answers, from, async (packed, first, count) => {
      const columns = this.table.packedBatch(packed, first);
      if (columns[0]!.rows > 0) await writer.write(columns);
      written = { queries: written.queries + count, rows: written.rows + columns[0]!.rows };
      this.report(written.queries, total);
    });
    await writer.close();
    return written;
  }

  private async eachGroup(
    answers: Answers,
    from: number,
    write: (packed: readonly PackedAnswers[], first: number, count: number) => Promise<void>,
  ): Promise<void> {
    let first = from;
    for await (const packed of answers) {
      const count = packed.reduce((sum, { counts }) => sum + counts.length, 0);
      await write(packed, first, count);
      first += count;
    }
  }

  private report(done: number, total: number | null): void {
    this.context.progress.update('batch', done, total, 'queries');
  }

  /** All that decides the answers. */
  private async requestOf(files: QueryFiles, from: number, to: number): Promise<unknown> {
    const stamps = await Promise.all(files.files.map(async ({ path, rows }) => {
      const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true }).catch((error: unknown) => { throw ioError('read', path, error); });
      return { path, rows, stamp: [size, mtimeNs, ctimeNs, ino].join(':') };
    })); // prettier-ignore
    const { content, version } = this.index.manifest;
    return {
      content,
      version,
      search: this.search,
      column: this.options.vectorColumn ?? null,
      ...(this.seeds !== null && { seeds: this.seeds }),
      files: stamps,
      from,
      to,
    };
  }
}

async function* readStdin(): AsyncGenerator<Uint8Array> {
  for await (const chunk of process.stdin) yield chunk as Buffer;
}

/** Waits until the reader has taken the bytes. */
function writeStdout(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(ioError('write', 'stdout', error)) : resolve()));
  });
}
