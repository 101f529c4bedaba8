/**
 * The verdict of the gate as a table: value, limit, the live version's value, and what was found. What was found is
 * below the table where the terminal is too narrow for both.
 */
import { formatValue, type GateCheck, type GateVerdict } from '../../gate/verdict.js';
import { formatBytes } from './progress.js';
import { formatHanging, formatTable, screenWidth, type TableColumn } from './table.js';

const MARKS: Readonly<Record<GateCheck['verdict'], string>> = { pass: 'pass', warn: 'WARN', fail: 'FAIL' };

/** In less, the column of what was found is narrower than the name of a version. */
const MIN_WIDTH_WITH_FOUND = 120;

const COLUMNS: readonly TableColumn<GateCheck>[] = [
  { title: 'verdict', value: ({ verdict, skipped }) => (skipped === undefined ? MARKS[verdict] : 'skip'), noWrap: true },
  { title: 'check', value: ({ name }) => name },
  { title: 'value', value: (check) => show(check, check.value), align: 'right' },
  { title: 'limit', value: showLimit, align: 'right' },
  { title: 'live', value: (check) => show(check, check.live), align: 'right' },
]; // prettier-ignore

export function formatGate({ checks, live }: GateVerdict): string {
  const ordered = inOrderOfWeight(checks);
  const isWide = screenWidth() >= MIN_WIDTH_WITH_FOUND;
  const table = formatTable(isWide ? [...COLUMNS, { title: 'found', value: foundBy }] : COLUMNS, ordered);
  const found = ordered.filter((check) => foundBy(check) !== '');
  const lines = found.map((check) => `${formatHanging('  ', `${check.name}: ${foundBy(check)}`)}\n`);
  const below = isWide || found.length === 0 ? '' : `\nfound:\n${lines.join('')}\n`;
  const count = (verdict: GateCheck['verdict']): number => checks.filter((check) => check.verdict === verdict).length;
  const compared = live === null ? 'no live version to compare with' : `compared with ${live}`;
  return `${table}\n${below}${count('fail')} failed, ${count('warn')} warned, ${count('pass')} passed; ${compared}`;
}

function foundBy({ detail, skipped }: GateCheck): string {
  return detail ?? (skipped === undefined ? '' : 'a new embedding');
}

/** What failed and warned first: at a terminal, some dozen checks that passed would push it out of view. */
function inOrderOfWeight(checks: readonly GateCheck[]): GateCheck[] {
  const weights = { fail: 0, warn: 1, pass: 2 } as const;
  return [...checks].sort((a, b) => weights[a.verdict] - weights[b.verdict]);
}

function showLimit(check: GateCheck): string {
  if (check.limit === null) return '';
  return `${check.limit_is === 'min' ? '≥' : '≤'} ${show(check, check.limit)}`;
}

function show({ name }: GateCheck, value: number | null): string {
  if (value === null) return '';
  return name === 'bytes' ? formatBytes(value) : formatValue(name, value);
}
