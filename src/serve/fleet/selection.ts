/**
 * Which rows a request may return, as a gateway tells a leaf. A leaf keeps nothing of a request: every message says it
 * again, and the leaf's cache of filters makes the second time cheap. So any replica can answer any message.
 */
import type { JsonValue } from '../../arrow/column-value.js';
import { MAX_K } from '../../base/limits.js';
import type { CrowdingOptions } from '../../retrieve/search/search-options.js';
import type { Fields } from '../../version/disk/fields.js';

/** For all queries of a request. */
export interface Selection {
  /** As in the request; undefined: none. */
  readonly filter: unknown;
  /** Ids that may belong to the leaf's shards; those of other shards would be unknown to it. */
  readonly excludeIds: readonly string[];
  readonly crowding: CrowdingOptions | undefined;
}

/** For one query. */
export interface OwnSelection {
  /** Ordinals of the items that are queries themselves. Those of other leaves are ignored. */
  readonly selfs: readonly number[];
  /** Values of the crowding attribute whose rows are left out. */
  readonly values: readonly JsonValue[];
}

export function writeSelection({ filter, excludeIds, crowding }: Selection): object {
  return {
    ...(filter !== undefined && { filter }),
    ...(excludeIds.length > 0 && { exclude_ids: excludeIds }),
    ...(crowding !== undefined && { crowding }),
  };
}

/** @throws FieldError */
export function readSelection(fields: Fields): Selection {
  const members = fields.all();
  return {
    filter: members['filter'],
    excludeIds: members['exclude_ids'] === undefined ? [] : fields.texts('exclude_ids'),
    crowding: members['crowding'] === undefined ? undefined : readCrowding(fields.object('crowding')),
  };
}

function readCrowding(fields: Fields): CrowdingOptions {
  return { attribute: fields.text('attribute'), limit: fields.integer('limit', 1, MAX_K) };
}

export function writeOwn({ selfs, values }: OwnSelection): object {
  return { ...(selfs.length > 0 && { selfs }), ...(values.length > 0 && { values }) };
}

/** @throws FieldError */
export function readOwn(fields: Fields): OwnSelection {
  const { selfs, values } = fields.all();
  if (values !== undefined && !Array.isArray(values)) fields.fail('values', 'is not a list');
  return {
    selfs: selfs === undefined ? [] : fields.integers('selfs', 0, 2 ** 32 - 1),
    values: (values as readonly JsonValue[] | undefined) ?? [],
  };
}
