/**
 * Readers of JSON values, exact and without coercion. Each takes a value and where it stands, as a JSON pointer; it
 * gives the value typed, or throws with that pointer and what was expected.
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

/** @param field where the text stands. @throws bad_request for an object that has a member twice */
export function refuseDuplicates(text: string, field: string): void {
  const duplicate = findDuplicateMember(text);
  if (duplicate !== null) throw duplicateMember(field + duplicate);
}

/** @param field where the second one stands */
export function duplicateMember(field: string): ShortlistError {
  return fieldError('bad_request', field, `${field} is given twice; give it once. ${SEVERAL_CONDITIONS}`);
}

/** An object of these members, of which those that are null are as left out. @throws bad_field, unknown_field */
export function readMembers(value: unknown, field: string, known: readonly string[]): Record<string, unknown> {
  const object = readObject(value, field);
  for (const name of Object.keys(object)) {
    if (!known.includes(name)) throw unknownMember(field, name, known);
  }
  return Object.fromEntries(Object.entries(object).filter(([, member]) => member !== null));
}

/** @param parent the object's own pointer, empty for the whole body */
export function unknownMember(parent: string, name: string, known: readonly string[]): ShortlistError {
  const where = parent === '' ? 'there is' : `${parent.slice(1)} has`;
  const message = `${where} no field ${quote(name)}${didYouMean(name, known)}`;
  return fieldError('unknown_field', parent + pointerStep(name), message);
}

/** @throws the given code where there are more; bad_field */
export function readList(value: unknown, field: string, max: number, tooMany: ErrorCode = 'bad_field'): unknown[] {
  if (!Array.isArray(value)) throw fieldError('bad_field', field, `${field} is ${kindOf(value)}; give a list`);
  if (value.length <= max) return value as unknown[];
  throw fieldError(tooMany, field, `${field} has ${value.length} entries; at most ${max} are taken`);
}

/** A list of ids. */
export function readIds(value: unknown, field: string, max: number, tooMany: ErrorCode = 'bad_field'): string[] {
  return readList(value, field, max, tooMany).map((id, position) => readId(id, `${field}/${position}`));
}

/** Ids are text. A whole number is taken for its digits, up to where JSON's numbers stop being exact. */
export function readId(value: unknown, field: string): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'number')
    throw fieldError('bad_field', field, `${field} is ${kindOf(value)}; give an id as text`);
  if (!Number.isSafeInteger(value)) {
    throw fieldError('bad_field', field, `${field} is no whole number that JSON carries exactly; give the id as text`);
  }
  return String(value);
}

/** A whole number from 1 on. @throws the given code for another number; bad_field for what is none */
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
