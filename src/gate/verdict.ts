/** The verdict of the gate: one entry per check, and whether the version may be published. */
import { formatFixed, formatNumber } from '../base/number-text.js';
import { specOf, type Bounds, type CheckName, type JudgedBy, type Limits } from './checks.js';

type Verdict = 'pass' | 'warn' | 'fail';

/** Names are those of the JSON output. */
export interface GateCheck {
  /** The check, with its k or filter: `recall@100`. */
  readonly name: string;
  readonly verdict: Verdict;
  /** False if the verdict is `fail`. */
  readonly pass: boolean;
  /** Null if the check was skipped. */
  readonly value: number | null;
  /** The limit that decides: crossed, or the next one that the value could cross. Null if there is none. */
  readonly limit: number | null;
  /** Whether the value must not be below (`min`) or above (`max`) the limit. */
  readonly limit_is?: 'min' | 'max';
  /** The live version's value; null if there is none. */
  readonly live: number | null;
  /** Why it was not measured. */
  readonly skipped?: SkipReason;
  /** What was found, for people. */
  readonly detail?: string;
}

type SkipReason = 'new_embedding';

export interface GateVerdict {
  readonly pass: boolean;
  /** The version that was compared with; null if there is none. */
  readonly live: string | null;
  readonly checks: readonly GateCheck[];
  /** When this content was new: ISO 8601. Earlier than the version if it repeats the live one. */
  readonly content_since?: string;
}

export interface Measured {
  readonly value: number;
  readonly live?: number | null | undefined;
  /** How far the value may be beyond a limit by chance, in its own units; default 0. The limits move by it. */
  readonly chance?: number | undefined;
  readonly detail?: string | undefined;
}

/** Judges one value. @param name as in the output: the check's name, possibly with more */
export function judge(check: CheckName, name: string, measured: Measured, limits: Limits): GateCheck {
  const { by } = specOf(check);
  const { value, detail, chance = 0 } = measured;
  const live = measured.live ?? null;
  const warn = inUnitsOfValue(by, limits.warn, live, chance);
  const fail = inUnitsOfValue(by, limits.fail, live, chance);
  const isOut = (bounds: Bounds | null): boolean => bounds !== null && crossed(value, bounds) !== null;
  const verdict: Verdict = isOut(fail) ? 'fail' : isOut(warn) ? 'warn' : 'pass';
  const bounds = verdict === 'warn' ? warn : fail;
  const side = bounds === null ? null : (crossed(value, bounds) ?? nearest(value, bounds));
  return {
    name,
    verdict,
    pass: verdict !== 'fail',
    value,
    limit: side === null ? null : bounds![side]!,
    ...(side !== null && { limit_is: side }),
    live,
    ...(detail !== undefined && { detail }),
  };
}

export function skipped(name: string, reason: SkipReason): GateCheck {
  return { name, verdict: 'pass', pass: true, value: null, limit: null, live: null, skipped: reason };
}

/** The bounds as values, wider by what chance can do. Null if there are none, or nothing to compare with. */
function inUnitsOfValue(by: JudgedBy, bounds: Bounds | null, live: number | null, chance: number): Bounds | null {
  if (bounds === null || (by !== 'value' && live === null)) return null;
  const convert = (bound: number): number => (by === 'value' ? bound : by === 'difference' ? bound + live! : bound * live!); // prettier-ignore
  return {
    ...(bounds.min !== undefined && { min: convert(bounds.min) - chance }),
    ...(bounds.max !== undefined && { max: convert(bounds.max) + chance }),
  };
}

/** The bound that the value is beyond; null if it is within. A NaN is beyond any bound. */
function crossed(value: number, { min, max }: Bounds): 'min' | 'max' | null {
  if (min !== undefined && !(value >= min)) return 'min';
  if (max !== undefined && !(value <= max)) return 'max';
  return null;
}

function nearest(value: number, { min, max }: Bounds): 'min' | 'max' | null {
  if (min === undefined || max === undefined) return min !== undefined ? 'min' : max !== undefined ? 'max' : null;
  return value - min <= max - value ? 'min' : 'max';
}

export function verdictOf(verdict: Omit<GateVerdict, 'pass'>): GateVerdict {
  return { pass: verdict.checks.every(({ pass }) => pass), ...verdict };
}

/** The reason of a refusal, in one sentence: the first failed check, and the names of the others. */
export function describeRefusal({ checks }: GateVerdict): string {
  const failed = checks.filter(({ pass }) => !pass);
  const first = failed[0];
  if (first === undefined) return 'the gate did not pass';
  const more = failed.length === 1 ? '' : `; ${failed.length - 1} more: ${failed.slice(1).map(({ name }) => name).join(', ')}`; // prettier-ignore
  return `${describeCheck(first)}${more}`;
}

/** `rows is 25,000 and the limit is 40,000 (live 50,000)`, with the detail if there is one. */
export function describeCheck(check: GateCheck): string {
  const { name, value, limit, live, detail } = check;
  if (name === 'verify' && detail !== undefined) return detail;
  const said = [
    `${name} is ${formatValue(name, value)}`,
    ...(limit === null ? [] : [`the limit is ${formatValue(name, limit)}`]),
  ].join(' and ');
  const before = (live ?? null) === null ? '' : ` (live ${formatValue(name, live)})`;
  return `${said}${before}${detail === undefined ? '' : `: ${detail}`}`;
}

/** The check that an entry of the output belongs to: `recall` for `recall@100`. */
function checkOf(name: string): CheckName {
  return name.split(/[@ ]/, 1)[0] as CheckName;
}

/** A value of a check as people read it; bytes as a plain number. */
export function formatValue(name: string, value: number | null): string {
  if (value === null) return '-';
  switch (specOf(checkOf(name)).form) {
    case 'share':
      return `${formatNumber(100 * value, 2)} %`;
    case 'recall':
      return formatFixed(value, 4);
    case 'number':
      return formatNumber(value, 3);
    default:
      return formatNumber(Math.round(value));
  }
}
