/** The interface that the search route fills, independent of the form of the answer. */
import { ShortlistError } from '../../base/errors.js';
import { MAX_ANSWER_BYTES } from '../../base/limits.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import type { Answer } from '../../retrieve/search/answer.js';
import type { Include } from '../request/search-request.js';

/** The answers of one request, by the positions of its queries, in any order. */
export interface Answers {
  /** A large answer may be written later, in turns with the event loop. @throws answer_too_large, overloaded */
  add(position: number, answer: Answer): void;
  fail(position: number, error: ShortlistError): void;
  /** True once the query has an answer or has failed. */
  has(position: number): boolean;
  /**
   * The body in pieces. Every query must have an answer or have failed.
   * @param tookMs returns the milliseconds since the request arrived
   * @throws answer_too_large, overloaded, deadline_exceeded
   */
  finish(tookMs: () => number): readonly Buffer[] | Promise<readonly Buffer[]>;
}

/** Bytes of a candidate with a short id and without attributes as text, and of a vector's component. */
const CANDIDATE_BYTES = 40;
const COMPONENT_BYTES = 12;

/** Refuses before the search an answer that would certainly be too large. @throws answer_too_large */
export function checkAnswerSize({ count, dim }: Manifest, queries: number, k: number, include: Include): void {
  const candidate = CANDIDATE_BYTES + (include.vectors ? dim * COMPONENT_BYTES : 0);
  if (queries * Math.min(k, count) * candidate > MAX_ANSWER_BYTES) throw answerTooLarge();
}

export function answerTooLarge(): ShortlistError {
  const message = `the answer would exceed the limit of ${MAX_ANSWER_BYTES} bytes; use a smaller k, fewer queries or fewer included values`;
  return new ShortlistError('answer_too_large', message, { limit: MAX_ANSWER_BYTES });
}
