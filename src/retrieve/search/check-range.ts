import { ShortlistError, type ErrorCode } from '../../base/errors.js';

/** Returns the value if it is a whole number from 1 to `max`. @throws `code`, naming the field */
export function checkRange(code: ErrorCode, field: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new ShortlistError(code, `${field} is ${value}; give a whole number from 1 to ${max}`, { field, max });
}
