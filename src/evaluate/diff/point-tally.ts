/** What two versions answer at one k, over all queries: overlap, ranks and scores. */
import type { AnswerPair } from './answers.js';
import type { RankDiff } from './compare-ranks.js';
import { NumberSample, round, type Distribution } from './distribution.js';

/** Names are those of the JSON output. */
export interface DiffPoint {
  readonly k: number;
  /** As used for the first query; null if every row is scanned. */
  readonly ef: { readonly from: number | null; readonly to: number | null };
  /** Number of queries for which neither version returns anything: they count in no other figure. */
  readonly empty: number;
  /**
   * Mean share of the candidates at k that both versions return; not rounded, since it is compared with a limit. If all
   * queries are empty, this and the other shares are NaN, which JSON writes as null and which is above no limit.
   */
  readonly overlap: number;
  readonly overlap_p5: number;
  readonly overlap_p50: number;
  /** Share of the queries with an overlap below 0.5. */
  readonly below_half: number;
  /** Queries by overlap: from 0 to below 0.05, and so on; the last counts overlaps from 0.95 to 1. */
  readonly overlap_counts: readonly number[];
  /** Number of queries with the same ids in the same order. */
  readonly same_order: number;
  /** As overlap, but the first ranks count more (compare-ranks.ts). */
  readonly rank_biased_overlap: number;
  /** Change of rank, without its sign, of candidates that both versions return; null if there are none. */
  readonly rank_shift: Omit<Distribution, 'p5'> | null;
  /** New score minus old score of candidates that both versions return; null also if the metrics differ. */
  readonly score_shift: Distribution | null;
  /** The same of the last candidates: above 0, the new version's answers are nearer to the query. */
  readonly last_score_shift: Distribution | null;
}

const BINS = 20;

export class PointTally {
  private ef: DiffPoint['ef'] | null = null;
  private readonly overlaps = new NumberSample();
  private readonly counts = new Array<number>(BINS).fill(0);
  private readonly agreement = new NumberSample();
  private readonly rankShifts = new NumberSample();
  private readonly scoreShifts = new NumberSample();
  private readonly lastShifts = new NumberSample();
  private queries = 0;
  private empty = 0;
  private halves = 0;
  private sameOrder = 0;

  /** @param comparesScores false if the metrics differ */
  constructor(
    readonly k: number,
    private readonly comparesScores: boolean,
  ) {}

  add({ old, fresh }: AnswerPair, diff: RankDiff): void {
    this.ef ??= { from: old.ef, to: fresh.ef };
    if (old.keys.length === 0 && fresh.keys.length === 0) {
      this.empty++;
      return;
    }
    this.queries++;
    this.overlaps.add(diff.overlap);
    this.counts[Math.min(BINS - 1, Math.floor(diff.overlap * BINS))]!++;
    if (diff.overlap < 0.5) this.halves++;
    this.agreement.add(diff.rankBiasedOverlap);
    const isSame = diff.overlap === 1 && diff.shared.every((pair) => pair.old === pair.fresh);
    if (isSame) this.sameOrder++;
    for (const pair of diff.shared) {
      this.rankShifts.add(Math.abs(pair.fresh - pair.old));
      if (this.comparesScores) this.scoreShifts.add(fresh.scores[pair.fresh]! - old.scores[pair.old]!);
    }
    const last = Math.min(old.scores.length, fresh.scores.length) - 1;
    if (this.comparesScores && last >= 0) this.lastShifts.add(fresh.scores[last]! - old.scores[last]!);
  }

  result(): DiffPoint {
    const [p5 = NaN, p50 = NaN] = this.overlaps.quantiles([0.05, 0.5]) ?? [];
    const isMeasured = this.queries > 0;
    const shift = this.rankShifts.distribution();
    return {
      k: this.k,
      ef: this.ef ?? { from: null, to: null },
      empty: this.empty,
      overlap: isMeasured ? this.overlaps.mean : NaN,
      overlap_p5: p5,
      overlap_p50: p50,
      below_half: isMeasured ? round(this.halves / this.queries) : NaN,
      overlap_counts: this.counts,
      same_order: this.sameOrder,
      rank_biased_overlap: isMeasured ? round(this.agreement.mean) : NaN,
      rank_shift: shift && { mean: shift.mean, p50: shift.p50, p95: shift.p95 },
      score_shift: this.scoreShifts.distribution(),
      last_score_shift: this.lastShifts.distribution(),
    };
  }
}
