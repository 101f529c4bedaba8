/** hnswlib-node as npm installs it. Rows are passed in one reused array, which is the fastest way. */
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { HierarchicalNSW, SearchResult, SpaceName } from 'hnswlib-node';
import { readFloats, readRowArrays } from '../../lib/float-file.js';
import { EF_CONSTRUCTION, M, SEED, type DataSet, type Peer } from '../peer.js';

const { HierarchicalNSW: Graph } = createRequire(import.meta.url)('hnswlib-node') as {
  HierarchicalNSW: new (space: SpaceName, dim: number) => HierarchicalNSW;
};

/** Rows are of unit length under cosine: `cosine` would scale them again. */
const spaceOf = ({ metric }: DataSet): SpaceName => (metric === 'cosine' ? 'ip' : 'l2');

export const hnswlibNode: Peer = {
  build({ data, folder }) {
    const values = readFloats(join(data.folder, 'base.f32'));
    const graph = new Graph(spaceOf(data), data.dim);
    graph.initIndex({ maxElements: data.rows, m: M, efConstruction: EF_CONSTRUCTION, randomSeed: SEED });
    const point = new Array<number>(data.dim).fill(0);
    const startedMs = performance.now();
    for (let row = 0, from = 0; row < data.rows; row++, from += data.dim) {
      for (let i = 0; i < data.dim; i++) point[i] = values[from + i]!;
      graph.addPoint(point, row);
    }
    const graphSeconds = (performance.now() - startedMs) / 1000;
    const path = join(folder, 'index.hnsw');
    graph.writeIndexSync(path);
    const seconds = (performance.now() - startedMs) / 1000;
    return Promise.resolve({ graphSeconds, seconds, bytes: statSync(path).size });
  },

  prepare({ data, folder }) {
    const queries = readRowArrays(join(data.folder, 'queries.f32'), data.dim);
    const point = new Array<number>(data.dim).fill(0);
    return Promise.resolve(() => {
      const graph = new Graph(spaceOf(data), data.dim);
      graph.readIndexSync(join(folder, 'index.hnsw'));
      let found: SearchResult = { neighbors: [], distances: [] };
      return {
        search(query, k, { ef }) {
          const values = queries[query]!;
          for (let i = 0; i < point.length; i++) point[i] = values[i]!;
          graph.setEf(Number(ef));
          found = graph.searchKnn(point, k);
        },
        rows: () => found.neighbors,
      };
    });
  },
};
