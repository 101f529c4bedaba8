/**
 * The truth: the exact k nearest rows of each query, by a scan of every vector. It is the same for every build of the
 * same vectors, so it is cached by content: the version's content digest, the queries, k. With a filter it also depends
 * on attributes and is not cached.
 */
import { createHash } from 'node:crypto';
import { TRUTH_QUERIES_PER_PASS } from '../base/limits.js';
import type { ExactSearch } from '../engine/exact-search.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import { searchExact } from '../retrieve/search/run-search.js';
import type { QuerySet } from './queries.js';

export interface Truth {
  readonly k: number;
  /** Ordinals of each query's nearest rows, best first; fewer than k if there are fewer rows. */
  readonly neighbors: readonly Uint32Array[];
}

/** Stores truths between runs. Keys are hex digests. */
export interface TruthCache {
  read(key: string): Promise<Uint8Array | null>;
  write(key: string, bytes: Uint8Array): Promise<void>;
}

interface TruthOptions {
  readonly k: number;
  readonly filter?: unknown;
  readonly pool: ExactSearch;
  readonly cache?: TruthCache | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export async function findTruth(version: LoadedVersion, queries: QuerySet, options: TruthOptions): Promise<Truth> {
  if (options.filter !== undefined) return computeTruth(version, queries, options);
  const key = truthKey(version, queries, options.k);
  const cached = await options.cache?.read(key);
  const decoded = cached ? decodeTruth(cached, queries.count, options.k, version.manifest.count) : null;
  if (decoded !== null) return decoded;
  const truth = await computeTruth(version, queries, options);
  if (queries.count * options.k <= MAX_CACHED_NEIGHBORS) await options.cache?.write(key, encodeTruth(truth));
  return truth;
}

async function computeTruth(version: LoadedVersion, queries: QuerySet, options: TruthOptions): Promise<Truth> {
  const { dim } = version.manifest;
  const { k, filter, pool, signal } = options;
  const neighbors: Uint32Array[] = [];
  for (let from = 0; from < queries.count; from += TRUTH_QUERIES_PER_PASS) {
    const to = Math.min(queries.count, from + TRUTH_QUERIES_PER_PASS);
    const vectors = queries.vectors.subarray(from * dim, to * dim);
    const selves = queries.selfOrdinals === null ? [] : Array.from(queries.selfOrdinals.subarray(from, to));
    const answers = await searchExact(version, pool, vectors, { k, filter }, selves, { signal });
    neighbors.push(...answers.map((answer) => answer.ordinals));
    options.onProgress?.(to, queries.count);
  }
  return { k, neighbors };
}

function truthKey(version: LoadedVersion, queries: QuerySet, k: number): string {
  const hash = createHash('sha256');
  hash.update(
    `truth 1\n${version.manifest.content}\n${version.manifest.metric}\n${k}\n${queries.selfOrdinals === null ? 'external' : 'held-in'}\n`,
  );
  if (queries.selfOrdinals !== null)
    hash.update(
      new Uint8Array(queries.selfOrdinals.buffer, queries.selfOrdinals.byteOffset, queries.selfOrdinals.byteLength),
    );
  hash.update(new Uint8Array(queries.vectors.buffer, queries.vectors.byteOffset, queries.vectors.byteLength));
  return hash.digest('hex');
}

/** k ordinals per query, little-endian, padded with 0xffffffff; then the sha256 of it all. */
function encodeTruth(truth: Truth): Uint8Array {
  const table = new Uint32Array(truth.neighbors.length * truth.k).fill(NO_NEIGHBOR);
  for (const [position, ordinals] of truth.neighbors.entries()) table.set(ordinals, position * truth.k);
  const bytes = new Uint8Array(table.buffer);
  return Buffer.concat([bytes, createHash('sha256').update(bytes).digest()]);
}

/** A larger table (1 GiB) is computed again faster than stored. */
const MAX_CACHED_NEIGHBORS = 2 ** 28;

const NO_NEIGHBOR = 0xffffffff;
const DIGEST_BYTES = 32;

/** Returns null for anything that `encodeTruth` does not write for these sizes: a damaged entry is computed again. */
function decodeTruth(bytes: Uint8Array, queries: number, k: number, count: number): Truth | null {
  const tableBytes = queries * k * 4;
  if (bytes.byteLength !== tableBytes + DIGEST_BYTES) return null;
  const digest = createHash('sha256').update(bytes.subarray(0, tableBytes)).digest();
  if (!digest.equals(bytes.subarray(tableBytes))) return null;
  const table = new Uint32Array(bytes.slice(0, tableBytes).buffer);
  const neighbors: Uint32Array[] = [];
  for (let position = 0; position < queries; position++) {
    const ordinals = table.subarray(position * k, (position + 1) * k);
    const end = ordinals.indexOf(NO_NEIGHBOR);
    const found = end < 0 ? ordinals : ordinals.subarray(0, end);
    if (found.some((ordinal) => ordinal >= count)) return null;
    neighbors.push(found);
  }
  return { k, neighbors };
}
