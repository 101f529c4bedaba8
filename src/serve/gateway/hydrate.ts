/**
 * Fetches what candidates show, once per group of servers, and gives it to the writers of answers. The rows of all
 * answers of a request are one table here: an answer's ordinals become positions in it.
 */
import type { Column } from '../../arrow/column.js';
import { gatherRows, type Budget } from '../../arrow/gather.js';
import { openArrowBytes } from '../../arrow/read/reader.js';
import { gatherIds } from '../../base/id-table-parts.js';
import { ShortlistError } from '../../base/errors.js';
import type { ExtraColumn } from '../../retrieve/library/answer-table.js';
import type { Answer } from '../../retrieve/search/answer.js';
import type { AnswerSource } from '../answer/open-answers.js';
import type { ExtraWriter } from '../answer/candidate-text.js';
import { readHydrateAnswer, writeHydrateRequest, type ExtraForm, type HydrateAnswer } from '../fleet/rows-message.js';
import type { TimeSlicer } from '../request/time-slicer.js';
import type { FleetRequest } from './fleet-request.js';
import { STEP_ROWS, type FoundRows, type IdPlaces } from './found-rows.js';

interface Hydrated {
  readonly source: AnswerSource;
  /** The answers, with positions for ordinals. Candidates of servers that did not answer are left out. */
  readonly answers: readonly (Answer | null)[];
}

/** Rows of a group's answer, and what came with them. */
interface Piece extends HydrateAnswer {
  readonly columns: readonly Column[];
  readonly fields: readonly ExtraColumn['field'][];
}

/** The ids came with the candidates. */
export async function withKnownIds(
  request: FleetRequest,
  found: FoundRows,
  answers: readonly (Answer | null)[],
  slicer: TimeSlicer,
): Promise<Hydrated> {
  const places = await slicer.run(found.placesOf(ordinalsOf(answers), countOf(answers)));
  return { source: sourceOf(request, places, []), answers: renumber(answers) };
}

/** @param attributes names that the version has; null for none */
export async function hydrate(
  request: FleetRequest,
  found: FoundRows,
  answers: readonly (Answer | null)[],
  include: { readonly attributes: readonly string[] | null; readonly vectors: boolean },
  form: ExtraForm,
  slicer: TimeSlicer,
): Promise<Hydrated> {
  const { version } = request;
  const wanted = version.groups.map(() => new Map<number, number>());
  await slicer.run(
    eachOrdinal(answers, (ordinal) => {
      const own = wanted[found.groupOf(ordinal)]!;
      if (!own.has(ordinal)) own.set(ordinal, own.size);
    }),
  );
  // An answer without candidates has columns too.
  const needsFields = form === 'arrow' && wanted.every((own) => own.size === 0);
  const fetch = async (own: ReadonlyMap<number, number>, group: number): Promise<Piece | null> => {
    const isWanted = own.size > 0 || (needsFields && group === 0);
    if (!isWanted) return null;
    const body = writeHydrateRequest({ ...include, form, ordinals: Uint32Array.from(own.keys()) });
    const read = (bytes: Buffer) => readHydrateAnswer(bytes, own.size, form, version.idType);
    const answer = await request.askInTime(group, 'hydrate', body, read);
    return answer && { ...answer, ...(await readColumns(answer, form)) };
  };
  const pieces = await Promise.all(wanted.map(fetch));
  const lost = [...pieces.keys()].filter((group) => pieces[group] === null && wanted[group]!.size > 0);
  const lostShards = lost.reduce((sum, group) => sum + version.groups[group]!.shards.length, 0);
  const isThere = (ordinal: number) => pieces[found.groupOf(ordinal)] !== null;
  const kept = lost.length === 0 ? answers : answers.map((answer) => answer && dropLost(answer, isThere, lostShards));
  const present = pieces.filter((piece) => piece !== null);
  const positions = pieces.map((piece) => (piece === null ? -1 : present.indexOf(piece)));
  const count = countOf(kept);
  const places = {
    tables: present.map(({ ids }) => ids),
    pieces: new Uint32Array(count),
    rows: new Uint32Array(count),
  };
  let at = 0;
  await slicer.run(
    eachOrdinal(kept, (ordinal) => {
      const group = found.groupOf(ordinal);
      places.pieces[at] = positions[group]!;
      places.rows[at++] = wanted[group]!.get(ordinal)!;
    }),
  );
  return { source: sourceOf(request, places, present), answers: renumber(kept) };
}

