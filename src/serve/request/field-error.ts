/** Errors that name the invalid field of the request, as a JSON pointer in `field`. */
import { ShortlistError, type ErrorCode } from '../../base/errors.js';

export function fieldError(code: ErrorCode, field: string, message: string): ShortlistError {
  return new ShortlistError(code, message, { field });
}

/** Runs a check that does not know the field, and adds the field to its error. */
export function withField<T>(field: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
    throw new ShortlistError(error.code, error.message, { ...error.details, field }, { cause: error });
  }
}

/** Adds the JSON pointer to an error that names an option or a part of a filter. */
export function withOptionField(error: unknown): unknown {
  if (!(error instanceof ShortlistError)) return error;
  const { field, path } = error.details;
  const name = path ?? field;
  if (typeof name !== 'string') return error;
  const at = name.startsWith('/') ? name : `/${name.replaceAll('.', '/')}`;
  return new ShortlistError(error.code, error.message, { ...error.details, field: at }, { cause: error });
}

/** The type of a JSON value, for messages. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'boolean') return String(value);
  return `a ${typeof value}`;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
