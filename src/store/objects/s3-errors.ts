/** Failures of the S3 client as coded errors. Takes a call and the statuses that are answers; all others are thrown. */
import type { Readable } from 'node:stream';
import { ShortlistError } from '../../base/errors.js';
import { storeError } from './object-store.js';

/** What the client throws: a service error, an error of the network, or an error before anything was sent. */
interface S3Failure {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Names of failures that no repetition mends. */
const REFUSALS = new Set(['CredentialsProviderError', 'TokenProviderError', 'NoSuchBucket', 'InvalidBucketName']);

/** Statuses that pass: too many requests, and time that ran out. */
const PASSING = new Set([408, 425, 429]);

/** @param answers what to return for a status, instead of an error @throws the signal's reason if it was aborted */
export async function callS3<T, Answer extends string = never>(
  action: string,
  signal: AbortSignal | undefined,
  call: () => Promise<T>,
  answers: Readonly<Record<number, Answer>>,
): Promise<T | Answer> {
  try {
    return await call();
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ShortlistError) throw error;
    const failure = error as S3Failure;
    const status = failure.$metadata?.httpStatusCode;
    if (status !== undefined && Object.hasOwn(answers, status) && !REFUSALS.has(failure.name ?? '')) {
      return answers[status]!;
    }
    throw describeFailure(action, failure, status);
  }
}

/**
 * The bytes of an answer. A connection that is cut is a failure like those of calls. The client does not stop a body
 * when its signal is aborted, so that is done here.
 */
export async function* readS3Body(
  action: string,
  signal: AbortSignal | undefined,
  body: Readable,
): AsyncGenerator<Uint8Array> {
  const stop = (): void => void body.destroy();
  if (signal?.aborted === true) stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    for await (const part of body) yield part as Uint8Array;
  } catch (error) {
    signal?.throwIfAborted();
    throw describeFailure(action, error as S3Failure, undefined);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

function describeFailure(action: string, failure: S3Failure, status: number | undefined): ShortlistError {
  const { name = 'Error', message = '', code } = failure;
  const said = message === '' || message === 'UnknownError' ? (code ?? name) : message;
  if (/region is missing/i.test(message)) {
    return storeError('store_refused', action, 'no region is set', { cause: failure, advice: 'set AWS_REGION' });
  }
  const isNo = REFUSALS.has(name) || (status !== undefined && status >= 300 && status < 500 && !PASSING.has(status));
  const where = status === undefined ? said : `${said} (${name}, status ${status})`;
  return storeError(isNo ? 'store_refused' : 'store_unavailable', action, where, { cause: failure });
}
