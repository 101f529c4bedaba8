/**
 * Strict readers of JSON values. Each takes a value and its JSON pointer, and returns the typed value or throws an
 * error with that pointer and what was expected.
 */
import type { ShortlistError } from '../../base/errors.js';
import { type ErrorCode } from '../../base/errors.js';
import { SEVERAL_CONDITIONS, findDuplicateMember } from '../../base/duplicate-members.js';
import { pointerStep, shortenName } from '../../base/json-pointer.js';
import { didYouMean } from '../../base/nearest-name.js';
import { fieldError, isObject, kindOf } from './field-error.js';

/** @throws bad_field */
function readObject(value: unknown, field: string): Record<string, unknown> {
  if (isObject(value)) return value;
  throw fieldError('bad_field', field, `${field} is ${kindOf(value)}; give an object`);
}

/** @param field JSON pointer to the text. @throws bad_request for a duplicate member */
export function refuseDuplicates(text: string, field: string): void {
  const duplicate = findDuplicateMember(text);
  if (duplicate !== null) throw duplicateMember(field + duplicate);
}

/** @param field JSON pointer to the second member */
export function duplicateMember(field: string): ShortlistError {
  return fieldError('bad_request', field, `${field} is given twice; give it once. ${SEVERAL_CONDITIONS}`);
}

/** An object with only these members; null members count as left out. @throws bad_field, unknown_field */
export function readMembers(value: unknown, field: string, known: readonly string[]): Record<string, unknown> {
  const object = readObject(value, field);
  for (const name of Object.keys(object)) {
    if (!known.includes(name)) throw unknownMember(field, name, known);
  }
  return Object.fromEntries(Object.entries(object).filter(([, member]) => member !== null));
}

/** @param parent JSON pointer to the object, empty for the body */
export function unknownMember(parent: string, name: string, known: readonly string[]): ShortlistError {
  const where = parent === '' ? 'there is' : `${parent.slice(1)} has`;
  const message = `${where} no field ${quote(name)}${didYouMean(name, known)}`;
  return fieldError('unknown_field', parent + pointerStep(name), message);
}

/** @throws the given code if the list is too long; bad_field */
export function readList(value: unknown, field: string, max: number, tooMany: ErrorCode = 'bad_field'): unknown[] {
  if (!Array.isArray(value)) throw fieldError('bad_field', field, `${field} is ${kindOf(value)}; give a list`);
  if (value.length <= max) return value as unknown[];
  throw fieldError(tooMany, field, `${field} has ${value.length} entries; at most ${max} are allowed`);
}

export function readIds(value: unknown, field: string, max: number, tooMany: ErrorCode = 'bad_field'): string[] {
  return readList(value, field, max, tooMany).map((id, position) => readId(id, `${field}/${position}`));
}

/** Ids are text. An integer stands for its digits, as far as JSON numbers are exact. */
export function readId(value: unknown, field: string): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'number')
    throw fieldError('bad_field', field, `${field} is ${kindOf(value)}; give an id as text`);
  if (!Number.isSafeInteger(value)) {
    throw fieldError(
      'bad_field',
      field,
      `${field} is not an integer that JSON represents exactly; give the id as text`,
    );
  }
  return String(value);
}

/** An integer from 1 to max. @throws the given code for another number; bad_field for other values */
export function readCount(value: unknown, field: string, max: number, outside: ErrorCode = 'bad_field'): number {
  const number = readNumber(value, field);
  if (Number.isInteger(number) && number >= 1 && number <= max) return number;
  throw fieldError(outside, field, `${field.slice(1)} is ${number}; give a whole number from 1 to ${max}`);
}

export function readNumber(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw fieldError('bad_field', field, `${field} is ${kindOf(value)}; give a finite number`);
}

export function readBoolean(value: unknown, field: string): boolean {
  if (typeof value === 'boolean') return value;
  throw fieldError('bad_field', field, `${field} is ${kindOf(value)}; give true or false`);
}

export function readText(value: unknown, field: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw fieldError('bad_field', field, `${field} is ${value === '' ? 'empty' : kindOf(value)}; give a text`);
}

function quote(name: string): string {
  return JSON.stringify(shortenName(name));
}
