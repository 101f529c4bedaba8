/**
 * A message as one line of bounded length. Messages quote what users gave: a path, a filter, a file that is not JSON.
 * Line breaks would look like further log entries, and control characters would command the terminal.
 */

/** Longer than any message of ours without what it quotes. */
const MAX_CHARACTERS = 2_000;
/** Of a longer message these are shown, and the end, which says what to do. */
const SHOWN_START = 1_500;
const SHOWN_END = 400;

/** Controls, line and paragraph separators, and what turns the direction of text around. */
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

export function oneLine(text: string): string {
  const short = text.length <= MAX_CHARACTERS ? text : `${text.slice(0, SHOWN_START)} ... ${text.slice(-SHOWN_END)}`;
  return short.replace(CONTROLS, (mark) => SHORT[mark] ?? `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
