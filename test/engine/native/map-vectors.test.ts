/** JavaScript has no read-only typed array: a stray write to mapped values must harm nobody else. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { mapVectors } from '../../../src/engine/native/map-vectors.js';
import { makeFolder } from '../graphs.js';

const folder = makeFolder();
afterAll(() => folder.remove());

it('keeps a write to mapped values from the file and from other mappings of it', () => {
  const path = join(folder.path, 'rows');
  const values = Float32Array.of(1, 2, 3, 4);
  writeFileSync(path, values);
  const [written, other] = [mapVectors(path, 0, 4), mapVectors(path, 0, 4)];
  written[0] = 9;
  expect([...written]).toEqual([9, 2, 3, 4]);
  expect([...other]).toEqual([...values]);
  expect(readFileSync(path)).toEqual(Buffer.from(values.buffer));
});
