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

/** Whether opening a version of the engine takes next to no memory, since its files are mapped. */
export function isMapped(name: string): boolean {
  return isEngineName(name) && engineOf(name).mapping !== null;
}

/**
 * What the kernels of an engine run with on this machine; null where it does not choose, or is not installed.
 * @throws usage where SHORTLIST_ISA asks for what this machine has not
 */
export function instructionSetOf(name: EngineName): string | null {
  try {
    return engineOf(name).instructionSet();
  } catch (error) {
    if (error instanceof ShortlistError && error.code === 'addon_missing') return null;
    throw error;
  }
}
