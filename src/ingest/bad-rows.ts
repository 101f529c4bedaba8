/** The ways in which rows can be bad, counted and shown. */
import { ShortlistError } from '../base/errors.js';
import { SHOWN_BAD_ROWS } from '../base/limits.js';

/** Each kind and its meaning. A row counts once, under the first kind that applies; `duplicate_id` is checked last. */
const BAD_ROW_KINDS = {
  null_id: 'the id is null',
  bad_id: 'the id is empty or too long',
  null_vector: 'the vector, or a component of it, is null',
  wrong_length: 'the vector has another number of components than the others',
  not_finite: 'a component is NaN or infinite as float32',
  out_of_range: 'a component is larger than 1e18 in magnitude',
  zero_vector: 'all components are zero, so the vector has no direction',
  duplicate_id: 'an earlier row has the same id',
} as const;

export type BadRowKind = keyof typeof BAD_ROW_KINDS;

export interface BadRow {
  readonly file: string;
  /** Position in the file, from 0. */
  readonly row: number;
  /** Canonical text, cut at the longest length that an id may have; null if there is none. */
  readonly id: string | null;
  readonly kind: BadRowKind;
  readonly detail: string;
}

export interface BadRows {
  readonly total: number;
  /** The kinds that occurred, in the order of BAD_ROW_KINDS. */
  readonly kinds: readonly { readonly kind: BadRowKind; readonly count: number; readonly shown: readonly BadRow[] }[];
}

/** Counts bad rows and keeps the first of each kind. */
export class BadRowTally {
  private readonly kinds = new Map<BadRowKind, { count: number; shown: BadRow[] }>();
  total = 0;

  /** @param describe called only if the row will be shown */
  add(kind: BadRowKind, describe: () => BadRow): void {
    let entry = this.kinds.get(kind);
    if (entry === undefined) this.kinds.set(kind, (entry = { count: 0, shown: [] }));
    this.total++;
    entry.count++;
    if (entry.shown.length < SHOWN_BAD_ROWS) entry.shown.push(describe());
  }

  snapshot(): BadRows {
    const kinds = (Object.keys(BAD_ROW_KINDS) as BadRowKind[]).flatMap((kind) => {
      const entry = this.kinds.get(kind);
      return entry === undefined ? [] : [{ kind, count: entry.count, shown: [...entry.shown] }];
    });
    return { total: this.total, kinds };
  }
}

export function countBadRows(bad: BadRows, kind: BadRowKind): number {
  return bad.kinds.find((entry) => entry.kind === kind)?.count ?? 0;
}

/**
 * The error that refuses an input. Its details have `rows`, the number of rows read, and `bad_rows`, a BadRows.
 * @param advice the end of the sentence
 */
export function badRowsError(bad: BadRows, rows: number, advice: string): ShortlistError {
  const counts = bad.kinds.map(({ kind, count }) => `${kind} ${formatCount(count)}`).join(', ');
  const first = bad.kinds[0]!.shown[0]!;
  const example = `${first.file} row ${first.row}, ${formatId(first.id)}: ${first.detail}`;
  const share = bad.total / rows < 0.0005 ? 'under 0.1' : (100 * (bad.total / rows)).toFixed(1);
  const message = `${formatCount(bad.total)} of ${formatCount(rows)} rows (${share} %) are bad (${counts}), such as ${example}; ${advice}`;
  return new ShortlistError('bad_rows', message, { rows, bad_rows: bad });
}

/** The bad rows of a `bad_rows` error; null for any other error. */
export function badRowsOf(error: unknown): BadRows | null {
  if (!(error instanceof ShortlistError) || error.code !== 'bad_rows') return null;
  return error.details['bad_rows'] as BadRows;
}

/** Lines for a terminal: the kinds with their counts, then the rows shown of each. */
export function formatBadRows(bad: BadRows): string[] {
  const width = Math.max(0, ...bad.kinds.map(({ count }) => formatCount(count).length));
  const lines = bad.kinds.map(
    ({ kind, count }) => `${formatCount(count).padStart(width)}  ${kind.padEnd(KIND_WIDTH)}  ${BAD_ROW_KINDS[kind]}`,
  );
  for (const { kind, count, shown } of bad.kinds) {
    lines.push('', count > shown.length ? `${kind}, the first ${shown.length} of ${formatCount(count)}:` : `${kind}:`);
    for (const row of shown) lines.push(`  ${row.file}:${row.row}  ${formatId(row.id)}  ${row.detail}`);
  }
  return lines;
}

const KIND_WIDTH = Math.max(...Object.keys(BAD_ROW_KINDS).map((kind) => kind.length));

/** One line of a rejects file. */
export function toRejectLine({ file, row, id, kind, detail }: BadRow): string {
  return `${JSON.stringify({ file, row, id, kind, detail })}\n`;
}

/** Longer ids are cut in messages, but not in the rejects file. */
const SHOWN_ID_LENGTH = 60;

/** Quoted and escaped, so that control characters in an id do not reach the terminal. */
function formatId(id: string | null): string {
  if (id === null) return 'no id';
  const text = id.length > SHOWN_ID_LENGTH ? `${id.slice(0, SHOWN_ID_LENGTH)}…` : id;
  // JSON does not escape C1 controls and the marks that change the direction of text.
  const escaped = JSON.stringify(text).replace(/[\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `id ${escaped}`;
}

function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}
