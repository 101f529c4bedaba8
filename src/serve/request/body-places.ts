/**
 * The places in the JSON body of a search where large values are allowed: vectors as numbers or base64. All other
 * values are small, so that the reader of large bodies knows from the place alone what to expect.
 */
import type { ErrorCode } from '../../base/errors.js';
import { MAX_BATCH, MAX_EXCLUDE_IDS, MAX_SEEDS } from '../../base/limits.js';

/** What is allowed at a place, besides any small value. */
export interface Place {
  /** A list here is a vector of numbers. */
  readonly isVector?: true;
  /** A text here is vectors as base64. */
  readonly isBase64?: true;
  /** Places of an object's members by name, and of a list's items; PLAIN if not given. */
  readonly members?: ReadonlyMap<string, Place>;
  readonly items?: Place;
  /** Maximum number of items of a list, and the error code for more. */
  readonly maxItems?: number;
  readonly tooMany?: ErrorCode;
}

export const PLAIN: Place = {};

const VECTOR: Place = { isVector: true };
const BASE64: Place = { isBase64: true };
const SEED: Place = { members: new Map([['vector', VECTOR], ['vector_b64', BASE64]]) }; // prettier-ignore

export const SEARCH_PLACE: Place = {
  members: new Map<string, Place>([
    ['vector', VECTOR],
    ['vector_b64', BASE64],
    ['vectors', { items: VECTOR, maxItems: MAX_BATCH, tooMany: 'batch_too_large' }],
    ['vectors_b64', { ...BASE64, items: BASE64, maxItems: MAX_BATCH, tooMany: 'batch_too_large' }],
    ['ids', { maxItems: MAX_BATCH, tooMany: 'batch_too_large' }],
    ['seeds', { items: SEED, maxItems: MAX_SEEDS, tooMany: 'batch_too_large' }],
    ['exclude_ids', { maxItems: MAX_EXCLUDE_IDS, tooMany: 'bad_field' }],
  ]),
};
