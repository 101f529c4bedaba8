/**
 * Lines on stderr: folded at a terminal, with a timestamp elsewhere. Where a log level was asked for and stderr is no
 * terminal, a program reads them: then each is a JSON object, with the members that the server's log has.
 */
import { describeLevel, LOG_LEVEL_FORMS } from '../../base/log-levels.js';
import { foldLines } from './table.js';

/** process.stderr, or a substitute in tests. */
interface LineStream {
  write(text: string): boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export type LineForm = 'text' | 'json';

/** @param isLevelGiven whether a user has named a log level, by flag or variable */
export function lineForm(isLevelGiven: boolean, { isTTY }: { isTTY?: boolean } = process.stderr): LineForm {
  return isLevelGiven && isTTY !== true ? 'json' : 'text';
}

/** pino's numbers. */
const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 } as const;

export type LineLevel = keyof typeof LEVELS;

/** What a line says to a person, and to a program. */
export interface LogLine {
  readonly level: LineLevel;
  /** May have several lines. */
  readonly text: string;
  /** Of the JSON object, beside level, time, pid and msg. */
  readonly members?: Readonly<Record<string, unknown>>;
}

export function writeLine(stream: LineStream, form: LineForm, line: LogLine, now: Date = new Date()): void {
  stream.write(formatLine(stream, form, line, now));
}

export function formatLine(stream: LineStream, form: LineForm, { level, text, members }: LogLine, now: Date): string {
  if (form === 'text') return formatLines(stream, text, now);
  const levels = LOG_LEVEL_FORMS.find((known) => known === process.env['SHORTLIST_LOG_LEVELS']) ?? 'numbers';
  const time = now.toISOString();
  return `${JSON.stringify({ ...describeLevel(levels, level, LEVELS[level]), time, pid: process.pid, ...members, msg: text })}\n`;
}

function formatLines({ isTTY, columns }: LineStream, text: string, now: Date): string {
  if (isTTY === true) return `${foldLines(text, columns)}\n`;
  const stamp = now.toISOString();
  return text.split('\n').map((line) => `${stamp} ${line}\n`).join(''); // prettier-ignore
}
