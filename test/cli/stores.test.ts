/** What people do with an object store from the command line: here a folder, which has all that the others have. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/base/errors.js';
import { buildVersion, openGate, temporaryFolder } from '../indexes.js';
import { call, callJson } from './call.js';

const root = temporaryFolder();
const folder = join(temporaryFolder(), 'store');
const url = pathToFileURL(folder).href;
const [at, inStore] = [['--root', root], ['--root', url]]; // prettier-ignore

describe('a store on the command line', () => {
  let [a, b] = ['', ''];
  beforeAll(async () => {
    a = (await buildVersion(root, 'items', { seed: 1, rows: 400 })).version;
    b = (await buildVersion(root, 'items', { seed: 1, rows: 402, generation: 'second' })).version;
    openGate(root, 'items');
    mkdirSync(folder);
  });

  it('takes versions, publishes them after the gate, lists them, and rolls back', async () => {
    expect((await call(['list', ...inStore])).stdout).toContain(`no index in ${url}; create one with: shortlist push`);
    for (const version of [a, b]) {
      const { json } = await callJson(['push', `items@${version}`, '--to', url, ...at]);
      expect(json).toMatchObject({ index: 'items', version, reused: 0, to: url });
      expect(json['bytes']).toBeGreaterThan(0);
    }
    const first = await callJson(['publish', `items@${a}`, '--cache', root, ...inStore], {
      SHORTLIST_WHO: 'night job',
    });
    expect(first.json).toMatchObject({ index: 'items', version: a, previous: null, published: true });
    const second = await callJson(['publish', `items@${b}`, '--cache', root, '--new-embedding', ...inStore]);
    const gate = second.json['gate'] as { live: string; checks: { name: string }[] };
    expect([gate.live, gate.checks.some(({ name }) => name === 'rows')]).toEqual([a, true]);
    expect((await callJson(['list', ...inStore])).json).toMatchObject({ indexes: [{ index: 'items', current: b, versions: 2, vectors: 402 }] }); // prettier-ignore
    const { versions } = (await callJson(['list', 'items', ...inStore])).json as { versions: { state: string }[] };
    expect(versions.map(({ state }) => state)).toEqual(['published', 'current']);
    expect((await callJson(['rollback', 'items', '--dry-run', ...inStore])).json).toMatchObject({ version: a, dry_run: true }); // prettier-ignore
    expect((await callJson(['rollback', 'items', '--reason', 'bad', ...inStore])).json).toMatchObject({ version: a, previous: b }); // prettier-ignore
    const { json } = await callJson(['history', 'items', ...inStore]);
    expect(json).toMatchObject({
      current: a,
      entries: [
        { action: 'publish', version: a, who: 'night job' },
        { action: 'publish', version: b, new_embedding: true },
        { action: 'rollback', version: a, reason: 'bad' },
      ],
    });
    expect((await callJson(['list', 'items', ...at])).json).toMatchObject({ versions: [{ current: false }, { current: false }] }); // prettier-ignore
  });

  it('has aliases, and gives versions back by name, by alias and as published', async () => {
    expect((await callJson(['alias', 'items', 'canary', b, ...inStore])).json).toMatchObject({ version: b });
    expect((await callJson(['alias', 'items', ...inStore])).json).toMatchObject({ aliases: [{ alias: 'canary', version: b, exists: true }] }); // prettier-ignore
    const to = temporaryFolder();
    expect((await callJson(['pull', 'items', '--from', url, '--root', to])).json).toMatchObject({ version: a, reused: 0 }); // prettier-ignore
    const { json } = await callJson(['pull', 'items@canary', '--from', url, '--root', to]);
    expect([json['version'], readdirSync(join(to, 'items')).includes(b)]).toEqual([b, true]);
    expect((await call(['verify', `items@${b}`, '--root', to])).stdout).toContain('is sound');
    expect((await callJson(['alias', 'items', 'canary', '--remove', ...inStore])).json).toMatchObject({ previous: b });
  });

  it('records a refusal of the gate, by the limits that are in the store', async () => {
    writeFileSync(join(folder, 'items', 'gate.json'), '{"format":1,"checks":{"rows":{"fail":{"min":1000}}}}');
    const { code, json } = await callJson(['publish', `items@${b}`, '--cache', root, ...inStore]);
    rmSync(join(folder, 'items', 'gate.json'));
    expect([code, (json['gate'] as { pass: boolean }).pass]).toEqual([EXIT.checkFailed, false]);
    const { entries } = (await callJson(['history', 'items', ...inStore])).json as { entries: object[] };
    expect(entries.at(-1)).toMatchObject({ action: 'refuse', version: b, previous: a });
  });

  it.each([
    [['build', 'items', '--input', 'x', ...inStore], 'shortlist build needs a folder as --root'],
    [['serve', ...inStore], `use --source ${url}`],
    [['query', 'items', '--id', '1', '-k', '1', ...inStore], 'shortlist pull INDEX --from'],
    [['list', '--root', 's3://UPPER/x'], 'is not the URL of a store'],
    [['list', '--root', 'ftp://x/y'], 'does not begin with s3://, gs:// or file://'],
    [['push', 'items', '--to', 'bucket/x', ...at], 'is not the URL of a store'],
    [['publish', 'items@x', '--cache', 'y', ...at], '--cache has no effect'],
    [['serve', '--source', 'x', ...at], '--source is'],
  ])('%j is a wrong command line', async (args, message) => {
    const { code, stderr } = await call(args);
    expect([code, stderr]).toEqual([EXIT.usage, expect.stringContaining(message)]);
  });

  it('that is not mounted is store_unavailable, and nothing is written in its place', async () => {
    const away = join(temporaryFolder(), 'away');
    const { code, stderr } = await call(['push', `items@${a}`, '--to', pathToFileURL(away).href, ...at]);
    expect([code, stderr]).toEqual([EXIT.io, expect.stringContaining('make or mount it')]);
  });
});
