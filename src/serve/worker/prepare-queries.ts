/** Turns the queries of a request into those of a search, and checks each against the version. */
import { ShortlistError } from '../../base/errors.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { checkQuery } from '../../retrieve/search/query.js';
import type { QueryKind } from '../../retrieve/search/search.js';
import type { SeedQuery } from '../../retrieve/search/search-options.js';
import { withField, fieldError } from '../request/field-error.js';
import type { PlainQueries, OrError, SearchRequest } from '../request/search-request.js';
import type { SeedRequest } from '../request/seeds.js';
import { unpackVectors } from '../request/vectors.js';

/** What one answer is for: one query, or seeds. */
export interface Query {
  readonly kind: QueryKind;
  readonly queries: readonly SeedQuery[];
}

/** What queries are checked against and taken from. */
export type QuerySource = Pick<LoadedVersion, 'manifest' | 'ordinalOf' | 'vectorOf'>;

/** A query, or the error with which it fails alone. */
export type Prepared = Query | { readonly error: ShortlistError };

/**
 * May pause after each query. The queries reuse the memory of the request's vectors.
 * @throws codes of vectors if all fail alike; with seeds also unknown_id, and bad_field for a quota above k
 */
export function* prepareQueries(
  version: QuerySource,
  { queries, options }: SearchRequest,
): Generator<void, Prepared[], void> {
  if (queries.kind !== 'seeds') return yield* preparePlainQueries(version, queries);
  return [{ kind: 'seeds', queries: prepareSeeds(version, queries.seeds, options.k) }];
}

function* preparePlainQueries(version: QuerySource, queries: PlainQueries): Generator<void, Prepared[], void> {
  switch (queries.kind) {
    case 'ids':
      return yield* prepareEach(queries.ids, (id) => prepareId(version, id));
    case 'vectors': {
      const { vectors, fields } = queries;
      return checkSomeLengthFits(yield* prepareVectors(version, vectors, (position) => fields[position]!));
    }
    case 'packed': {
      const { field } = queries;
      const vectors = withField(field, () => unpackVectors(queries, version.manifest.dim));
      return yield* prepareVectors(version, vectors, () => field);
    }
  }
}

function prepareVectors(
  { manifest }: QuerySource,
  vectors: readonly OrError<Float32Array>[],
  fieldOf: (position: number) => string,
): Generator<void, Prepared[], void> {
  return prepareEach(vectors, (vector, position) => {
    if (vector instanceof ShortlistError) return { error: vector };
    const at = vectors.length === 1 ? undefined : position;
    try {
      const query = withField(fieldOf(position), () => checkQuery(manifest, vector, at, vector));
      return { kind: 'single', queries: [{ query, weight: 1 }] };
    } catch (error) {
      if (error instanceof ShortlistError) return { error };
      throw error;
    }
  });
}

function* prepareEach<T>(
  queries: readonly T[],
  prepare: (query: T, position: number) => Prepared,
): Generator<void, Prepared[], void> {
  const prepared: Prepared[] = [];
  for (const [position, query] of queries.entries()) {
    prepared.push(prepare(query, position));
    if (position + 1 < queries.length) yield;
  }
  return prepared;
}

/**
 * If no vector has the dimension of the index, the batch is meant for another index and is refused. @throws
 * dimension_mismatch
 */
function checkSomeLengthFits(prepared: Prepared[]): Prepared[] {
  const isOther = (query: Prepared) => 'error' in query && query.error.code === 'dimension_mismatch';
  const [first] = prepared;
  if (first !== undefined && 'error' in first && prepared.every(isOther)) throw first.error;
  return prepared;
}

function prepareId(version: QuerySource, id: OrError<string>): Prepared {
  if (id instanceof ShortlistError) return { error: id };
  const self = version.ordinalOf(id);
  if (self < 0) return { error: unknownIdError(version.manifest, id) };
  return {
    kind: 'single',
    // Read only when searched: reading all vectors of a batch takes milliseconds.
    get queries() {
      return [{ query: version.vectorOf(self), weight: 1, self }];
    },
  };
}

export function unknownIdError({ index }: Pick<Manifest, 'index'>, id: string): ShortlistError {
  return new ShortlistError('unknown_id', `index ${index} has no item ${JSON.stringify(id.slice(0, 64))}`, {
    id: id.slice(0, 64),
  });
}

function prepareSeeds(version: QuerySource, seeds: readonly SeedRequest[], k: number): SeedQuery[] {
  return seeds.map((seed, position) => {
    if (seed.quota !== undefined && seed.quota > k) {
      const field = `/seeds/${position}/quota`;
      throw fieldError('bad_field', field, `quota is ${seed.quota}; give at most k, which is ${k}`);
    }
    return { ...prepareSeed(version, seed), weight: seed.weight, quota: seed.quota };
  });
}

function prepareSeed(version: QuerySource, { query: of, field }: SeedRequest): Pick<SeedQuery, 'query' | 'self'> {
  return withField(field, () => {
    if ('vector' in of) return { query: checkQuery(version.manifest, of.vector), self: undefined };
    const ordinal = version.ordinalOf(of.id);
    if (ordinal < 0) throw unknownIdError(version.manifest, of.id);
    return { query: version.vectorOf(ordinal), self: ordinal };
  });
}

/** @throws bad_request for several queries with batch=false */
export function isSingleAnswer(batch: boolean | null, queries: number): boolean {
  if (batch === false && queries !== 1) {
    throw fieldError('bad_request', '/batch', `the body has ${queries} vectors, but batch=false allows only one`);
  }
  return batch === null ? queries === 1 : !batch;
}
