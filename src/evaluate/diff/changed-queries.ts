/** The queries whose answers changed most, with the ids that came and went. */
import type { IdTable } from '../../base/id-table.js';
import type { AnswerPair, MatchedAnswer } from './answers.js';
import type { RankDiff } from './compare-ranks.js';
import { round } from './distribution.js';
import type { Cause } from './id-tally.js';

/** Queries listed, and ids of each change in one of them. */
const LISTED_QUERIES = 20;
const LISTED_IDS = 20;

interface ChangedCandidate {
  readonly id: string;
  /** From 1. */
  readonly rank: number;
  readonly score: number;
  readonly cause: Cause;
}

interface ChangedCandidates {
  readonly total: number;
  /** Best first: the first ones. */
  readonly ids: readonly ChangedCandidate[];
}

/** Names are those of the JSON output. */
export interface ChangedQuery {
  /** Position among the queries, from 0. */
  readonly position: number;
  /** For a query that is a row: its id. */
  readonly id?: string;
  readonly overlap: number;
  readonly entered: ChangedCandidates;
  readonly left: ChangedCandidates;
}

export class ChangedQueries {
  private listed: ChangedQuery[] = [];
  /** Queries with more overlap are not listed. */
  private worst = 1;

  constructor(
    private readonly before: IdTable,
    private readonly after: IdTable,
  ) {}

  add(position: number, id: string | undefined, { old, fresh }: AnswerPair, diff: RankDiff): void {
    if (diff.overlap >= this.worst) return;
    this.listed.push({
      position,
      ...(id !== undefined && { id }),
      overlap: round(diff.overlap),
      entered: listCandidates(this.after, fresh, diff.entered),
      left: listCandidates(this.before, old, diff.left),
    });
    this.listed.sort((a, b) => a.overlap - b.overlap || a.position - b.position);
    this.listed.splice(LISTED_QUERIES);
    if (this.listed.length === LISTED_QUERIES) this.worst = this.listed.at(-1)!.overlap;
  }

  /** The least overlap first; queries whose ids did not change are not listed. */
  list(): readonly ChangedQuery[] {
    return this.listed;
  }
}

function listCandidates(
  ids: IdTable,
  { ordinals, elsewhere, scores }: MatchedAnswer,
  positions: readonly number[],
): ChangedCandidates {
  const listed = positions.slice(0, LISTED_IDS).map((position): ChangedCandidate => ({
    id: ids.text(ordinals[position]!),
    rank: position + 1,
    score: round(scores[position]!),
    cause: elsewhere[position]! < 0 ? 'catalogue' : 'ranking',
  }));
  return { total: positions.length, ids: listed };
}
