/** Faults of Arrow bytes, found by code that does not know the file. `nameFault` makes the error that names it. */
import { ioError, ShortlistError, type ErrorDetails } from '../base/errors.js';

type FaultCode = 'input_corrupt' | 'input_unsupported' | 'input_format';

export class ArrowFault extends Error {
  override readonly name = 'ArrowFault';
  readonly code: FaultCode;
  readonly details: ErrorDetails;

  constructor(code: FaultCode, message: string, details: ErrorDetails = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** The bytes contradict themselves. @param what a clause: `record batch 3 ends after the end of the file` */
export function corrupt(what: string, details: ErrorDetails = {}): ArrowFault {
  return new ArrowFault('input_corrupt', what, details);
}

/** Valid Arrow that is not read. @param what a clause that ends with what to do instead */
export function unsupported(what: string, details: ErrorDetails = {}): ArrowFault {
  return new ArrowFault('input_unsupported', what, details);
}

/** The same fault with its place in front, for callers that know the batch or the column. */
export function placeFault(place: string, error: unknown, details: ErrorDetails = {}): unknown {
  if (!(error instanceof ArrowFault)) return error;
  return new ArrowFault(error.code, `${place}: ${error.message}`, { ...details, ...error.details });
}

const SENTENCES: Record<FaultCode, (path: string, what: string) => string> = {
  input_corrupt: (path, what) => `${path} is damaged or cut short: ${what}; write it again from its source`,
  input_unsupported: (path, what) => `${path} cannot be read: ${what}`,
  input_format: (path, what) => `${path} ${what}`,
};

/** A fault, or an error of the operating system, as the error of this file. Bugs stay as they are. */
export function nameFault(path: string, error: unknown): unknown {
  if (error instanceof ArrowFault) {
    const message = SENTENCES[error.code](path, error.message);
    return new ShortlistError(error.code, message, { file: path, ...error.details }, { cause: error });
  }
  if (error instanceof Error && 'syscall' in error) return ioError('read', path, error);
  return error;
}
