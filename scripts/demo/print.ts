/** What the demo prints: steps, commands as a user would type them, answers as tables. */
import { styleText } from 'node:util';
import { formatTable } from '../../src/cli/output/table.js';

const TITLE_WIDTH = 68;

/** One candidate as the table shows it. */
export interface AnswerRow {
  readonly id: string;
  readonly score: number;
  readonly title: string;
  readonly category: string;
  readonly price: number;
}

type Style = Parameters<typeof styleText>[0];

/** No colours unless stdout is a terminal: Node 20 styles everything. */
export function style(format: Style, text: string): string {
  return process.stdout.isTTY && !process.env['NO_COLOR'] ? styleText(format, text) : text;
}

export function printStep(number: number, of: number, text: string): void {
  console.log(`\n${style('bold', `${number}/${of}  ${text}`)}`);
}

export function printCommand(args: readonly string[]): void {
  console.log(style('dim', `$ shortlist ${args.join(' ')}`));
}

/** @param summary the query and how it was answered, in one line */
export function printAnswer(summary: string, rows: readonly AnswerRow[]): void {
  const table = formatTable<AnswerRow>(
    [
      { title: 'score', value: (row) => row.score.toFixed(3), align: 'right' },
      { title: 'title', value: (row) => shorten(row.title) },
      { title: 'category', value: (row) => row.category },
      { title: 'price', value: (row) => row.price.toFixed(2), align: 'right' },
      { title: 'id', value: (row) => row.id },
    ],
    rows,
  );
  console.log(`\n${style('bold', summary)}\n${indent(table)}`);
}

export function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}

function shorten(title: string): string {
  return title.length <= TITLE_WIDTH ? title : `${title.slice(0, TITLE_WIDTH - 1)}…`;
}
