/** Reads the seeds of a search from JSON: vectors or items to search for together, each with weight and quota. */
import { MAX_K, MAX_SEEDS } from '../../base/limits.js';
import { fieldError } from './field-error.js';
import { readCount, readId, readList, readMembers, readNumber } from './json-values.js';
import { readBase64Vector, readJsonVector } from './vectors.js';

export interface SeedRequest {
  /** The item that is the seed, or its vector. */
  readonly query: { readonly id: string } | { readonly vector: Float32Array };
  /** JSON pointer to the id or vector. */
  readonly field: string;
  readonly weight: number;
  readonly quota: number | undefined;
}

const QUERY_MEMBERS = ['id', 'vector', 'vector_b64'] as const;
const MEMBERS = [...QUERY_MEMBERS, 'weight', 'quota'];

/** @throws bad_request if a seed has no query or several; bad_field, unknown_field and the codes of vectors */
export function readSeeds(value: unknown, field: string): SeedRequest[] {
  const list = readList(value, field, MAX_SEEDS, 'batch_too_large');
  if (list.length === 0) throw fieldError('bad_field', field, `${field} is empty; give at least one seed`);
  return list.map((seed, position) => readSeed(seed, `${field}/${position}`));
}

function readSeed(value: unknown, field: string): SeedRequest {
  const members = readMembers(value, field, MEMBERS);
  const { weight, quota } = members;
  return {
    ...readQuery(members, field),
    weight: weight === undefined ? 1 : readWeight(weight, `${field}/weight`),
    quota: quota === undefined ? undefined : readCount(quota, `${field}/quota`, MAX_K),
  };
}

function readQuery(members: Record<string, unknown>, field: string): Pick<SeedRequest, 'query' | 'field'> {
  const given = QUERY_MEMBERS.filter((name) => members[name] !== undefined);
  const [name] = given;
  if (name === undefined || given.length > 1) {
    const found = name === undefined ? 'has no query' : `has ${given.join(' and ')}`;
    throw fieldError('bad_request', field, `${field} ${found}; give one of ${QUERY_MEMBERS.join(', ')}`);
  }
  const at = `${field}/${name}`;
  const query = members[name];
  switch (name) {
    case 'id':
      return { query: { id: readId(query, at) }, field: at };
    case 'vector':
      return { query: { vector: readJsonVector(query, at) }, field: at };
    case 'vector_b64':
      return { query: { vector: readBase64Vector(query, at) }, field: at };
  }
}

function readWeight(value: unknown, field: string): number {
  const weight = readNumber(value, field);
  if (weight >= MIN_WEIGHT && weight <= MAX_WEIGHT) return weight;
  const message = `weight is ${weight}; give a number from ${MIN_WEIGHT} to ${MAX_WEIGHT}`;
  throw fieldError('bad_field', field, message);
}

/** A score times or divided by a weight must stay a finite float32. Beyond these limits one seed always wins. */
const MIN_WEIGHT = 1e-6;
const MAX_WEIGHT = 1e6;
