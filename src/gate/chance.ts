/**
 * How far the figures of few rows lie apart by chance: two standard errors of binomial counts. Limits are widened by
 * it, so that a category of fifty items is judged less strictly than one of fifty thousand. Consecutive nights share
 * most rows, and differ less than this.
 */
const STANDARD_ERRORS = 2;

/** Of the share of some rows that have a property. */
export function chanceOfShare(share: number, rows: number): number {
  return STANDARD_ERRORS * Math.sqrt((share * (1 - share)) / Math.max(1, rows));
}

/** Of the difference of two shares. */
export function chanceOfDifference(share: number, rows: number, otherShare: number, otherRows: number): number {
  return Math.hypot(chanceOfShare(share, rows), chanceOfShare(otherShare, otherRows));
}

/** Of the rows that are left when each of `before` stays or goes; of the rows that came if there are more. */
export function chanceOfLoss(after: number, before: number): number {
  return STANDARD_ERRORS * Math.sqrt(after < before ? after * (1 - after / before) : after - before);
}
