/**
 * zvec. Its 8-bit index finds candidates by codes; a refiner can score them again by float32 vectors. Both are
 * operating points. The number of threads is a setting of the process. Coded rows of unit length are indexed by
 * Euclidean distance (keeps 0.974 of the neighbours; inner product keeps 0.951), others by inner product.
 */
import { readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { readFloats, readRowArrays } from '../../lib/float-file.js';
import { EF_CONSTRUCTION, M, type BuildJob, type Peer } from '../peer.js';

interface Doc {
  readonly id: string;
}

interface Collection {
  insertSync(docs: readonly { readonly id: string; readonly vectors: Readonly<Record<string, Float32Array>> }[]): readonly { readonly ok: boolean; readonly message: string }[];
  optimizeSync(options: { readonly concurrency: number }): void;
  querySync(query: Readonly<Record<string, unknown>>): readonly Doc[];
  closeSync(): void;
} // prettier-ignore

interface Zvec {
  ZVecInitialize(options: Readonly<Record<string, unknown>>): void;
  readonly ZVecCollectionSchema: new (schema: Readonly<Record<string, unknown>>) => object;
  ZVecCreateAndOpen(path: string, schema: object): Collection;
  ZVecOpen(path: string, options: { readonly readOnly: boolean }): Collection;
  readonly ZVecDataType: { readonly VECTOR_FP32: number };
  readonly ZVecIndexType: { readonly HNSW: number };
  readonly ZVecMetricType: { readonly L2: number; readonly IP: number };
  readonly ZVecQuantizeType: { readonly UNDEFINED: number; readonly INT8: number };
  readonly ZVecLogLevel: { readonly ERROR: number };
}

const FIELD = 'embedding';
/** Documents are objects: a thousand at a time keep the heap small. */
const INSERT_DOCS = 1_000;

function startZvec(threads: number): Zvec {
  const zvec = createRequire(import.meta.url)('@zvec/zvec') as Zvec;
  zvec.ZVecInitialize({ queryThreads: 1, optimizeThreads: threads, logLevel: zvec.ZVecLogLevel.ERROR });
  return zvec;
}

export function zvec(codes: 'f32' | 'int8'): Peer {
  return {
    build(job) {
      const { data, folder, threads } = job;
      const zvec = startZvec(threads);
      const values = readFloats(join(data.folder, 'base.f32'));
      const path = join(folder, 'collection');
      const startedMs = performance.now();
      const collection = zvec.ZVecCreateAndOpen(path, schemaOf(zvec, job, codes));
      insertAll(collection, values, data.dim);
      collection.optimizeSync({ concurrency: threads });
      collection.closeSync();
      // Its graph is built while it inserts and optimizes; there is no line between them and the rest.
      const seconds = (performance.now() - startedMs) / 1000;
      return Promise.resolve({ graphSeconds: seconds, seconds, bytes: folderBytes(path) });
    },

    prepare({ data, folder }) {
      const zvec = startZvec(1);
      const queries = readRowArrays(join(data.folder, 'queries.f32'), data.dim);
      const indexType = zvec.ZVecIndexType.HNSW;
      return Promise.resolve(() => {
        const collection = zvec.ZVecOpen(join(folder, 'collection'), { readOnly: true });
        let found: readonly Doc[] = [];
        return {
          search(query, k, { ef, refine }) {
            const params = { indexType, ef, isUsingRefiner: refine === true };
            found = collection.querySync({
              fieldName: FIELD,
              vector: queries[query],
              topk: k,
              outputFields: [],
              params,
            });
          },
          rows: () => found.map(({ id }) => Number(id)),
        };
      });
    },
  };
}

function schemaOf(zvec: Zvec, { data }: BuildJob, codes: 'f32' | 'int8'): object {
  const { HNSW } = zvec.ZVecIndexType;
  const { L2, IP } = zvec.ZVecMetricType;
  const { INT8, UNDEFINED } = zvec.ZVecQuantizeType;
  const indexParams = {
    indexType: HNSW,
    metricType: data.metric === 'cosine' && codes === 'f32' ? IP : L2,
    m: M,
    efConstruction: EF_CONSTRUCTION,
    quantizeType: codes === 'int8' ? INT8 : UNDEFINED,
  };
  const vectors = { name: FIELD, dataType: zvec.ZVecDataType.VECTOR_FP32, dimension: data.dim, indexParams };
  return new zvec.ZVecCollectionSchema({ name: 'bench', vectors });
}

function insertAll(collection: Collection, values: Float32Array, dim: number): void {
  const rows = values.length / dim;
  for (let from = 0; from < rows; from += INSERT_DOCS) {
    const docs = Array.from({ length: Math.min(INSERT_DOCS, rows - from) }, (_, i) => {
      const row = from + i;
      return { id: String(row), vectors: { [FIELD]: values.subarray(row * dim, (row + 1) * dim) } };
    });
    const refused = collection.insertSync(docs).find(({ ok }) => !ok);
    if (refused !== undefined) throw new Error(`zvec refused a row after ${from}: ${refused.message}`);
  }
}

function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
