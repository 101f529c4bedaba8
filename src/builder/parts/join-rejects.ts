/** The bad rows of all parts, in the order of the input: their numbers, their report, and their lines. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BadRowTally, type BadRow, type BadRows } from '../../ingest/bad-rows.js';
import type { IngestPlan } from '../../ingest/plan.js';
import { closing } from '../../version/disk/durable.js';
import type { FileSystem } from '../../version/disk/files.js';
import { fileCorrupt } from '../../version/disk/section-file.js';
import type { RejectsFile } from '../rejects-file.js';
import { REJECTED_FILE, REJECTS_FILE } from './part-folder.js';

/** Numbers of the bad rows of all parts, ascending. @param folders of the parts */
export async function readRejected(folders: readonly string[], files: FileSystem): Promise<Uint32Array> {
  const lists = await Promise.all(folders.map((folder) => readNumbers(folder, files)));
  const all = new Uint32Array(lists.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const list of lists) {
    all.set(list, at);
    at += list.length;
  }
  return all.sort();
}

async function readNumbers(folder: string, files: FileSystem): Promise<Uint32Array> {
  const path = join(folder, REJECTED_FILE);
  const file = await files.open(path, 'read');
  return closing(file, async () => {
    const { bytes } = await file.stat();
    const numbers = new Uint32Array(Math.floor(bytes / 4));
    if ((await file.read(new Uint8Array(numbers.buffer), 0)) === bytes) return numbers;
    throw fileCorrupt(path, 'is shorter than it was');
  });
}

/** One report, with the first rows of each kind as a build of all shards would show them. */
export function joinBadRows(parts: readonly BadRows[], plan: Pick<IngestPlan, 'files'>): BadRows {
  const place = placeOf(plan);
  const tally = new BadRowTally();
  const kinds = parts.flatMap(({ kinds: own }) => own);
  for (const kind of new Set(kinds.map((entry) => entry.kind))) {
    const own = kinds.filter((entry) => entry.kind === kind);
    const shown = own.flatMap((entry) => entry.shown).sort((a, b) => place(a) - place(b));
    const count = own.reduce((sum, entry) => sum + entry.count, 0);
    for (let i = 0; i < count; i++) tally.add(kind, () => shown[i]!);
  }
  return tally.snapshot();
}

/** Writes the lines of all parts into one file, in the order of the input. @param folders of the parts */
export async function mergeRejects(folders: readonly string[], rejects: RejectsFile, files: FileSystem): Promise<void> {
  const open: AsyncIterator<Line, void>[] = [];
  for (const folder of folders) open.push(linesOf(folder, await readNumbers(folder, files)));
  const heads = await Promise.all(open.map((lines) => lines.next()));
  for (;;) {
    const numbers = heads.map((head) => (head.done === true ? Infinity : head.value.number));
    const least = Math.min(...numbers);
    if (least === Infinity) return;
    const first = numbers.indexOf(least);
    await rejects.write(`${(heads[first]!.value as Line).text}\n`);
    heads[first] = await open[first]!.next();
  }
}

interface Line {
  /** Of the row. */
  readonly number: number;
  readonly text: string;
}

/** A part has its lines in the order of its numbers. */
async function* linesOf(folder: string, numbers: Uint32Array): AsyncGenerator<Line, void, undefined> {
  let at = 0;
  for await (const text of createInterface({
    input: createReadStream(join(folder, REJECTS_FILE)),
    crlfDelay: Infinity,
  })) {
    yield { number: numbers[at++]!, text };
  }
}

/** The number of a row in the whole input. A path that the input has twice counts as its first place. */
function placeOf({ files }: Pick<IngestPlan, 'files'>): (row: Pick<BadRow, 'file' | 'row'>) => number {
  const starts = new Map<string, number>();
  let rows = 0;
  for (const file of files) {
    if (!starts.has(file.path)) starts.set(file.path, rows);
    rows += file.rows;
  }
  return ({ file, row }) => (starts.get(file) ?? 0) + row;
}
