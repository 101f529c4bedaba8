/** Errors that name the field of the request which is wrong, as a JSON pointer in `field`. */
import { ShortlistError, type ErrorCode } from '../../base/errors.js';

export function fieldError(code: ErrorCode, field: string, message: string): ShortlistError {
  return new ShortlistError(code, message, { field });
}

/** Runs a check that knows no fields; its error leaves with the field's name. */
export function withField<T>(field: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
    throw new ShortlistError(error.code, error.message, { ...error.details, field }, { cause: error });
  }
}

/**
 * The error of a check that knows options by their names: with the pointer to the field, as those of filters have it.
 */
export function withOptionField(error: unknown): unknown {
  if (!(error instanceof ShortlistError)) return error;
  const { field, path } = error.details;
  const name = path ?? field;
  if (typeof name !== 'string') return error;
  const at = name.startsWith('/') ? name : `/${name.replaceAll('.', '/')}`;
  return new ShortlistError(error.code, error.message, { ...error.details, field: at }, { cause: error });
}

/** The kind of a JSON value, in words for a message. */
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
