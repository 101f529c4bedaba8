/**
 * Finds a member that one object of a JSON text has twice. JSON.parse keeps the last one, other readers the first: of a
 * filter with two conditions on one attribute, one would be ignored.
 *
 * Takes a text that JSON.parse has accepted; returns the JSON pointer of the second member, or null. It reads each
 * character once and skips strings and lists of numbers with indexOf: 768 numbers cost a tenth of parsing them.
 * Written by hand: parsers that report duplicates, such as jsonc-parser, read the text again number by number.
 */
import { pointerStep } from './json-pointer.js';

/** How to write what most duplicates were meant to say. */
export const SEVERAL_CONDITIONS =
  'Put several conditions on one attribute into one object, {"$gte": 10, "$lt": 50}, or into $and';

/** An object or list that is still open. */
interface Frame {
  readonly isObject: boolean;
  /** The first member name; the set is created for the second. */
  first: string | null;
  names: Set<string> | null;
  /** The member or position that is being read. */
  step: string | number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const [LIST_START, LIST_END] = [0x5b, 0x5d];
const [OBJECT_START, OBJECT_END] = [0x7b, 0x7d];

export function findDuplicateMember(text: string): string | null {
  const frames: Frame[] = [];
  const skipNumbers = makeNumberSkipper(text);
  let top: Frame | undefined;
  let isName = false; // whether the next string is a member name
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
        at = skipNumbers(at);
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

/** @returns false if the object already has the name */
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

/** @returns the position of the closing quote: the next one that is not escaped */
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
 * Returns a function from the start of a list to the position before its end. If the list holds a string, a list or an
 * object, the function returns the start. Search results are kept until passed, so no text is searched twice.
 */
function makeNumberSkipper(text: string): (start: number) => number {
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
