/** The gate from the command line: its limits file, its verdicts, and how people overrule it. */
import { chmodSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/base/errors.js';
import { buildVersion, makeVectors, publishVersion, temporaryFolder, writeCatalog } from '../indexes.js';
import { countVectors, types, writeArrow } from '../ingest/arrow-files.js';
import { call, callJson } from './call.js';

const ROWS = 400;
const root = temporaryFolder();
const at = ['--root', root];
const limits = join(root, 'items', 'gate.json');
let [live, other] = ['', ''];

interface Check {
  readonly name: string;
  readonly verdict: string;
}

async function check(...more: string[]): Promise<{ code: number | null; verdicts: Record<string, string>; error: string }> {
  const { code, json } = await callJson(['gate', 'check', ...more, ...at]);
  const verdicts = Object.fromEntries(((json['checks'] ?? []) as Check[]).map(({ name, verdict }) => [name, verdict]));
  return { code, verdicts, error: (json['error'] as Error | undefined)?.message ?? '' };
} // prettier-ignore

beforeAll(async () => {
  live = (await publishVersion(root, 'items', { rows: ROWS })).version;
  other = (await buildVersion(root, 'items', { rows: ROWS, seed: 2 })).version;
});

describe('a feed of some nights ago', () => {
  it('warns with the version that it repeats, keeps its age, and history names the warning', async () => {
    const [a, b] = [join(root, '.a.arrow'), join(root, '.b.arrow')];
    const vectors = makeVectors(ROWS, 8, 3);
    writeCatalog(a, { vectors, dim: 8 });
    writeCatalog(b, { vectors: vectors.slice(0, 8 * (ROWS - 1)), dim: 8 });
    const publish = async (input: string): Promise<Record<string, unknown>> =>
      (await callJson(['build', 'feeds', '--input', input, '--no-calibrate', '--publish', ...at])).json;
    const [first, , third] = [await publish(a), await publish(b), await publish(a)];
    const { checks } = third['gate'] as { checks: (Check & { detail?: string })[] };
    const fresh = checks.find(({ name }) => name === 'fresh');
    expect(fresh).toMatchObject({ verdict: 'warn', detail: `identical to feeds@${String(first['version'])}` });
    const since = (json: Record<string, unknown>): unknown =>
      (json['gate'] as Record<string, unknown>)['content_since'];
    expect(since(third)).toBe(since(first));
    const { entries } = (await callJson(['history', 'feeds', ...at])).json as { entries: { warned?: string[] }[] };
    expect(entries.map(({ warned }) => warned?.includes('fresh') ?? false)).toEqual([false, false, true]);
    expect((await call(['history', 'feeds', '--last', '1', ...at])).stdout).toContain('warned: fresh');
  });
});

describe('gate init', () => {
  it('writes every limit with what it means, and does not replace a file by itself', async () => {
    expect((await callJson(['gate', 'init', 'items', ...at])).json).toEqual({ index: 'items', file: limits });
    const { checks } = JSON.parse(readFileSync(limits, 'utf8')) as { checks: Record<string, { about: string; fail: object }> };
    expect(checks['rows']).toEqual({ about: expect.any(String) as string, warn: { min: 0.9, max: 1.25 }, fail: { min: 0.8, max: 2 } });
    expect(Object.values(checks).every(({ about }) => about.length > 20)).toBe(true);
    expect((await callJson(['gate', 'init', 'items', ...at])).code).toBe(EXIT.usage);
    expect((await callJson(['gate', 'init', 'items', '--overwrite', ...at])).code).toBe(EXIT.done);
    expect((await callJson(['gate', 'init', 'nothing', ...at])).code).toBe(EXIT.badIndex);
  });
}); // prettier-ignore

describe('gate check', () => {
  it('judges by the limits of the file', async () => {
    const strict = await check(`items@${other}`);
    expect([strict.code, strict.verdicts['vectors_moved']]).toEqual([EXIT.checkFailed, 'fail']);
    const document = JSON.parse(readFileSync(limits, 'utf8')) as { checks: Record<string, unknown> };
    for (const name of Object.keys(document.checks))
      if (!/^verify|^recall/.test(name)) document.checks[name] = { warn: null, fail: null };
    document.checks['ids_kept'] = { warn: { min: 2 }, fail: null };
    writeFileSync(limits, JSON.stringify(document));
    const lenient = await check(`items@${other}`);
    expect([lenient.code, lenient.verdicts['vectors_moved'], lenient.verdicts['ids_kept']]).toEqual([EXIT.done, 'pass', 'warn']); // prettier-ignore
    expect((await callJson(['list', 'items', ...at])).json).toMatchObject({ versions: [{ current: true }, { state: 'new' }] }); // prettier-ignore
  });

  it('of the published version compares with the one before it', async () => {
    expect((await check('items')).verdicts['rows']).toBeUndefined();
  });

  it('a filter of an attribute that is not there is a failed check', async () => {
    const filter = '{"colour": "red"}';
    expect((await check(`items@${live}`, '--gate-filter', filter)).verdicts[`recall_filtered@100 {"colour":"red"}`]).toBe('fail'); // prettier-ignore
  });

  it.each([
    ['not JSON', '{', 'is not JSON'],
    ['a list', '[]', 'is not a JSON object'],
    ['another format', '{"format": 2}', 'format is 2'],
    ['an unknown member', '{"format": 1, "limits": {}}', 'limits is not a member that the gate knows'],
    ['a check with a typing error', '{"format": 1, "checks": {"row": {}}}', 'checks.row is not a member that the gate knows; did you mean rows?'],
    ['a limit that is a text', '{"format": 1, "checks": {"rows": {"fail": {"min": "0.5"}}}}', 'checks.rows.fail.min is not a number'],
    ['limits that contradict', '{"format": 1, "checks": {"rows": {"fail": {"min": 2, "max": 1}}}}', 'checks.rows.fail has a min above its max'],
    ['a k of 0', '{"format": 1, "ks": [0]}', 'ks is not a list of whole numbers'],
    ['attributes that are not there', '{"format": 1, "attributes": ["prise"]}', 'did you mean price?'],
    ['filters that are texts', '{"format": 1, "filters": ["a"]}', 'filters[0] is not an object'],
  ])('a file that is %s is an error that names the member', async (_, text, problem) => {
    const before = readFileSync(limits, 'utf8');
    writeFileSync(limits, text);
    const { code, json } = await callJson(['gate', 'check', 'items', ...at]);
    expect([code, json['error']]).toMatchObject([EXIT.usage, { code: 'bad_gate_file', message: expect.stringContaining(problem) as string }]);
    writeFileSync(limits, before);
  }); // prettier-ignore
});

describe('the table', () => {
  it('begins with the checks that failed and warned; the JSON object keeps its order', async () => {
    writeFileSync(limits, '{"format": 1}');
    const { stdout } = await call(['gate', 'check', `items@${other}`, ...at]);
    const verdicts = stdout.split('\n').slice(2).map((line) => line.split(' ')[0]!).filter((word) => /^(pass|WARN|FAIL)$/.test(word));
    expect(verdicts).toEqual([...verdicts].sort((a, b) => 'FWp'.indexOf(a[0]!) - 'FWp'.indexOf(b[0]!)));
    expect(new Set(verdicts)).toEqual(new Set(['FAIL', 'pass']));
    const { json } = await callJson(['gate', 'check', `items@${other}`, ...at]);
    expect((json['checks'] as Check[])[0]!.name).toBe('verify');
  }); // prettier-ignore
});

describe('publish', () => {
  it('is forced only with a reason, which history shows with what was overruled', async () => {
    writeFileSync(limits, '{"format": 1}');
    expect((await callJson(['publish', `items@${other}`, '--force', ...at])).code).toBe(EXIT.usage);
    const refused = await callJson(['publish', `items@${other}`, ...at]);
    expect(refused.code).toBe(EXIT.checkFailed);
    expect(refused.stderr.trim().split('\n').at(-1)).toContain(`the gate refused items@${other}: `);
    expect(refused.stderr).toContain('vectors_moved');
    const forced = await callJson(['publish', `items@${other}`, '--force', '--reason', 'a new feed', ...at]);
    expect(forced).toMatchObject({ code: EXIT.done, json: { published: true, forced: true, gate: { pass: false } } });
    const { entries } = (await callJson(['history', 'items', ...at])).json as { entries: Record<string, unknown>[] };
    expect(entries.slice(1)).toMatchObject([
      { action: 'refuse', version: other, refused_by: expect.stringContaining('vectors_moved') as string },
      { action: 'publish', version: other, reason: 'a new feed', forced: expect.stringContaining('vectors_moved') as string }, // prettier-ignore
    ]);
    expect((await call(['history', 'items', ...at])).stdout).toContain('forced although');
  });

  it('of a damaged version is not forced', async () => {
    const { version } = await buildVersion(root, 'items', { rows: ROWS, seed: 3 });
    chmodSync(join(root, 'items', version, 'shard-0000.ids'), 0o644);
    truncateSync(join(root, 'items', version, 'shard-0000.ids'), 10);
    const { code, json } = await callJson(['publish', `items@${version}`, '--force', '--reason', 'now', ...at]);
    expect([code, json['published']]).toEqual([EXIT.checkFailed, false]);
  });

  it('of a new model is announced, skips only what a new model changes, and history says so', async () => {
    const { version } = await buildVersion(root, 'items', { rows: ROWS, seed: 4, generation: 'seed 2' });
    const { code, json } = await callJson(['publish', `items@${version}`, '--new-embedding', ...at]);
    expect(code).toBe(EXIT.done);
    const { checks } = json['gate'] as { checks: (Check & { skipped?: string })[] };
    const skipped = checks.filter((one) => one.skipped !== undefined).map(({ name }) => name);
    expect(skipped).toEqual([
      'dimension',
      'metric',
      'norms',
      'spread',
      'mean_shift',
      'component_spread',
      'vectors_moved',
      'overlap',
    ]);
    const { entries } = (await callJson(['history', 'items', ...at])).json as { entries: Record<string, unknown>[] };
    expect(entries.at(-1)).toMatchObject({ version, new_embedding: true });
    expect((await call(['history', 'items', '--last', '1', ...at])).stdout).toContain('new embedding');
  });

  it('remembers recorded queries, and warns when they are gone or perhaps not whole', async () => {
    const queries = join(root, 'queries.arrow');
    writeCatalog(queries, { vectors: makeVectors(50, 8, 9), dim: 8 });
    const { version } = await buildVersion(root, 'items', { rows: ROWS, seed: 4, generation: 'seed 2' });
    const args = ['publish', `items@${version}`, '--queries', queries, '--force', '--reason', 'a test'];
    expect((await callJson([...args, ...at])).code).toBe(EXIT.done);
    expect(JSON.parse(readFileSync(limits, 'utf8'))).toMatchObject({ queries: [queries] });
    expect((await check(`items@${live}`)).verdicts['queries']).toBe('pass');
    rmSync(queries);
    expect((await check(`items@${live}`)).verdicts['queries']).toBe('warn');
    writeArrow(queries, { embedding: [types.list32, countVectors(50, 8)] }, { format: 'stream' });
    expect((await check(`items@${live}`)).verdicts['queries']).toBe('pass');
    writeFileSync(queries, readFileSync(queries).subarray(0, -8));
    expect((await check(`items@${live}`)).verdicts['queries']).toBe('warn');
  });
});
