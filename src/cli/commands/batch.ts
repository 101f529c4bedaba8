import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { ArrowWriter } from '../../arrow/write/writer.js';
import { ShortlistError, ioError } from '../../base/errors.js';
import { availableCores } from '../../base/machine.js';
import { planQueries, streamFiles, streamPipe, type QueryFiles, type QueryStreamOptions } from '../../ingest/query-stream.js'; // prettier-ignore
import { AnswerFile, checkAnswerPath, partialPath } from '../../retrieve/library/answer-file.js';
import { AnswerTable, BATCH_ROWS } from '../../retrieve/library/answer-table.js';
import { openIndex, type IndexSearchOptions, type OpenIndex } from '../../retrieve/library/open-index.js';
import { DEFAULT_K } from '../../base/limits.js';
import { action, parseTarget, wholeNumber, type CommandContext } from '../command.js';
import { formatDuration, formatPlural } from '../output/progress.js';
import { partOf } from '../query-part.js';
import { addSearchFlags, searchOptions, type SearchFlags } from '../search-flags.js';

interface BatchOptions {
  readonly queries: string[];
  readonly out: string;
  readonly vectorColumn?: string;
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
    .option('--vector-column <name>', 'column of vectors in --queries');
  return addSearchFlags(command, { single: false })
    .option('--part <i/n>', 'answer only part i of n, from 0, such as 0/8; auto/8: the number of the array task')
    .option('--threads <n>', 'number of threads (default: all cores)', wholeNumber(1, 1024))
    .addHelpText('after', HELP)
    .action(
      action(async (context, options: BatchOptions & SearchFlags, target: string) => {
        const { root, json, signal } = context;
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

class BatchRun {
  private readonly table: AnswerTable;
  private readonly search: IndexSearchOptions;
  /** Queries of a record batch: it has at most as many rows as other record batches. */
  private readonly group: number;
  private readonly warnings: string[] = [];

  constructor(
    private readonly context: CommandContext,
    private readonly index: OpenIndex,
    private readonly options: BatchOptions & SearchFlags,
  ) {
    this.table = new AnswerTable(index);
    this.search = searchOptions(options);
    this.group = Math.max(1, Math.floor(BATCH_ROWS / (this.search.k ?? DEFAULT_K)));
  }

  async run(): Promise<BatchResult> {
    return { ...(await this.write()), warnings: this.warnings };
  }

  private async write(): Promise<Written> {
    const { queries, out, part } = this.options;
    if (queries.includes(PIPE)) {
      if (queries.length > 1 || part !== undefined)
        throw new ShortlistError('usage', '--queries - stands for all queries, without other files and without --part');
      const blocks = streamPipe('stdin', readStdin(), this.streamOptions(0, Infinity));
      return out === PIPE ? this.toPipe(blocks, 0, null) : this.toNewFile(blocks);
    }
    const files = await planQueries(queries, this.options.vectorColumn);
    for (const warning of files.warnings) this.warn(warning);
    const { from, to } = part === undefined ? { from: 0, to: files.queries } : partOf(part, files.queries);
    if (out === PIPE) return this.toPipe(streamFiles(files, this.streamOptions(from, to)), from, to - from);
    return this.toFile(files, from, to);
  }

  private streamOptions(from: number, to: number): QueryStreamOptions {
    const { dim, metric, vector } = this.index.manifest;
    const { signal } = this.context;
    return {
      vectorColumn: this.options.vectorColumn,
      preferredColumn: vector.column,
      dim,
      metric,
      from,
      to,
      signal,
      onWarning: (message) => this.warn(message),
    };
  }

  private warn(message: string): void {
    this.warnings.push(message);
    this.context.warn(message);
  }

  /** Continues what an earlier run with the same request has begun. */
  private async toFile(files: QueryFiles, from: number, to: number): Promise<Written> {
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
    const blocks = streamFiles(files, this.streamOptions(from + before.queries, to));
    return this.fill(file, blocks, from, to - from);
  }

  /** What comes through a pipe cannot be read again, so that nothing is continued. */
  private async toNewFile(blocks: AsyncIterable<Float32Array>): Promise<Written> {
    const file = await AnswerFile.open(this.options.out, this.table, { pipe: process.pid, at: Date.now() });
    return this.fill(file, blocks, 0, null);
  }

  private async fill(
    file: AnswerFile,
    blocks: AsyncIterable<Float32Array>,
    from: number,
    total: number | null,
  ): Promise<Written> {
    try {
      await this.answer(blocks, from + file.progress.queries, async (packed, first, count) => {
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

  private async toPipe(blocks: AsyncIterable<Float32Array>, from: number, total: number | null): Promise<Written> {
    const schema = { fields: this.table.fields, metadata: new Map(this.table.metadata) };
    const writer = new ArrowWriter('stream', schema, writeStdout);
    let written: Written = { queries: 0, rows: 0 };
    await this.answer(blocks, from, async (packed, first, count) => {
      const columns = this.table.packedBatch(packed, first);
      if (columns[0]!.rows > 0) await writer.write(columns);
      written = { queries: written.queries + count, rows: written.rows + columns[0]!.rows };
      this.report(written.queries, total);
    });
    await writer.close();
    return written;
  }

  private async answer(
    blocks: AsyncIterable<Float32Array>,
    from: number,
    write: (packed: Parameters<AnswerTable['packedBatch']>[0], first: number, count: number) => Promise<void>,
  ): Promise<void> {
    let first = from;
    for await (const packed of this.index.searchStream(blocks, this.group, { ...this.search, signal: this.context.signal })) {
      const count = packed.reduce((sum, { counts }) => sum + counts.length, 0);
      await write(packed, first, count);
      first += count;
    }
  } // prettier-ignore

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
