/** What a client takes: the headers Accept and Accept-Encoding. */
import { describe, expect, it } from 'vitest';
import { acceptsGzip, checkAccept, chooseType } from '../../../src/serve/request/accept.js';

describe('Accept', () => {
  const type = 'application/json';
  it.each([
    undefined,
    '*/*',
    type,
    'application/*',
    'text/html, */*;q=0.1',
    'Application/JSON; charset=utf-8',
    'text/html, application/json;q=0.5',
  ])('%s takes JSON', (accept) => {
    expect(() => checkAccept(accept, type)).not.toThrow();
  });
  it.each([
    'text/html',
    'application/json;q=0',
    '*/*;q=0',
    'application/json;q=0, */*',
    'application/vnd.apache.arrow.stream',
    '',
  ])('%s rules JSON out', (accept) => {
    expect(() => checkAccept(accept, type)).toThrow(expect.objectContaining({ code: 'not_acceptable' }) as Error);
  });
});

describe('Accept, of two types', () => {
  const [json, arrow] = ['application/json', 'application/vnd.apache.arrow.stream'] as const;
  it.each([
    [undefined, json],
    ['*/*', json],
    ['application/*', json],
    [arrow, arrow],
    [`${arrow}, */*`, arrow],
    [`*/*, ${arrow}`, arrow],
    [`${arrow};q=0.5, ${json}`, json],
    [`${arrow};q=0.5, ${json};q=0.4`, arrow],
    [`${arrow};q=0.5, application/*;q=0.8`, json],
    [`${json}, ${arrow}`, json],
    [`${json};q=0, */*;q=0.1`, arrow],
    [`${arrow.toUpperCase()} ; q=1`, arrow],
  ])('%s chooses %s', (accept, type) => {
    expect(chooseType(accept, [json, arrow])).toBe(type);
  });

  it.each(['text/html', `${json};q=0, ${arrow};q=0.0`, 'application/json;q=nonsense'])(
    '%s rules out both',
    (accept) => {
      expect(() => chooseType(accept, [json, arrow])).toThrow(
        expect.objectContaining({ code: 'not_acceptable' }) as Error,
      );
    },
  );
});

it.each([
  ['gzip', true], ['gzip, deflate, br', true], ['x-gzip', true], ['*', true], ['br;q=1, gzip;q=0.1', true], ['GZIP', true],
  [undefined, false], ['', false], ['br', false], ['gzip;q=0', false], ['*, gzip;q=0', false], ['gzip;q=0.5, identity', false],
])('Accept-Encoding %s takes gzip: %s', (header, taken) => {
  expect(acceptsGzip(header)).toBe(taken);
}); // prettier-ignore
