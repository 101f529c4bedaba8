/**
 * Finds a member that an object of a JSON text has twice. JSON.parse takes the last one, other readers the first:
 * whoever wrote two conditions on one attribute would get an answer to half of the question.
 *
 * Takes a text that JSON.parse has read; gives the JSON pointer of the second member, or null. It reads each
 * character once, except in lists of numbers and in strings, which it passes over at the speed of memory: 768 numbers
 * cost a tenth of parsing them.
 *
 * By hand: a parser that shows duplicates, such as jsonc-parser, reads the text a second time, number by number.
 */
import { pointerStep } from './json-pointer.js';

/** What the writer of most duplicates wanted. */
export const SEVERAL_CONDITIONS =
  'Several conditions on one attribute stand in one object, {"$gte": 10, "$lt": 50}, or in $and';

/** An object or a list that is open. */
interface Frame {
  readonly isObject: boolean;
  /** Its first member; a set is made for a second one. */
  first: string | null;
  names: Set<string> | null;
  /** The member or the position that is being read. */
  step: string | number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const [LIST_START, LIST_END] = [0x5b, 0x5d];
const [OBJECT_START, OBJECT_END] = [0x7b, 0x7d];

export function findDuplicateMember(text: string): string | null {
  const frames: Frame[] = [];
  const passNumbers = numberSkipper(text);
  let top: Frame | undefined;
  let isName = false; // whether the next string is the name of a member
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = findStringEnd(text, at);
        if (isName && !addName(top!, readName(text, at, end))) return pointerTo(frames);
        isName = false;
        at = end;
        break;
      }
      case COMMA:
        isName = top!.isObject;
        if (!isName) (top!.step as number)++;
        break;
      case OBJECT_START:
        frames.push((top = { isObject: true, first: null, names: null, step: '' }));
        isName = true;
        break;
      case LIST_START:
        frames.push((top = { isObject: false, first: null, names: null, step: 0 }));
        isName = false;
        at = passNumbers(at);
        break;
      case OBJECT_END:
      case LIST_END:
        frames.pop();
        top = frames.at(-1);
        isName = false;
    }
  }
  return null;
}

/** @returns false where the object has it already */
function addName(frame: Frame, name: string): boolean {
  frame.step = name;
  if (frame.first === null) {
    frame.first = name;
    return true;
  }
  frame.names ??= new Set([frame.first]);
  const { size } = frame.names;
  return frame.names.add(name).size > size;
}

/** Where the string that starts here ends: at the next quote that is not escaped. */
function findStringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
}

function readName(text: string, start: number, end: number): string {
  const name = text.slice(start + 1, end);
  return name.includes('\\') ? (JSON.parse(text.slice(start, end + 1)) as string) : name;
}

/**
 * From the start of a list to before its end, where nothing stands between that the scan must see; else it stays.
 * What was searched for is kept until it is passed, so that no part of the text is searched twice for the same.
 */
function numberSkipper(text: string): (start: number) => number {
  const finders = [']', '[', '{', '"'].map((mark) => {
    let found = -1;
    return (from: number) => {
      if (found < from) found = text.indexOf(mark, from);
      if (found === -1) found = Infinity;
      return found;
    };
  });
  return (start) => {
    const [end, ...others] = finders.map((find) => find(start + 1)) as [number, ...number[]];
    return others.every((other) => other > end) ? end - 1 : start;
  };
}

function pointerTo(frames: readonly Frame[]): string {
  return frames.map(({ step }) => pointerStep(step)).join('');
}
