import { expect, it } from 'vitest';
import { attributeColumnName } from '../../../src/retrieve/library/answer-table.js';

it('columns of attributes have names of their own, whatever the attributes are called', () => {
  const own = ['query', 'id', 'score', 'seed', 'seed_score', 'vector'];
  const prefixed = own.flatMap((name) => [`attributes.${name}`, `attributes.attributes.${name}`]);
  const plain = ['title', 'ID', 'attributes', 'attributes.', 'attributes.title', 'ids', 'seed_scores'];
  const names = [...own, ...prefixed, ...plain];
  const columns = names.map(attributeColumnName);
  expect(new Set([...own, ...columns]).size).toBe(own.length + names.length);
  expect(own.map(attributeColumnName)).toEqual(own.map((name) => `attributes.${name}`));
  expect(plain.map(attributeColumnName)).toEqual(plain);
});
