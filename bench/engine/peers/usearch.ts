/**
 * usearch with its file mapped (`view`), which searches as fast as a loaded index and opens at once. The size of the
 * candidate list belongs to an index object, so there is one object per size over one file.
 */
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { readFloats, readRowArrays } from '../../lib/float-file.js';
import { EF_CONSTRUCTION, M, type DataSet, type Peer } from '../peer.js';

interface Matches {
  readonly keys: BigUint64Array;
  readonly distances: Float32Array;
}

export interface BatchMatches extends Matches {
  readonly counts: BigUint64Array;
}

interface Index {
  add(keys: BigUint64Array, vectors: Float32Array, threads: number): void;
  search(query: Float32Array, k: number, threads: number): Matches;
  save(path: string): void;
  view(path: string): void;
}

interface Usearch {
  readonly Index: new (config: Readonly<Record<string, number | string | boolean>>) => Index;
  exactSearch(
    dataset: Float32Array,
    queries: Float32Array,
    dim: number,
    k: number,
    metric: string,
    threads: number,
  ): BatchMatches;
}

/** The types of the package are there only where it is installed. */
export function loadUsearch(): Usearch {
  return createRequire(import.meta.url)('usearch') as Usearch;
}

/** Rows are of unit length under cosine, and `ip` is the cheaper kernel. */
export const usearchMetric = ({ metric }: Pick<DataSet, 'metric'>): string => (metric === 'cosine' ? 'ip' : 'l2sq');

export function usearch(quantization: 'f32' | 'bf16'): Peer {
  const make = (data: DataSet, ef: number): Index =>
    new (loadUsearch().Index)({
      ...{ dimensions: data.dim, metric: usearchMetric(data), quantization, multi: false },
      ...{ connectivity: M, expansion_add: EF_CONSTRUCTION, expansion_search: ef },
    }); // prettier-ignore

  return {
    build({ data, folder, threads }) {
      const values = readFloats(join(data.folder, 'base.f32'));
      const keys = BigUint64Array.from({ length: data.rows }, (_, row) => BigInt(row));
      const index = make(data, EF_CONSTRUCTION);
      const startedMs = performance.now();
      index.add(keys, values, threads);
      const graphSeconds = (performance.now() - startedMs) / 1000;
      const path = join(folder, 'index.usearch');
      index.save(path);
      const seconds = (performance.now() - startedMs) / 1000;
      return Promise.resolve({ graphSeconds, seconds, bytes: statSync(path).size });
    },

    prepare({ data, folder }) {
      const queries = readRowArrays(join(data.folder, 'queries.f32'), data.dim);
      const opened = new Map<number, Index>();
      const open = (ef: number): Index => {
        const index = make(data, ef);
        index.view(join(folder, 'index.usearch'));
        opened.set(ef, index);
        return index;
      };
      return Promise.resolve(() => {
        open(EF_CONSTRUCTION);
        let found: Matches = { keys: new BigUint64Array(0), distances: new Float32Array(0) };
        return {
          search(query, k, { ef }) {
            const index = opened.get(Number(ef)) ?? open(Number(ef));
            found = index.search(queries[query]!, k, 1);
          },
          rows: () => Array.from(found.keys, Number),
        };
      });
    },
  };
}
