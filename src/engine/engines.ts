/** The engines that build graphs, by the names that manifests and `--engine` use. */
import { ShortlistError } from '../base/errors.js';
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

/** Whether opening a version of the engine takes almost no memory, since its files are mapped. */
export function isMapped(name: string): boolean {
  return isEngineName(name) && engineOf(name).mapping !== null;
}

/**
 * The instruction set of an engine's kernels on this machine; null if it does not choose one or is not installed.
 * @throws usage if SHORTLIST_ISA names a set that is not available
 */
export function instructionSetOf(name: EngineName): string | null {
  try {
    return engineOf(name).instructionSet();
  } catch (error) {
    if (error instanceof ShortlistError && error.code === 'addon_missing') return null;
    throw error;
  }
}