function countOf(answers: readonly (Answer | null)[]): number {
  return answers.reduce((sum, answer) => sum + (answer?.ordinals.length ?? 0), 0);
}

/** May pause after some rows. */
function* eachOrdinal(
  answers: readonly (Answer | null)[],
  use: (ordinal: number) => void,
): Generator<void, void, void> {
  let seen = 0;
  for (const ordinal of ordinalsOf(answers)) {
    use(ordinal);
    if (++seen % STEP_ROWS === 0) yield;
  }
}

function* ordinalsOf(answers: readonly (Answer | null)[]): Generator<number, void, undefined> {
  for (const answer of answers) if (answer !== null) yield* answer.ordinals;
}

/** The k-th candidate of all answers has the ordinal k. */
function renumber(answers: readonly (Answer | null)[]): (Answer | null)[] {
  let next = 0;
  return answers.map((answer) => answer && { ...answer, ordinals: answer.ordinals.map(() => next++) });
}

/** Without candidates whose data is lost, as if their servers had not answered the search. */
function dropLost(answer: Answer, isThere: (ordinal: number) => boolean, lostShards: number): Answer {
  const kept = [...answer.ordinals.keys()].filter((i) => isThere(answer.ordinals[i]!));
  const { ordinals, scores, seeds, seedScores } = answer;
  const { total, answered } = answer.quality.shards;
  return {
    ...answer,
    ordinals: Uint32Array.from(kept, (i) => ordinals[i]!),
    scores: Float32Array.from(kept, (i) => scores[i]!),
    ...(seeds && { seeds: Uint8Array.from(kept, (i) => seeds[i]!) }),
    ...(seedScores && { seedScores: Float32Array.from(kept, (i) => seedScores[i]!) }),
    quality: { ...answer.quality, shards: { total, answered: Math.max(0, answered - lostShards) }, short: 'timeout' },
  };
}

async function readColumns({ extras }: HydrateAnswer, form: ExtraForm): Promise<Pick<Piece, 'columns' | 'fields'>> {
  if (form !== 'arrow') return { columns: [], fields: [] };
  const reader = await openArrowBytes("a server's answer", extras);
  try {
    const { fields } = reader;
    const chunks: Column[][] = fields.map(() => []);
    for await (const chunk of reader.read(fields.map((_, position) => position)))
      chunk.columns.forEach((column, position) => chunks[position]!.push(column));
    return { fields, columns: chunks.flatMap((parts) => (parts.length === 0 ? [] : [joinColumns(parts)])) };
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
    throw new ShortlistError('internal', error.message, {}, { cause: error });
  } finally {
    await reader.close();
  }
}

function joinColumns(parts: readonly Column[]): Column {
  if (parts.length === 1) return parts[0]!;
  const pieces = Uint32Array.from(parts.flatMap(({ rows }, piece) => new Array<number>(rows).fill(piece)));
  const rows = Uint32Array.from(parts.flatMap(({ rows: count }) => Array.from({ length: count }, (_, row) => row)));
  return gatherRows(parts, { pieces, rows });
}

function sourceOf({ version }: FleetRequest, places: IdPlaces, pieces: readonly Piece[]): AnswerSource {
  const { tables, rows } = places;
  const write: ExtraWriter = (position, out) => {
    const { extras, ends } = pieces[places.pieces[position]!]!;
    const row = rows[position]!;
    out.append(extras, row === 0 ? 0 : ends[row - 1]!, ends[row]!);
  };
  const columns = (budget: Budget): ExtraColumn[] =>
    (pieces[0]?.fields ?? []).map((field, i) => ({
      field,
      gather: (positions) => {
        const picked = {
          pieces: positions.map((position) => places.pieces[position]!),
          rows: positions.map((position) => rows[position]!),
        };
        return gatherRows(
          pieces.map((piece) => piece.columns[i]!),
          picked,
          budget,
        );
      },
    }));
  return {
    manifest: version.manifest,
    ids: gatherIds(version.idType, tables, places.pieces, rows),
    texts: () => (pieces.length === 0 ? [] : [write]),
    columns,
  };
}
