/** hnswlib-node, the portable engine. */
import { sampleDistinct, shuffle } from '../../base/random.js';
import type { GraphEngine } from '../engine.js';
import { buildHnswlib } from './build.js';
import { checkFile } from './check.js';
import { exportHnswlib } from './export.js';
import { estimateHnswlibBytes } from './layout.js';
import { openHnswlib } from './open.js';

export const hnswlibEngine: GraphEngine = {
  name: 'hnswlib',
  fileSuffix: 'hnsw',
  build: buildHnswlib,
  check: (path, shape) => checkFile(path, shape),
  open: openHnswlib,
  lastRows: (count, { seed }, size) => shuffle(sampleDistinct(count, size, seed), seed),
  exportHnswlib,
  mapping: null,
  instructionSet: () => null,
  estimateBytes: estimateHnswlibBytes,
};
