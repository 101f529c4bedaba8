/**
 * Answers as an Arrow IPC file, one row a candidate: `query` (int32, position of the query), `id` (its Arrow type), `score`
 * (float32). Index and version stand in the schema's metadata. The file appears whole or not at all.
 */
import { dirname, join } from 'node:path';
import type { Column, ColumnType } from '../arrow/column.js';
import { ArrowWriter } from '../arrow/writer.js';
import type { IdTable } from '../base/id-table.js';
import { ByteSink } from '../version/byte-sink.js';
import { ShortlistError } from '../base/errors.js';
import { attempt, statIfPresent, temporaryName } from '../version/durable.js';
import { nodeFiles } from '../version/files.js';
import type { Manifest } from '../version/manifest.js';
import type { Answer } from './search.js';

/** Rows of one record batch: some MB, so that readers can stream. */
const BATCH_ROWS = 65_536;

const INT32: ColumnType = { kind: 'int', bits: 32, signed: true };
const FLOAT32: ColumnType = { kind: 'float', bits: 32 };

export interface AnswerSource {
  readonly manifest: Manifest;
  readonly ids: IdTable;
}

/** Finds out before the work whether the file can be. @throws io_error */
export async function checkAnswerPath(path: string): Promise<void> {
  const folder = dirname(path);
  const found = await statIfPresent(folder, nodeFiles);
  if (found?.kind !== 'directory')
    throw new ShortlistError('io_error', `${folder} is not a folder; make it first, or write the answers elsewhere`, {
      file: folder,
    });
  const there = await statIfPresent(path, nodeFiles);
  if (there?.kind === 'directory')
    throw new ShortlistError('io_error', `${path} is a folder; give the name of a file`, { file: path });
}

/** @returns how many candidates were written. @throws io_error, disk_full */
export async function writeAnswers(
  path: string,
  source: AnswerSource,
  answers: readonly Pick<Answer, 'ordinals' | 'scores'>[],
): Promise<number> {
  const temporary = join(dirname(path), temporaryName());
  const sink = await ByteSink.create(temporary, nodeFiles);
  try {
    const rows = await writeRows(sink, source, answers);
    await sink.close();
    await nodeFiles.rename(temporary, path);
    return rows;
  } catch (error) {
    await attempt(sink.abort());
    await attempt(nodeFiles.removeFile(temporary));
    throw error;
  }
}

async function writeRows(
  sink: ByteSink,
  { manifest, ids }: AnswerSource,
  answers: readonly Pick<Answer, 'ordinals' | 'scores'>[],
): Promise<number> {
  const fields = [
    { name: 'query', type: INT32, nullable: false },
    { name: 'id', type: ids.type, nullable: false },
    { name: 'score', type: FLOAT32, nullable: false },
  ];
  const metadata = new Map([['index', manifest.index], ['version', manifest.version]]); // prettier-ignore
  const writer = new ArrowWriter('file', { fields, metadata }, (bytes) => sink.write(bytes));
  let rows = 0;
  for (let from = 0; from < answers.length;) {
    let to = from;
    let batchRows = 0;
    do batchRows += answers[to++]!.ordinals.length;
    while (to < answers.length && batchRows + answers[to]!.ordinals.length <= BATCH_ROWS);
    if (batchRows > 0) await writer.write(columnsOf(ids, answers, from, to, batchRows));
    rows += batchRows;
    from = to;
  }
  await writer.close();
  return rows;
}

function columnsOf(
  ids: IdTable,
  answers: readonly Pick<Answer, 'ordinals' | 'scores'>[],
  from: number,
  to: number,
  rows: number,
): Column[] {
  const queries = new Int32Array(rows);
  const ordinals = new Uint32Array(rows);
  const scores = new Float32Array(rows);
  let row = 0;
  for (let query = from; query < to; query++) {
    const answer = answers[query]!;
    queries.fill(query, row, row + answer.ordinals.length);
    ordinals.set(answer.ordinals, row);
    scores.set(answer.scores, row);
    row += answer.ordinals.length;
  }
  return [
    { shape: 'numbers', type: INT32, rows, valid: null, values: queries },
    ids.column(ordinals),
    { shape: 'numbers', type: FLOAT32, rows, valid: null, values: scores },
  ];
}
