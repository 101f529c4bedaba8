/** Random searches that mean something: what is asked, in the judge's terms, and the same as JSON. */
import { below, makeFilter, pick } from '../retrieve/filter/random-filters.js';
import { jsonOf, type Condition, type Filter, type Literal } from '../retrieve/filter/naive.js';
import { DIM, type Catalog } from './catalog.js';

type Random = () => number;

/** A query: a vector, and the item that it is. */
export interface AskedQuery {
  readonly vector: Float32Array;
  readonly self: number | null;
}

export interface AskedSeed extends AskedQuery {
  readonly weight: number;
  readonly quota: number | null;
}

export interface Asked {
  readonly catalog: Catalog;
  /** Null for an unknown id. */
  readonly queries: readonly (AskedQuery | null)[];
  readonly seeds: readonly AskedSeed[] | null;
  readonly batch: boolean;
  readonly k: number;
  readonly filter: Filter | null;
  readonly excluded: ReadonlySet<number>;
  readonly minScore: number | null;
  readonly crowding: { readonly attribute: string; readonly limit: number } | null;
  readonly attributes: readonly string[] | null;
  readonly vectors: boolean;
  readonly explain: boolean;
  readonly whyNot: readonly string[];
  /** What the server may say instead of an answer. */
  readonly refusals: readonly string[];
}

type Json = Record<string, unknown>;

/** Terms go into a body or into a query string. */
export interface MadeSearch {
  readonly asked: Asked;
  readonly queries: Json;
  readonly terms: Json;
}

export function makeSearch(random: Random, catalog: Catalog): MadeSearch {
  const terms: Json = {};
  const maybe = (share: number, name: string, make: () => unknown) => {
    if (random() < share) terms[name] = make();
  };
  maybe(0.8, 'k', () => pick(random, [1, 2, 3, 10, 50, 100, 250, 400, 1_000, 10_000]));
  const refusals: string[] = [];
  const effort = random();
  if (effort < 0.25) terms['ef'] = pick(random, [1, 10, 100, 400, 10_000]);
  else if (effort < 0.45) terms['exact'] = true;
  else if (effort < 0.5) {
    terms['target_recall'] = pick(random, [0.5, 0.9, 1]);
    refusals.push('not_calibrated', 'recall_unreachable');
  }
  const filter = random() < 0.6 ? makeAnyFilter(random, catalog) : null;
  if (filter !== null) terms['filter'] = jsonOf(filter);
  const excluded = random() < 0.3 ? someIds(random, catalog, pick(random, [0, 1, 5, 100, 390])) : [];
  if (excluded.length > 0) terms['exclude_ids'] = excluded;
  maybe(0.2, 'min_score', () => (random() * 2 - 1) * (catalog.metric === 'l2' ? 2 : 1));
  const crowding = random() < 0.25 ? makeCrowding(random, catalog) : null;
  if (crowding !== null) terms['crowding'] = crowding;
  const names = random() < 0.3 ? someNames(random, catalog) : null;
  const vectors = random() < 0.1;
  if (names !== null || vectors) terms['include'] = { ...(names === null ? {} : { attributes: names }), vectors };
  const explain = random() < 0.15;
  if (explain) terms['explain'] = true;
  const whyNot = explain && random() < 0.5 ? someIds(random, catalog, 1 + below(random, 4)) : [];
  if (whyNot.length > 0) terms['why_not'] = whyNot;
  if (random() < 0.05) {
    terms['timeout_ms'] = pick(random, [0.001, 1, 1_000]);
    terms['allow_partial'] = random() < 0.5;
    refusals.push('deadline_exceeded');
  }
  const k = (terms['k'] as number | undefined) ?? 100;
  const made = makeQueries(random, catalog, k);
  const asked: Asked = {
    catalog, k, filter, crowding, vectors, explain, whyNot, refusals,
    queries: made.queries, seeds: made.seeds, batch: made.batch,
    excluded: ordinalsOf(catalog, excluded),
    minScore: (terms['min_score'] as number | undefined) ?? null,
    attributes: names,
  }; // prettier-ignore
  return { asked, queries: made.json, terms };
}

/** At least one: a query string has no way to say none. */
function someNames(random: Random, { columns }: Catalog): string[] {
  return [...new Set(Array.from({ length: 1 + below(random, 5) }, () => pick(random, columns).name))];
}

function makeCrowding(random: Random, { columns }: Catalog): { attribute: string; limit: number } {
  const single = columns.filter(({ type }) => type.kind !== 'list');
  return { attribute: pick(random, single).name, limit: pick(random, [1, 1, 2, 5, 100]) };
}

/** By attributes, by ids, or both. */
function makeAnyFilter(random: Random, catalog: Catalog): Filter {
  const byAttributes = makeFilter(random, catalog.columns, below(random, 4));
  if (random() < 0.75) return byAttributes;
  const byIds: Filter = { kind: 'attributes', members: [{ name: 'id', conditions: [idCondition(random, catalog)] }] };
  switch (below(random, 4)) {
    case 0:
      return byIds;
    case 1:
      return { kind: '$and', filters: [byAttributes, byIds] };
    case 2:
      return { kind: '$or', filters: [byIds, byAttributes] };
    default:
      return { kind: '$and', filters: [byAttributes, { kind: '$not', filter: byIds }] };
  }
}

