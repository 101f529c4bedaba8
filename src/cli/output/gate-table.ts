/** The verdict of the gate as a table: value, limit, the live version's value, and what was found. */
import { formatValue, type GateCheck, type GateVerdict } from '../../gate/verdict.js';
import { formatBytes } from './progress.js';
import { formatTable } from './table.js';

const MARKS: Readonly<Record<GateCheck['verdict'], string>> = { pass: 'pass', warn: 'WARN', fail: 'FAIL' };

export function formatGate({ checks, live }: GateVerdict): string {
  const table = formatTable<GateCheck>(
    [
      { title: 'verdict', value: ({ verdict, skipped }) => (skipped === undefined ? MARKS[verdict] : 'skip'), noWrap: true },
      { title: 'check', value: ({ name }) => name, noWrap: true },
      { title: 'value', value: (check) => show(check, check.value), align: 'right' },
      { title: 'limit', value: showLimit, align: 'right' },
      { title: 'live', value: (check) => show(check, check.live), align: 'right' },
      { title: 'found', value: ({ detail, skipped }) => detail ?? (skipped === undefined ? '' : 'a new embedding') },
    ],
    inOrderOfWeight(checks),
  ); // prettier-ignore
  const count = (verdict: GateCheck['verdict']): number => checks.filter((check) => check.verdict === verdict).length;
  const compared = live === null ? 'no live version to compare with' : `compared with ${live}`;
  return `${table}\n${count('fail')} failed, ${count('warn')} warned, ${count('pass')} passed; ${compared}`;
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
