/**
 * Where in the JSON body of a search large values may stand: vectors as numbers or base64. Everything else is small,
 * so that a reader of large bodies can tell from the place alone what it will hold.
 */
import type { ErrorCode } from '../../base/errors.js';
import { MAX_BATCH, MAX_EXCLUDE_IDS, MAX_SEEDS } from '../../base/limits.js';

/** What a value at a place of the body may be, beside any small value. */
export interface Place {
  /** A list here is a vector. */
  readonly isVector?: true;
  /** A text here is vectors as base64. */
  readonly isBase64?: true;
  /** Places of an object's members by their names, and the place of a list's items; PLAIN where none is named. */
  readonly members?: ReadonlyMap<string, Place>;
  readonly items?: Place;
  /** Most items that a list here may have, and the code of more. */
  readonly maxItems?: number;
  readonly tooMany?: ErrorCode;
}

export const PLAIN: Place = {};

const VECTOR: Place = { isVector: true };
const BASE64: Place = { isBase64: true };
const SEED: Place = { members: new Map([['vector', VECTOR], ['vector_b64', BASE64]]) }; // prettier-ignore

/** The whole body of a search. */
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
