/** The engines that build graphs, by the names that manifests and `--engine` use. */
import type { EngineName, GraphEngine } from './engine.js';
import { hnswlibEngine } from './hnswlib/hnswlib.js';
import { nativeEngine } from './native/native.js';

const ENGINES: Readonly<Record<EngineName, GraphEngine>> = { native: nativeEngine, hnswlib: hnswlibEngine };

/** The first one is the default. */
export const ENGINE_NAMES = Object.keys(ENGINES) as readonly EngineName[];

export function isEngineName(name: string): name is EngineName {
  return Object.hasOwn(ENGINES, name);
}

export function engineOf(name: EngineName): GraphEngine {
  return ENGINES[name];
}
