/** Text that is written as bytes. */
import { expect, it } from 'vitest';
import { TextBytes } from '../../../src/serve/answer/text-bytes.js';

it('text in bytes is what was written, however long it grows', () => {
  const text = new TextBytes();
  const parts = ['ascii ', 'x'.repeat(70_000), 'ü, 日本, 😀', 'y'.repeat(40)];
  for (let round = 0; round < 2; round++) {
    for (const part of parts) text.utf8(part);
    text.ascii('short');
    text.ascii('z'.repeat(200_000));
    expect(text.copy().toString('utf8')).toBe(`${parts.join('')}short${'z'.repeat(200_000)}`);
  }
  expect(text.copy()).toHaveLength(0);
});
