/**
 * Answers as an Arrow table with one row per candidate: `query` (int32, the query's position), `id` (its Arrow type),
 * `score` (float32), the requested attributes (nullable, each in its Arrow type), and `vector` (fixed_size_list of
 * float32). An attribute whose name is that of another column is called `attributes.<name>`.
 */
import type { ArrowField, Column, ColumnType } from '../../arrow/column.js';
import type { ArrowSchema } from '../../arrow/write/arrow-schema.js';
import type { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { gatherRows, type Budget } from '../../arrow/gather.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import type { Candidates } from '../search/answer.js';
import type { PackedAnswers } from './packed-answers.js';

/** Rows of one record batch: a few MB, so that readers can stream. */
export const BATCH_ROWS = 65_536;

const INT32: ColumnType = { kind: 'int', bits: 32, signed: true };
const FLOAT32: ColumnType = { kind: 'float', bits: 32 };

/** Position of a candidate's best seed in its query, and the score with it. */
const SEED_FIELDS: ArrowSchema['fields'] = [
  { name: 'seed', type: INT32, nullable: false },
  { name: 'seed_score', type: FLOAT32, nullable: false },
];

type AnswerSource = Pick<LoadedVersion, 'manifest' | 'ids'>;

type Fields = ArrowSchema['fields'];

/** The candidates of one query in one batch. */
interface Part extends Candidates {
  readonly query: number;
  readonly from: number;
  readonly to: number;
}

export interface ExtraColumn {
  readonly field: Fields[number];
  /** @param first position of the first candidate in its answer */
  gather(ordinals: Uint32Array, first: number): Column;
}

export class AnswerTable {
  readonly fields: Fields;

  constructor(
    private readonly source: AnswerSource,
    private readonly extras: readonly ExtraColumn[] = [],
    /** Packed answers have the seed of each candidate, which becomes two columns. */
    private readonly withSeeds = false,
  ) {
    this.fields = [
      { name: 'query', type: INT32, nullable: false },
      { name: 'id', type: source.ids.type, nullable: false },
      { name: 'score', type: FLOAT32, nullable: false },
      ...(withSeeds ? SEED_FIELDS : []),
      ...extras.map(({ field }) => field),
    ];
  }

  get metadata(): [string, string][] {
    const { index, version } = this.source.manifest;
    return [
      ['index', index],
      ['version', version],
    ];
  }

  /**
   * The rows of all answers, in record batches of bounded size.
   * @param answers undefined for a query without one
   * @param maxRows rows of a batch
   */
  *batches(answers: readonly (Candidates | undefined)[], maxRows = BATCH_ROWS): Generator<Column[], void, undefined> {
    let parts: Part[] = [];
    let rows = 0;
    for (const [query, answer] of answers.entries()) {
      const count = answer?.ordinals.length ?? 0;
      for (let from = 0; from < count;) {
        const to = Math.min(count, from + maxRows - rows);
        parts.push({ query, ...answer!, from, to });
        rows += to - from;
        from = to;
        if (rows < maxRows) continue;
        yield this.columns(parts, rows);
        [parts, rows] = [[], 0];
      }
    }
    if (rows > 0) yield this.columns(parts, rows);
  }

  /** One record batch of packed answers. @param first position of their first query */
  packedBatch(packed: readonly PackedAnswers[], first: number): Column[] {
    const rows = packed.reduce((sum, { ordinals }) => sum + ordinals.length, 0);
    const queries = new Int32Array(rows);
    const ordinals = new Uint32Array(rows);
    const scores = new Float32Array(rows);
    const seeds = new Int32Array(this.withSeeds ? rows : 0);
    const seedScores = new Float32Array(seeds.length);
    let [row, query] = [0, first];
    for (const part of packed) {
      ordinals.set(part.ordinals, row);
      scores.set(part.scores, row);
      if (this.withSeeds) seeds.set(part.seeds!, row);
      if (this.withSeeds) seedScores.set(part.seedScores!, row);
      for (const count of part.counts) queries.fill(query++, row, (row += count));
    }
    const seedColumns: Column[] = [
      { shape: 'numbers', type: INT32, rows, valid: null, values: seeds },
      { shape: 'numbers', type: FLOAT32, rows, valid: null, values: seedScores },
    ];
    return [
      { shape: 'numbers', type: INT32, rows, valid: null, values: queries },
      this.source.ids.column(ordinals),
      { shape: 'numbers', type: FLOAT32, rows, valid: null, values: scores },
      ...(this.withSeeds ? seedColumns : []),
      ...this.extras.map((extra) => extra.gather(ordinals, 0)),
    ];
  }

  private columns(parts: readonly Part[], rows: number): Column[] {
    const queries = new Int32Array(rows);
    const ordinals = new Uint32Array(rows);
    const scores = new Float32Array(rows);
    let row = 0;
    for (const { query, from, to, ...answer } of parts) {
      const next = row + to - from;
      queries.fill(query, row, next);
      ordinals.set(answer.ordinals.subarray(from, to), row);
      scores.set(answer.scores.subarray(from, to), row);
      row = next;
    }
    const first = parts[0]!.from;
    return [
      { shape: 'numbers', type: INT32, rows, valid: null, values: queries },
      this.source.ids.column(ordinals),
      { shape: 'numbers', type: FLOAT32, rows, valid: null, values: scores },
      ...this.extras.map((extra) => extra.gather(ordinals, first)),
    ];
  }
}

/**
 * All column names other than attributes. Those of answers with seeds are always included, so that an attribute's
 * column has the same name whatever else is requested.
 */
const OWN_COLUMNS: ReadonlySet<string> = new Set(['query', 'id', 'score', 'seed', 'seed_score', 'vector']);
const PREFIX = 'attributes.';

/** Distinct attributes get distinct names: a name that equals another's with the prefix gets one more prefix. */
export function attributeColumnName(name: string): string {
  let rest = name;
  while (rest.startsWith(PREFIX)) rest = rest.slice(PREFIX.length);
  return OWN_COLUMNS.has(rest) ? PREFIX + name : name;
}

/**
 * The columns that a request includes.
 * @param attributes names that the version has
 * @param budget called with the bytes of an array before it is allocated
 */
export function extraColumns(
  version: LoadedVersion,
  attributes: readonly string[],
  vectors: boolean,
  budget: Budget,
): ExtraColumn[] {
  const columns = attributes.map((name) =>
    attributeColumn(attributeColumnName(name), version.attributes!.column(name), budget),
  );
  return vectors ? [...columns, vectorColumn(version, budget)] : columns;
}

function attributeColumn(name: string, attribute: AttributeColumn, budget: Budget): ExtraColumn {
  const { type }: ArrowField = attribute.field;
  const columns = attribute.chunks.map(({ column }) => column);
  const gather = (ordinals: Uint32Array) => {
    const picked = { pieces: new Uint32Array(ordinals.length), rows: new Uint32Array(ordinals.length) };
    for (let i = 0; i < ordinals.length; i++) {
      const position = attribute.positionOf(ordinals[i]!);
      const piece = attribute.chunkOf(position);
      picked.pieces[i] = piece;
      picked.rows[i] = position - attribute.chunks[piece]!.first;
    }
    return gatherRows(columns, picked, budget);
  };
  return { field: { name, type, nullable: true }, gather };
}

function vectorColumn(version: LoadedVersion, budget: Budget): ExtraColumn {
  const { dim } = version.manifest;
  const type: ColumnType = { kind: 'list', item: FLOAT32, size: dim };
  const gather = (ordinals: Uint32Array): Column => {
    const rows = ordinals.length;
    budget(4 * rows * dim);
    const values = new Float32Array(rows * dim);
    ordinals.forEach((ordinal, row) => values.set(version.vectorOf(ordinal), row * dim));
    const offsets = Uint32Array.from({ length: rows + 1 }, (_, row) => row * dim);
    const items: Column = { shape: 'numbers', type: FLOAT32, rows: rows * dim, valid: null, values };
    return { shape: 'lists', type, rows, valid: null, offsets, items };
  };
  return { field: { name: 'vector', type, nullable: false }, gather };
}
