/** The native engine: C++ behind a thin glue. What it does and why is in docs/internals/engine.md. */
import type { GraphEngine } from '../engine.js';
import { loadAddon } from './addon.js';
import { buildNative, checkNative } from './build.js';
import { exportNative } from './export.js';
import { mapFile, mapVectors } from './map-vectors.js';
import { estimateNativeBytes, openNative } from './open.js';

export const nativeEngine: GraphEngine = {
  name: 'native',
  fileSuffix: 'graph',
  build: buildNative,
  check: checkNative,
  open: openNative,
  lastRows: (count, { m, seed }, size) => loadAddon().lastRows({ count, m, seed, size }),
  exportHnswlib: exportNative,
  mapping: { vectors: mapVectors, bytes: mapFile },
  instructionSet: () => loadAddon().isa(),
  estimateBytes: estimateNativeBytes,
};
