/** Lines on stderr: folded at a terminal, with a timestamp elsewhere. */
import { foldLines } from './table.js';

/** process.stderr, or a substitute in tests. */
interface LineStream {
  write(text: string): boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export function writeLines(stream: LineStream, text: string, now: Date = new Date()): void {
  stream.write(formatLines(stream, text, now));
}

export function formatLines({ isTTY, columns }: LineStream, text: string, now: Date): string {
  if (isTTY === true) return `${foldLines(text, columns)}\n`;
  const stamp = now.toISOString();
  return text.split('\n').map((line) => `${stamp} ${line}\n`).join(''); // prettier-ignore
}
