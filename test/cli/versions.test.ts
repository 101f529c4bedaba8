/** What people do with the versions of an index from the command line, and what they are told of wrong command lines. */
import { chmodSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/base/errors.js';
import { makeVectors, temporaryFolder, writeCatalog } from '../indexes.js';
import { call, callJson } from './call.js';

const root = temporaryFolder();
const input = join(root, '.items.arrow');
const queries = join(root, '.queries.arrow');
const DIM = 8;
const at = ['--root', root];

beforeAll(() => {
  writeCatalog(input, { vectors: makeVectors(400, DIM, 1), dim: DIM });
  writeCatalog(queries, { vectors: makeVectors(20, DIM, 2), dim: DIM });
});

async function build(index: string, ...more: string[]): Promise<string> {
  const { code, json } = await callJson(['build', index, '--input', input, ...more, ...at]);
  expect(code).toBe(EXIT.done);
  return json['version'] as string;
}

describe('an index with nights that went wrong', () => {
  let [good, poor, other, wide] = ['', '', '', ''];

  beforeAll(async () => {
    good = await build('nights', '--no-calibrate');
    await callJson(['publish', `nights@${good}`, '--reason', 'first', ...at], { SHORTLIST_WHO: 'night job' });
    poor = await build('nights', '--no-calibrate', '--seed', '3');
    chmodSync(join(root, 'nights', poor, 'shard-0000.ids'), 0o644);
    truncateSync(join(root, 'nights', poor, 'shard-0000.ids'), 100);
    other = await build('nights', '--no-calibrate', '--m', '4', '--ef-construction', '1', '--seed', '4');
    wide = join(root, '.wide.arrow');
    writeCatalog(wide, { vectors: makeVectors(50, DIM + 1, 1), dim: DIM + 1 });
  });

  it('history and list tell of a refusal, what refused it and who wanted it', async () => {
    const { code, json } = await callJson(['publish', `nights@${poor}`, ...at], { SHORTLIST_WHO: 'ann' }); // prettier-ignore
    expect([code, (json['gate'] as { pass: boolean }).pass]).toEqual([EXIT.checkFailed, false]);
    expect((await callJson(['history', 'nights', ...at])).json).toMatchObject({
      index: 'nights',
      current: good,
      entries: [
        { action: 'publish', version: good, previous: null, reason: 'first', who: 'night job' },
        { action: 'refuse', version: poor, previous: good, who: 'ann', refused_by: (json['error'] as Error).message },
      ],
    });
    const { versions } = (await callJson(['list', 'nights', ...at])).json as { versions: { state: string }[] };
    expect(versions.map(({ state }) => state)).toEqual(['current', 'refused', 'new']);
    const text = (await call(['history', 'nights', '--last', '1', ...at])).stdout;
    expect(text).toMatch(/^\d{4}-\d\d-\d\d [\d:]{8}  REFUSED   .*; by ann$/m);
  });

  it('alias without a name lists the aliases', async () => {
    expect((await call(['alias', 'nights', ...at])).stdout).toContain('nights has no alias');
    await callJson(['alias', 'nights', 'canary', other, ...at]);
    expect((await callJson(['alias', 'nights', ...at])).json).toEqual({
      index: 'nights',
      aliases: [{ alias: 'canary', version: other, exists: true }],
      damaged: [],
    });
  });

  it('diff takes rows where no queries are given, and ends with 1 where they overlap too little', async () => {
    const args = ['diff', 'nights', 'current', 'canary', '--sample', '30', '-k', '10', ...at];
    const { code, json } = await callJson(args);
    expect(code).toBe(EXIT.done);
    expect(json).toMatchObject({ from: good, to: other, queries: 30, source: 'sample' });
    const failed = await callJson([...args, '--min-overlap', '1', '--ef', '10']);
    expect(failed).toMatchObject({ code: EXIT.checkFailed, json: { ok: false, error: { code: 'check_failed' } } });
    const same = await callJson(['diff', 'nights', good, good, '--min-overlap', '1', ...at]);
    expect(same).toMatchObject({ code: EXIT.done, json: { ok: true, entered: { total: 0 } } });
  });

  it('diff searches as the server does: with the ef of the calibration, and max(200, 2k) without one', async () => {
    const calibrated = await build('nights', '--seed', '5');
    const { json } = await callJson(['diff', 'nights', good, calibrated, '-k', '10', '--sample', '5', ...at]);
    const [answer] = [await callJson(['query', `nights@${calibrated}`, '--id', '1', '-k', '10', ...at])];
    const used = (answer.json['quality'] as { ef: number }).ef;
    expect(json['points']).toMatchObject([{ k: 10, ef: { from: 200, to: used } }]);
  });

  it('diff refuses versions of other dimensions, in either order', async () => {
    const { json } = await callJson(['build', 'nights', '--input', wide, '--no-calibrate', ...at]);
    const version = json['version'] as string;
    for (const [v1, v2] of [[good, version], [version, good]] as const)
      for (const more of [[], ['--queries', queries]])
        expect(await callJson(['diff', 'nights', v1, v2, ...more, ...at])).toMatchObject({
          code: EXIT.badData,
          json: { error: { code: 'dimension_mismatch', message: expect.stringContaining(version) as string } },
        }); // prettier-ignore
  });

  it('a dry run of a refused publish changes nothing', async () => {
    const before = readFileSync(join(root, 'nights', 'REFUSALS'));
    const dry = await call(['publish', `nights@${poor}`, '--dry-run', ...at]);
    expect(dry).toMatchObject({ code: EXIT.checkFailed, stdout: expect.stringContaining('would refuse') as string });
    expect(readFileSync(join(root, 'nights', 'REFUSALS'))).toEqual(before);
  });
});

describe('what stands on the command line', () => {
  it.each([
    ['build --frobnicate', 'shortlist build --help'],
    ['build x', 'shortlist build --help'],
    ['prune x --keep 0', 'shortlist prune --help'],
    ['build x --input y --min-recall 0.9', '--min-recall has no effect without --publish; see shortlist build --help'],
    ['build x --inptu y', "unknown option '--inptu' (Did you mean --input?); see shortlist build --help"],
    [
      'build x --root y --log-level warn',
      "required option '--input <path...>' not specified; see shortlist build --help",
    ],
    ['build x --input y --reason why', '--reason has no effect without --publish'],
    ['build x --input y --memory-limit lots', 'Give a size such as 48MiB or 2GB'],
    ['evaluate x --queries y --sample 5', '--sample has no effect together with --queries'],
    ['diff x a b --vector-column v', '--vector-column has no effect without --queries'],
    ['query x --id 1 --vector-column v', '--vector-column has no effect without --queries'],
    ['alias x --remove', 'shortlist alias --help'],
  ])('%s is met with the help of its command', async (line, help) => {
    const { code, stderr } = await call([...line.split(' '), ...at]);
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain(help);
  });

  it('bounds the memory of a build by a size as serve takes it', async () => {
    const args = ['build', 'bounded', '--input', input, '--no-calibrate', ...at];
    expect(await callJson([...args, '--memory-limit', '200MiB'])).toMatchObject({
      code: EXIT.checkFailed,
      json: { error: { code: 'insufficient_memory', available_bytes: 200 * 2 ** 20 } },
    });
    expect((await callJson([...args, '--memory-limit', '1GiB'])).code).toBe(EXIT.done);
  });

  it('gives every line on stderr its time, where that is no terminal', async () => {
    const { stderr } = await call(['build', 'timed', '--input', input, '--no-calibrate', ...at]);
    for (const line of stderr.trimEnd().split('\n')) expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z \S/);
  });
});

describe('an index that is not there', () => {
  const empty = temporaryFolder();

  it.each([
    [['build', 'new', '--input', '/no/such/file.arrow']],
    [['publish', 'new@20260101T000000Z-00000000']],
    [['rollback', 'new']],
    [['alias', 'new', 'green', '20260101T000000Z-00000000']],
    [['alias', 'new', 'green', '--remove']],
    [['gate', 'init', 'new']],
    [['gate', 'check', 'new']],
    [['prune', 'new', '--keep', '1']],
    [['evaluate', 'new']],
    [['history', 'new']],
  ])('is not begun by %j, which fails', async (args) => {
    const { code } = await callJson([...args, '--root', empty]);
    expect(code).not.toBe(EXIT.done);
    expect(readdirSync(empty)).toEqual([]);
  });
});
