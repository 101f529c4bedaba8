/** What `diff` shows, as text and as a page, and how it writes numbers. */
import type { VersionDiff } from '../../evaluate/diff/diff-versions.js';
import type { Mover } from '../../evaluate/diff/movers.js';
import type { Drift } from '../../gate/drift.js';
import type { DiffVerdict } from '../../gate/explain-diff.js';
import { formatRecall } from '../../evaluate/report.js';
import { formatNumber } from '../../base/number-text.js';
import { formatPlural } from './progress.js';
import { cutText } from './table.js';

export interface DiffReport {
  readonly index: string;
  readonly from: string;
  readonly to: string;
  /** Undefined: no filter. */
  readonly filter: unknown;
  /** Attributes that are shown with ids. */
  readonly include: readonly string[];
  readonly diff: VersionDiff;
  readonly drift: Drift;
  readonly verdict: DiffVerdict;
}

/** `1,000 rows of both versions (500 of v1, 500 of v2)`, or `20 queries`. */
export function describeQueries({ diff, filter }: DiffReport): string {
  const { queries, sampled } = diff;
  const filtered = filter === undefined ? '' : `, with the filter ${JSON.stringify(filter)}`;
  if (sampled === undefined) return `${formatPlural(queries, 'query', 'queries')}${filtered}`;
  return `${formatPlural(queries, 'row')} as queries (${sampled.from.toLocaleString('en-US')} of v1, ${sampled.to.toLocaleString('en-US')} of v2)${filtered}`;
}

/** A mean or a quantile: at least four significant digits, and all digits of a larger whole part. */
export function formatFigure(value: number): string {
  const digits = value === 0 ? 1 : Math.floor(Math.log10(Math.abs(value))) + 1;
  return formatNumber(value, Math.min(MAX_DECIMALS, Math.max(0, 4 - digits)));
}

/** A smaller number has two significant digits. */
const MAX_DECIMALS = 6;

/** `12.3 %`; 100.0 % only for all. */
export function formatPercent(share: number): string {
  const value = 100 * share;
  const size = Math.abs(value);
  if (size > 99.9 && size < 100) return `${(Math.sign(value) * Math.min(99.99, size)).toFixed(2)} %`;
  return `${value !== 0 && size < 0.1 ? value.toPrecision(1) : value.toFixed(1)} %`;
}

/** What could not be measured, since no query has an answer. */
const NOT_MEASURED = '-';

/** An overlap with four places; a dash if it was not measured. */
export function formatOverlap(overlap: number): string {
  return Number.isNaN(overlap) ? NOT_MEASURED : formatRecall(overlap);
}

/** A quantile of overlaps with two places, never rounded up to 1. */
export function formatQuantile(overlap: number): string {
  if (Number.isNaN(overlap)) return NOT_MEASURED;
  return (overlap === 1 ? 1 : Math.min(0.99, overlap)).toFixed(2);
}

export function formatShare(share: number): string {
  return Number.isNaN(share) ? NOT_MEASURED : formatPercent(share);
}

/** A value of an attribute: cut, and in quotes where it would not be seen. */
export function formatAttributeValue(value: string): string {
  return value.trim() === '' ? `"${cutText(value, MAX_TEXT)}"` : cutText(value, MAX_TEXT);
}

/** With a sign: `+1.2 points`, as a change of a percentage. */
export function formatChange(change: number): string {
  return change === 0 ? '0' : signed(change, formatPercent(Math.abs(change)).replace(' %', ''));
}

/** A difference of scores, with a sign and two significant digits. */
export function formatShift(value: number | undefined): string {
  if (value === undefined) return '';
  if (value === 0) return '0';
  const size = Math.abs(value);
  return signed(value, size < 1e-4 ? size.toExponential(0) : String(Number(size.toPrecision(2))));
}

/** With a sign. */
export function formatSignedCount(value: number): string {
  return value === 0 ? '0' : signed(value, Math.abs(value).toLocaleString('en-US'));
}

function signed(value: number, size: string): string {
  return `${value < 0 ? '−' : '+'}${size}`;
}

/** A cosine, with more decimals near 1, and 1 only for 1. */
export function formatCosine(value: number): string {
  if (value === 1) return '1';
  return value > 0.9995 ? Math.min(0.999999, value).toFixed(6) : value.toFixed(3);
}

export function formatEf(ef: number | null): string {
  return ef === null ? 'exact' : String(ef);
}

/** The attributes of an id on one line; those that are no texts with their names. */
export function describeItem({ attributes }: Mover): string {
  return Object.entries(attributes)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => (typeof value === 'string' ? cutText(value, MAX_TEXT) : `${name} ${textOf(value)}`))
    .join(' · ');
}

/** Longer texts fill the screen. */
const MAX_TEXT = 48;

function textOf(value: unknown): string {
  return cutText(Array.isArray(value) ? value.join(', ') : String(value), MAX_TEXT);
}
