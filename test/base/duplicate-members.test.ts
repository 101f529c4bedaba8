import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findDuplicateMember } from '../../src/base/duplicate-members.js';

describe('a member that an object has twice', () => {
  it.each([
    ['{"a":1,"a":2}', '/a'],
    ['{"a":1,"b":{"c":[1,{"d":1,"e":2,"d":3}]}}', '/b/c/1/d'],
    ['[[1,2],[{"x":[],"x":{}}]]', '/1/0/x'],
    ['{"a":[1,[2,3],4,{"b":1,"b":2}]}', '/a/3/b'],
    ['{"a":[1,"]",2,{"b":1,"b":2}]}', '/a/3/b'],
    ['{"a":[1,2,3],"b":"x","a":[4]}', '/a'],
    ['{"a\\"b":1,"a\\u0022b":2}', '/a"b'],
    ['{"\\\\":1,"x":"\\\\","\\\\":2}', '/\\'],
    ['{ "a" : 1 , "a" : 2 }', '/a'],
    ['{"a/b~":{"":1,"":2}}', '/a~1b~0/'],
    ['{"__proto__":1,"__proto__":2}', '/__proto__'],
  ])('%s has %s twice', (text, pointer) => {
    JSON.parse(text);
    expect(findDuplicateMember(text)).toBe(pointer);
  });

  it.each([
    '{}', '[]', '1', '"a"', 'null', '{"a":{"a":{"a":1}},"b":{"a":1}}', '[{"a":1},{"a":1}]', '{"a":"a","b":"a"}', '{"a":["a","a"]}',
    '{"a":"\\"a\\":1,","b":"{\\"a\\":1}"}', '{"a":[1,2],"b":[3,[4,{}],{}],"c":[{},[]]}', '{"x":"\\\\","y":"\\\\\\""}',
  ])('%s has none', (text) => expect(findDuplicateMember(text)).toBeNull()); // prettier-ignore

  it('is found in any JSON, spaced or not, and nowhere else', () => {
    const name = fc.constantFrom('a', 'b', '$gte', '"', '\\', ']', '[1', 'ü', '');
    const member = fc.tuple(name, fc.jsonValue({ maxDepth: 3 }));
    fc.assert(
      fc.property(fc.array(member, { maxLength: 4 }), fc.jsonValue(), fc.boolean(), (members, before, isSpaced) => {
        const object = `{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join()}}`;
        const plain = JSON.stringify(before, null, isSpaced ? 1 : 0);
        const text = `{"before":${plain},"numbers":[1,2.5,-3e7],"object":${object}}`;
        const names = members.map(([key]) => key);
        const second = names.find((key, position) => names.indexOf(key) < position);
        const escaped = second?.replaceAll('~', '~0').replaceAll('/', '~1');
        expect(findDuplicateMember(text)).toBe(escaped === undefined ? null : `/object/${escaped}`);
      }),
      { numRuns: 500 },
    );
  });
});
