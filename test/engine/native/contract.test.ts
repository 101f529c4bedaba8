/** The native engine keeps what every engine promises. Run under each SHORTLIST_ISA by `isa.test.ts` too. */
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { ShardIndex, ShardVectors } from '../../../src/engine/engine.js';
import { engineOf } from '../../../src/engine/engines.js';
import { describeEngineContract } from '../contract.js';
import { makeFolder, PARAMETERS, sourceOf } from '../graphs.js';

const native = engineOf('native');
const folder = makeFolder();
afterAll(() => folder.remove());
let files = 0;

async function open(vectors: ShardVectors, without?: Uint32Array): Promise<ShardIndex> {
  const path = join(folder.path, `${files++}.graph`);
  await native.build(sourceOf(vectors), PARAMETERS, path, { threads: 2 });
  return native.open(path, vectors, PARAMETERS, without);
}

describeEngineContract({ name: 'native', path: 'graph', open, hides: true });
