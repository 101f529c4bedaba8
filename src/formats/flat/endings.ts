/** Formats that are recognised by the ending of the file's name, in any case: nothing in the file says what it is. */
import { extname } from 'node:path';
import type { NumberName } from './value-type.js';

interface ArrayKind {
  readonly layout: 'vecs' | 'bin';
  readonly values: NumberName;
}

const KINDS: Readonly<Record<string, ArrayKind>> = {
  '.fvecs': { layout: 'vecs', values: 'float32' },
  '.bvecs': { layout: 'vecs', values: 'uint8' },
  '.ivecs': { layout: 'vecs', values: 'int32' },
  '.fbin': { layout: 'bin', values: 'float32' },
  '.f16bin': { layout: 'bin', values: 'float16' },
  '.u8bin': { layout: 'bin', values: 'uint8' },
  '.i8bin': { layout: 'bin', values: 'int8' },
  '.ibin': { layout: 'bin', values: 'int32' },
};

export function arrayKindOf(path: string): ArrayKind | null {
  return KINDS[extname(path).toLowerCase()] ?? null;
}
