/**
 * The header of a .npy file: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, then blanks and a newline.
 * Parsed as data, never run. Any other member, order of brackets or kind of literal is refused.
 */
import { corrupt, unsupported } from '../../arrow/fault.js';

interface NpyHeader {
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly bigint[];
}

/** @throws ArrowFault */
export function parseNpyHeader(text: string): NpyHeader {
  const members = new Map<string, string>();
  const body = /^\{(.*)\}\s*$/s.exec(text)?.[1];
  if (body === undefined) throw corrupt('its header is not in braces');
  let rest = body.trim();
  while (rest !== '') {
    const found = MEMBER.exec(rest);
    if (found === null) throw corrupt(`its header is not as NumPy writes it at ${JSON.stringify(rest.slice(0, 40))}`);
    const [whole, name, value] = found as unknown as [string, string, string];
    if (members.has(name)) throw corrupt(`its header has ${name} twice`);
    members.set(name, value);
    rest = rest.slice(whole.length);
  }
  if (members.size !== 3) throw corrupt(`its header has the members ${[...members.keys()].join(', ') || 'of nothing'}`);
  return { descr: readDescr(members), fortranOrder: readOrder(members), shape: readShape(members) };
}

/** A name, a literal without a nested member, and the comma that all but the last must have. */
const MEMBER = /^'(descr|fortran_order|shape)'\s*:\s*('[^'\\]*'|True|False|\([\dL,\s]*\)|\[[^\]]*\])\s*(?:,\s*|$)/;

function readDescr(members: ReadonlyMap<string, string>): string {
  const value = members.get('descr') ?? '';
  if (value.startsWith('[')) throw unsupported('it is a structured array; save each field that is needed as an array of its own'); // prettier-ignore
  if (!value.startsWith("'")) throw corrupt('its header does not say the type of its values');
  return value.slice(1, -1);
}

function readOrder(members: ReadonlyMap<string, string>): boolean {
  const value = members.get('fortran_order');
  if (value !== 'True' && value !== 'False') throw corrupt('its header does not say the order of its values');
  return value === 'True';
}

/** More digits than any file has bytes. */
const MAX_DIGITS = 19;
/** NumPy allows 64. */
const MAX_DIMENSIONS = 64;

function readShape(members: ReadonlyMap<string, string>): bigint[] {
  const value = members.get('shape') ?? '';
  const inner = /^\(\s*((?:\d+L?\s*,\s*)*(?:\d+L?)?)\s*\)$/.exec(value)?.[1];
  if (inner === undefined) throw corrupt('its header does not say the shape of the array');
  const numbers = inner.split(',').map((number) => number.trim().replace(/L$/, '')).filter((number) => number !== ''); // prettier-ignore
  if (numbers.length > MAX_DIMENSIONS || numbers.some(({ length }) => length > MAX_DIGITS)) {
    throw corrupt('its header has a shape that no array has');
  }
  return numbers.map(BigInt);
}
