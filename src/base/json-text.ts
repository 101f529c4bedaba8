/**
 * JSON that people write: files and values of flags. Takes a text; returns the value, or throws a JsonTextError that
 * says in one phrase what is wrong, and where. Stricter than JSON.parse: a member that an object has twice is an error,
 * since one of the two would be ignored; and so is deep nesting, which would overflow the stack of whoever walks it.
 */
import { findDuplicateMember } from './duplicate-members.js';

/** A filter may be nested 16 deep, with two levels of JSON each. */
const MAX_JSON_DEPTH = 64;

export class JsonTextError extends Error {
  constructor(
    readonly kind: 'syntax' | 'depth' | 'duplicate',
    /** Follows the name of the text: `is not JSON: ...`. */
    message: string,
    /** JSON pointer of the second member; null for other kinds. */
    readonly path: string | null = null,
  ) {
    super(message);
  }
}

/** @throws JsonTextError */
export function parseJsonText(text: string): unknown {
  if (text.trim() === '') throw new JsonTextError('syntax', 'is empty; it must be JSON');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new JsonTextError('syntax', `is not JSON: ${describeSyntax(text, (error as Error).message)}`);
  }
  if (isDeeper(text, MAX_JSON_DEPTH))
    throw new JsonTextError('depth', `has more than ${MAX_JSON_DEPTH} levels of nested lists and objects`);
  const duplicate = findDuplicateMember(text);
  if (duplicate !== null) throw new JsonTextError('duplicate', `has ${duplicate} twice; give it once`, duplicate);
  return value;
}

/** V8 names the position only in some messages, and quotes the text in others. */
function describeSyntax(text: string, problem: string): string {
  const position = /at position (\d+)/.exec(problem)?.[1];
  if (position === undefined) return problem;
  const before = text.slice(0, Number(position)).split('\n');
  const place = `line ${before.length}, column ${before.at(-1)!.length + 1}`;
  return `${problem.replace(/ (in JSON )?at position .*/s, '')} (${place})`;
}

/** Whether lists and objects of the text, which is JSON, are nested deeper. */
function isDeeper(text: string, max: number): boolean {
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (token === '{' || token === '[') {
      if (++depth > max) return true;
    } else if (token === '}' || token === ']') depth--;
  }
  return false;
}
