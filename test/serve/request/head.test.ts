/** Ids of requests: those of clients, and our own. */
import { expect, it } from 'vitest';
import { requestIdOf } from '../../../src/serve/request/head.js';

it('request ids are taken over when they can forge nothing', () => {
  expect(requestIdOf('abc-123')).toBe('abc-123');
  for (const bad of [undefined, '', 'a b', 'a\nb', '"', 'x'.repeat(129), ['a', 'b']])
    expect(requestIdOf(bad)).toMatch(/^[0-9a-f-]{36}$/);
});
