/**
 * Writes answers to an Arrow IPC file (answer-table.ts) with index and version in the schema's metadata. The file
 * appears whole or not at all.
 */
import { dirname, join } from 'node:path';
import { ArrowWriter } from '../../arrow/write/writer.js';
import { ByteSink } from '../../version/disk/byte-sink.js';
import { ShortlistError } from '../../base/errors.js';
import { attempt, statIfPresent, temporaryName } from '../../version/disk/durable.js';
import { nodeFiles } from '../../version/disk/files.js';
import type { Candidates } from '../search/answer.js';
import { AnswerTable, type AnswerSource } from './answer-table.js';

/** Checks before the search that the file can be written. @throws io_error */
export async function checkAnswerPath(path: string): Promise<void> {
  const folder = dirname(path);
  const found = await statIfPresent(folder, nodeFiles);
  if (found?.kind !== 'directory')
    throw new ShortlistError('io_error', `${folder} is not a folder; create it, or write the answers elsewhere`, {
      file: folder,
    });
  const there = await statIfPresent(path, nodeFiles);
  if (there?.kind === 'directory')
    throw new ShortlistError('io_error', `${path} is a folder; give the path of a file`, { file: path });
}

/** @returns the number of candidates written. @throws io_error, disk_full; the signal's reason when it is aborted */
export async function writeAnswers(
  path: string,
  source: AnswerSource,
  answers: readonly Candidates[],
  signal?: AbortSignal,
): Promise<number> {
  const temporary = join(dirname(path), temporaryName());
  const sink = await ByteSink.create(temporary, nodeFiles);
  try {
    const rows = await writeRows(sink, source, answers, signal);
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
  source: AnswerSource,
  answers: readonly Candidates[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const table = new AnswerTable(source);
  const schema = { fields: table.fields, metadata: new Map(table.metadata) };
  const writer = new ArrowWriter('file', schema, (bytes) => sink.write(bytes));
  let rows = 0;
  for (const columns of table.batches(answers)) {
    signal?.throwIfAborted();
    await writer.write(columns);
    rows += columns[0]!.rows;
  }
  await writer.close();
  return rows;
}
