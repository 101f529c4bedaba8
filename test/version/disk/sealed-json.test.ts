import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeFiles } from '../../../src/version/disk/files.js';
import { readSealed, sealJson, unsealJson, writeSealed } from '../../../src/version/disk/sealed-json.js';
import { failureOf, overwrite, temporaryDirectory } from '../versions.js';

const bytesOf = (text: string): Uint8Array => Buffer.from(text);

describe('a sealed document', () => {
  it('comes back as it was, whatever JSON it holds', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (document) => {
        const plain = JSON.parse(JSON.stringify(document)) as Record<string, unknown>;
        delete plain['digest'];
        expect(unsealJson(bytesOf(sealJson(document)))).toEqual(plain);
      }),
      { seed: 1 },
    );
  });

  it('ends in its digest, which is of the text without it', () => {
    // printf '{\n  "a": 1\n}\n' | sha256sum
    const digest = '5e36b6560513586ced65eca0e8b025fe88edbcab82ba2cb67a5fcb2d7b202383';
    expect(sealJson({ a: 1 })).toBe(`{\n  "a": 1,\n  "digest": "sha256:${digest}"\n}\n`);
  });

  it('is refused with any bit of it flipped', () => {
    const sealed = bytesOf(sealJson({ index: 'listings', list: [1, null, 'é'], nested: { at: 'x', n: -1.5e300 } }));
    expect(unsealJson(sealed)).not.toBeNull();
    for (let at = 0; at < sealed.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Uint8Array.from(sealed);
        flipped[at]! ^= 1 << bit;
        expect(unsealJson(flipped), `byte ${at}, bit ${bit}`).toBeNull();
      }
    }
  });

  it('is refused when it is cut anywhere, or longer', () => {
    const sealed = bytesOf(sealJson({ a: [1, 2], b: 'text' }));
    for (let length = 0; length < sealed.length; length++) expect(unsealJson(sealed.subarray(0, length))).toBeNull();
    expect(unsealJson(Buffer.concat([sealed, bytesOf('\n')]))).toBeNull();
    expect(unsealJson(Buffer.concat([bytesOf('\ufeff'), sealed]))).toBeNull();
  });

  it.each(['', 'null', '[]', '1', '{}', '{"digest": 1}', '[['.repeat(50_000)])('is never %j', (text) => {
    expect(unsealJson(bytesOf(text))).toBeNull();
  });

  it('is refused when it is another layout of the same members', () => {
    const document = JSON.parse(sealJson({ a: 1, b: 2 })) as { a: number; b: number; digest: string };
    expect(unsealJson(bytesOf(JSON.stringify(document)))).toBeNull();
    const { digest, ...body } = document;
    expect(unsealJson(bytesOf(`${JSON.stringify({ digest, ...body }, null, 2)}\n`))).toBeNull();
    expect(unsealJson(bytesOf(sealJson({ a: 1, b: 2 }).replace('"a": 1,', '"a": 1,\n  "a": 1,')))).toBeNull();
  });
});

describe('a sealed file', () => {
  const place = (path: string) => ({
    path,
    code: 'state_corrupt' as const,
    maxBytes: 1000,
    remedy: 'do something',
    check: (fields: { integer(name: string): number }) => fields.integer('n'),
  });

  it('is absent, or right, or an error that names the file and what to do', async () => {
    const path = join(temporaryDirectory(), 'CURRENT');
    expect(await readSealed(place(path), nodeFiles)).toBeNull();
    await writeSealed(path, { n: 7 }, nodeFiles);
    expect(await readSealed(place(path), nodeFiles)).toBe(7);
    overwrite(path, 'nonsense');
    expect(await failureOf(readSealed(place(path), nodeFiles))).toEqual({
      code: 'state_corrupt',
      file: path,
      message: `${path} fails its own digest; do something`,
    });
  });

  it('names the field that is wrong', async () => {
    const path = join(temporaryDirectory(), 'CURRENT');
    await writeSealed(path, { n: 'seven' }, nodeFiles);
    expect((await failureOf(readSealed(place(path), nodeFiles))).message).toContain('n is not a whole number');
  });

  it('is not read when it is larger than it may be', async () => {
    const path = join(temporaryDirectory(), 'CURRENT');
    overwrite(path, sealJson({ n: 7, text: 'x'.repeat(2000) }));
    const failure = await failureOf(readSealed(place(path), nodeFiles));
    expect(failure.code).toBe('state_corrupt');
    expect(failure.message).toContain('larger than the 1000 bytes');
  });
});
