/** The options of the server: flags, variables, defaults. */
import { describe, expect, it } from 'vitest';
import { readServeOptions, SERVE_OPTIONS } from '../../../src/serve/channel/options.js';

describe('options', () => {
  it('a flag wins over its variable, and a variable over the default', () => {
    expect(readServeOptions({}).port).toBe(8080);
    expect(readServeOptions({}, { SHORTLIST_PORT: '81' }).port).toBe(81);
    expect(readServeOptions({ port: '82' }, { SHORTLIST_PORT: '81' }).port).toBe(82);
    expect(readServeOptions({}, { SHORTLIST_PORT: '' }).port).toBe(8080);
  });

  it('names follow from one another: key, flag and variable', () => {
    for (const { key, flags, env } of SERVE_OPTIONS) {
      const flag = flags.split(' ')[0]!.slice(2);
      expect(flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())).toBe(key);
      expect(env).toBe(`SHORTLIST_${flag.replaceAll('-', '_').toUpperCase()}`);
    }
    expect(SERVE_OPTIONS.map(({ env }) => env)).toEqual(
      expect.arrayContaining(['SHORTLIST_ROOT', 'SHORTLIST_INDEX', 'SHORTLIST_WORKERS', 'SHORTLIST_LOG_LEVEL']),
    );
  });

  it('sizes have units, indexes have commas', () => {
    expect(readServeOptions({ bodyLimit: '2MiB' }).bodyLimit).toBe(2 * 2 ** 20);
    expect(readServeOptions({ memoryLimit: '1.5 GB' }).memoryLimit).toBe(1.5e9);
    expect(readServeOptions({}, { SHORTLIST_INDEX: 'a, b,a' }).index).toEqual(['a', 'b']);
    expect(readServeOptions({ index: ['a', 'b-c'] }).index).toEqual(['a', 'b-c']);
  });

  it.each([
    ['port', '-1'], ['port', '65536'], ['port', '80.5'], ['port', 'x'], ['workers', '0'], ['workers', '1e2'], ['host', ' '],
    ['bodyLimit', '1'], ['bodyLimit', '5 parsecs'], ['memoryLimit', '0'], ['index', 'UPPER'], ['index', 'a,,b'], ['logLevel', 'loud'],
    ['drainTimeoutMs', '-5'], ['requestTimeoutMs', '1'],
  ])('%s does not take %s: the error names the flag, or the variable', (key, value) => {
    const option = SERVE_OPTIONS.find((one) => one.key === key)!;
    expect(() => readServeOptions({ [key]: value })).toThrow(option.flags.split(' ')[0]);
    expect(() => readServeOptions({}, { [option.env]: value })).toThrow(option.env);
    expect(() => readServeOptions({ [key]: value })).toThrow(expect.objectContaining({ code: 'usage' }) as Error);
  }); // prettier-ignore
});