function idCondition(random: Random, catalog: Catalog): Condition {
  const literalOf = (id: string): Literal => ({ json: isNumber(id) && random() < 0.5 ? Number(id) : id, value: id });
  const literals = someIds(random, catalog, 1 + below(random, pick(random, [1, 5, 200]))).map(literalOf);
  const many = random() < 0.5;
  if (many) return { operator: pick(random, ['$in', '$nin'] as const), literals };
  return { operator: pick(random, ['$eq', '$ne'] as const), literal: literals[0]!, bare: random() < 0.5 };
}

function isNumber(id: string): boolean {
  return /^(0|[1-9]\d{0,14})$/.test(id);
}

/** Ids of the catalog, of which one in ten is not there. */
function someIds(random: Random, { ids }: Catalog, count: number): string[] {
  const one = () => (random() < 0.1 ? `nobody-${below(random, 100)}` : pick(random, ids));
  return [...new Set(Array.from({ length: count }, one))];
}

function ordinalsOf({ ordinals }: Catalog, ids: readonly string[]): Set<number> {
  return new Set(ids.map((id) => ordinals.get(id)).filter((ordinal) => ordinal !== undefined));
}

type MadeQueries = Pick<Asked, 'queries' | 'seeds' | 'batch'> & { readonly json: Json };

function makeQueries(random: Random, catalog: Catalog, k: number): MadeQueries {
  const form = pick(random, [
    'vector',
    'vector_b64',
    'id',
    'vectors',
    'vectors_b64',
    'packed',
    'ids',
    'seeds',
  ] as const);
  const several = () => Array.from({ length: pick(random, [0, 1, 2, 7]) }, () => makeVector(random));
  const one = (query: AskedQuery, json: Json): MadeQueries => ({ queries: [query], seeds: null, batch: false, json });
  switch (form) {
    case 'vector': {
      const vector = makeVector(random);
      return one({ vector, self: null }, { vector: Array.from(vector) });
    }
    case 'vector_b64': {
      const vector = makeVector(random);
      return one({ vector, self: null }, { vector_b64: base64(vector) });
    }
    case 'id': {
      const self = below(random, catalog.ids.length);
      return one(itemQuery(catalog, self), { id: catalog.ids[self] });
    }
    case 'vectors':
      return batch(several(), (vectors) => ({ vectors: vectors.map((vector) => Array.from(vector)) }));
    case 'vectors_b64':
      return batch(several(), (vectors) => ({ vectors_b64: vectors.map(base64) }));
    case 'packed': {
      const vectors = [makeVector(random), ...several()];
      return batch(vectors, () => ({ vectors_b64: base64(joinVectors(vectors)) }));
    }
    case 'ids': {
      const ids = someIds(random, catalog, below(random, 6));
      const queries = ids.map((id) => {
        const self = catalog.ordinals.get(id);
        return self === undefined ? null : itemQuery(catalog, self);
      });
      return { queries, seeds: null, batch: true, json: { ids } };
    }
    case 'seeds': {
      const seeds = Array.from({ length: 1 + below(random, 5) }, () => makeSeed(random, catalog, k));
      return {
        queries: [],
        seeds,
        batch: false,
        json: { seeds: seeds.map((seed) => seedJson(random, catalog, seed)) },
      };
    }
  }
}

function batch(vectors: readonly Float32Array[], json: (vectors: readonly Float32Array[]) => Json): MadeQueries {
  return { queries: vectors.map((vector) => ({ vector, self: null })), seeds: null, batch: true, json: json(vectors) };
}

function makeSeed(random: Random, catalog: Catalog, k: number): AskedSeed {
  const query =
    random() < 0.5 ? itemQuery(catalog, below(random, catalog.ids.length)) : { vector: makeVector(random), self: null };
  const quota = random() < 0.3 ? 1 + below(random, k) : null;
  return { ...query, weight: pick(random, [1, 1, 0.5, 2, 0.001, 1000]), quota };
}

function seedJson(random: Random, { ids }: Catalog, { vector, self, weight, quota }: AskedSeed): Json {
  const query =
    self !== null
      ? { id: ids[self] }
      : random() < 0.5
        ? { vector: Array.from(vector) }
        : { vector_b64: base64(vector) };
  return { ...query, ...(weight === 1 ? {} : { weight }), ...(quota === null ? {} : { quota }) };
}

function itemQuery({ vectors }: Catalog, self: number): AskedQuery {
  return { vector: vectors.slice(self * DIM, (self + 1) * DIM), self };
}

function makeVector(random: Random): Float32Array {
  return Float32Array.from({ length: DIM }, () => random() * 2 - 1);
}

export function joinVectors(vectors: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(vectors.length * DIM);
  vectors.forEach((vector, i) => joined.set(vector, i * DIM));
  return joined;
}

function base64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
}
