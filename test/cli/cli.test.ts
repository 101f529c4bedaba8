import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/base/errors.js';
import { makeVectors, temporaryFolder, writeCatalog } from '../indexes.js';
import { call, callJson } from './call.js';
import { shortlist } from './process.js';

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

describe('from build to rollback', () => {
  const versions: string[] = [];

  it('build makes a version that is not published', async () => {
    const { code, json, stderr } = await callJson(['build', 'items', '--input', input, ...at]);
    expect(code).toBe(EXIT.done);
    expect(json).toMatchObject({
      index: 'items',
      vectors: 400,
      dim: DIM,
      metric: 'cosine',
      shards: 1,
      rejected: 0,
      duplicates: 0,
      published: false,
    });
    expect(json['seconds']).toBeGreaterThan(0);
    expect(Object.keys(json['stages'] as object)).toContain('graph');
    expect(json['figures']).toEqual([expect.objectContaining({ code_bits: 7, equal_rows: 0 })]);
    expect(stderr).toContain('ingest: 100%');
    versions.push(json['version'] as string);
    expect((await callJson(['query', 'items', '--id', '1', ...at])).json).toMatchObject({
      error: { code: 'version_not_found' },
    });
  });

  it('publish runs the gate and moves CURRENT; build --publish does both', async () => {
    const first = await callJson(['publish', `items@${versions[0]!}`, ...at]);
    expect(first).toMatchObject({
      code: EXIT.done,
      json: { index: 'items', version: versions[0], previous: null, gate: { pass: true } },
    });
    const second = await callJson(['build', 'items', '--input', input, '--seed', '7', '--publish', ...at]);
    expect(second.json).toMatchObject({ published: true, previous: versions[0], gate: { pass: true } });
    versions.push(second.json['version'] as string);
  });

  it('a gate that says no ends with 1 and publishes nothing', async () => {
    versions.push(await build('items', '--seed', '8', '--no-calibrate'));
    const rows = join(root, '.rows.arrow');
    writeCatalog(rows, { vectors: makeVectors(1500, 32, 1), dim: 32 });
    const graph = ['--m', '4', '--ef-construction', '1', '--no-calibrate']; // a calibration would find an ef that suffices
    const poor = ['build', 'poor', '--input', rows, ...graph, '--publish', ...at];
    const { json: first } = await callJson([...poor, '--force', '--reason', 'nothing else is there']);
    expect(first).toMatchObject({ published: true, forced: true, gate: { pass: false } });

    const no = {
      code: EXIT.checkFailed,
      json: { published: false, error: { code: 'gate_failed' }, gate: { pass: false } },
    }; // prettier-ignore
    const refused = await callJson(poor); // recall@100 of these rows in such a graph is 0.47, and the limit is 0.95
    expect(refused).toMatchObject(no);
    const { checks } = refused.json['gate'] as { checks: { name: string; pass: boolean }[] };
    expect(checks.find(({ name }) => name === 'recall@100')).toMatchObject({ pass: false, limit: 0.95 });
    const version = refused.json['version'] as string;
    for (const more of [[], ['--dry-run'], ['--min-recall', '1']])
      expect(await callJson(['publish', `poor@${version}`, ...more, ...at])).toMatchObject(no);
    expect((await callJson(['list', 'poor', ...at])).json['versions']).toMatchObject([
      { version: first['version'], current: true },
      { version, current: false },
    ]);
  });

  it('list shows versions, which one is current, and indexes', async () => {
    const { json } = await callJson(['list', 'items', ...at]);
    expect(
      (json['versions'] as { version: string; current: boolean }[]).map(({ version, current }) => [version, current]),
    ).toEqual([
      [versions[0], false],
      [versions[1], true],
      [versions[2], false],
    ]);
    const indexes = (await callJson(['list', ...at])).json['indexes'] as { index: string }[];
    expect(indexes.find(({ index }) => index === 'items')).toMatchObject({
      current: versions[1],
      versions: 3,
      vectors: 400,
    });
  });

  it('inspect gives the manifest and the gate verdict', async () => {
    const { json } = await callJson(['inspect', 'items', ...at]);
    expect(json).toMatchObject({ version: versions[1], current: true, count: 400, gate: { pass: true }, seed: 7 });
    expect(json['isa']).toMatch(/^(avx512|avx2|generic)$/);
  });

  it('inspect shows what the engine found out of each shard as a table, and what this machine runs', async () => {
    await build('inspected', '--shards', '2', '--publish');
    const { json } = await callJson(['inspect', 'inspected', ...at]);
    const [first] = json['shards'] as { count: number; figures: Record<string, number> }[];
    const { stdout } = await shortlist(['inspect', 'inspected', ...at], { SHORTLIST_ISA: 'generic' });
    const lines = stdout.split('\n').map((line) => line.trim().split(/ {2,}/));
    const titles = Object.keys(first!.figures).map((name) => name.replaceAll('_', ' '));
    expect(titles).toContain('code bits');
    const row = lines.findIndex((cells) => cells[0] === 'shard');
    expect(lines[row]).toEqual(['shard', 'rows', ...titles]);
    expect(lines[row + 2]!.slice(0, 2)).toEqual(['0', String(first!.count)]);
    expect(lines[row + 2]).toHaveLength(2 + titles.length);
    expect(lines[row + 3]![0]).toBe('1');
    expect(stdout).toContain('uses generic');
  });

  it('an instruction set that is none is an error, also of a search that needs no graph', async () => {
    await build('plain', '--engine', 'hnswlib', '--no-calibrate', '--publish');
    const search = ['query', 'plain', '--id', '1', '-k', '3', '--exact', ...at];
    const { code, stderr } = await shortlist(search, { SHORTLIST_ISA: 'avx9' });
    expect(stderr).toContain("SHORTLIST_ISA is 'avx9', and this processor runs: generic");
    expect(code).toBe(64);
    expect((await shortlist(search, { SHORTLIST_ISA: 'generic' })).code).toBe(0);
  });

  it('verify says ok', async () => {
    const { code, json } = await callJson(['verify', 'items', ...at]);
    expect({ code, json }).toEqual({
      code: EXIT.done,
      json: { index: 'items', version: versions[1], ok: true, problems: [] },
    });
  });

  it('diff tells how the candidates of two versions differ', async () => {
    const [v1] = versions as [string];
    const same = await callJson(['diff', 'items', v1, v1, '--queries', queries, '-k', '5,20', ...at]);
    expect(same.json).toMatchObject({ from: v1, to: v1, queries: 20, same_first: 20, points: [{ k: 5, overlap: 1 }, { k: 20, overlap: 1 }], entered: { total: 0 }, left: { total: 0 } }); // prettier-ignore
    const other = join(root, '.half.arrow');
    writeCatalog(other, { vectors: makeVectors(400, DIM, 1).subarray(0, 200 * DIM), dim: DIM });
    const half = (await callJson(['build', 'items', '--input', other, ...at])).json['version'] as string;
    const { json } = await callJson(['diff', 'items', v1, half, '--queries', queries, '-k', '20', ...at]);
    const { points, left, entered } = json as {
      points: { overlap: number }[];
      left: { ids: { id: string }[] };
      entered: { total: number };
    };
    expect(points[0]!.overlap).toBeLessThan(0.9);
    expect(left.ids.length).toBeGreaterThan(0);
    expect(left.ids.every(({ id }) => Number(id) >= 200)).toBe(true);
    expect(entered.total).toBeGreaterThan(0);
    versions.push(half);
  });

  it('rollback refuses a version that is damaged and leaves CURRENT alone', async () => {
    const path = join(root, 'items', versions[0]!, 'shard-0000.ids');
    const bytes = readFileSync(path);
    chmodSync(path, 0o644);
    writeFileSync(
      path,
      bytes.map((byte, i) => (i === 5000 ? byte ^ 1 : byte)),
    );
    for (const more of [[], ['--dry-run']]) {
      expect((await callJson(['rollback', 'items', ...more, ...at])).json).toMatchObject({
        error: { code: 'version_not_found', skipped: [versions[0]] },
      });
      expect(await callJson(['rollback', 'items', '--to', versions[0]!, ...more, ...at])).toMatchObject({
        code: EXIT.badIndex,
        json: { error: { code: 'file_corrupt', file: path } },
      });
    }
    writeFileSync(path, bytes);
  });

  it('rollback goes back, with --dry-run only in words', async () => {
    const dry = await callJson(['rollback', 'items', '--dry-run', ...at]);
    expect(dry.json).toMatchObject({ version: versions[0], previous: versions[1], dry_run: true });
    const { code, json } = await callJson(['rollback', 'items', ...at]);
    expect({ code, json }).toMatchObject({
      code: EXIT.done,
      json: { index: 'items', version: versions[0], previous: versions[1] },
    });
    expect((await callJson(['rollback', 'items', ...at])).json).toMatchObject({
      error: { code: 'version_not_found' },
    });
  });

  it('alias names a version beside the current one, and prune spares both', async () => {
    expect((await callJson(['alias', 'items', 'canary', versions[1]!, ...at])).json).toMatchObject({
      index: 'items',
      alias: 'canary',
      version: versions[1],
    });
    expect((await callJson(['query', 'items@canary', '--id', '1', '-k', '3', ...at])).json).toMatchObject({
      version: versions[1],
    });
    expect((await callJson(['prune', 'items', '--keep', '1', ...at])).json).toMatchObject({
      deleted: [versions[2]],
    });
    await callJson(['alias', 'items', 'canary', '--remove', ...at]);
    const dry = await callJson(['prune', 'items', '--keep', '1', '--dry-run', ...at]);
    // The rollback has just replaced it, and a server may serve it still.
    expect(dry.json).toMatchObject({ deleted: [], kept_because: { [versions[1]!]: 'replaced' }, dry_run: true });
  });
});

describe('searching from the shell', () => {
  beforeAll(() => build('shop', '--publish'));

  it('query answers one vector, one id or a file, as the server would', async () => {
    const one = await callJson([
      'query',
      'shop',
      '--vector',
      JSON.stringify(Array.from(makeVectors(1, DIM, 2))),
      '-k',
      '3',
      '--attributes',
      'title',
      ...at,
    ]);
    const candidates = one.json['candidates'] as { id: string; score: number; attributes: { title: string } }[];
    expect(candidates).toHaveLength(3);
    expect(candidates[0]!.attributes.title).toBe(`title "${candidates[0]!.id}" ü`);
    expect(one.json['quality']).toMatchObject({ path: 'graph', ef: expect.any(Number) as number, short: null });
    const file = await callJson(['query', 'shop', '--queries', queries, '-k', '3', ...at]);
    expect(file.json['results']).toHaveLength(20);
    const exact = await callJson(['query', 'shop', '--id', '5', '-k', '3', '--exact', ...at]);
    expect(exact.json['quality']).toMatchObject({ path: 'exact', ef: null });
  });

  it('query filters, crowds, blends seeds and explains', async () => {
    const seeds = JSON.stringify([
      { id: 1, quota: 2 },
      { id: '2', weight: 0.5 },
    ]);
    const filter = JSON.stringify({ price: { $lt: 100 } });
    const search = ['query', 'shop', '-k', '9', '--filter', filter, '--attributes', 'price', ...at];
    const { json } = await callJson([...search, '--seeds', seeds, '--explain', '--why-not', '1', '399']);
    const candidates = json['candidates'] as { seed: number; attributes: { price: number } }[];
    expect(candidates).toHaveLength(9);
    expect(candidates.filter(({ seed }) => seed === 0)).toHaveLength(2);
    expect(candidates.every(({ attributes }) => attributes.price < 100)).toBe(true);
    expect(json['explain']).toMatchObject({
      filter: { passed: 80 },
      why_not: [{ reason: 'excluded' }, { reason: 'filter' }],
    });
    const crowded = await callJson([...search, '--id', '3', '--crowding', 'generation:4']);
    expect(crowded.json).toMatchObject({ quality: { short: 'crowding', selectivity: 0.2 } });
    expect(crowded.json['candidates']).toHaveLength(4);
    const { stdout } = await call([...search, '--id', '3', '--explain', '--why-not', '399', 'x']);
    expect(stdout).toMatch(/filter: 80 rows pass \(20 %\)/);
    expect(stdout).toMatch(/399: filter \(\/filter\/price\/\$lt\); exact rank \d+/);
    expect(stdout).toMatch(/x: no such item/);
  });

  it('query prints a table for a person', async () => {
    const { stdout } = await call(['query', 'shop', '--id', '5', '-k', '2', '--attributes', 'title,price', ...at]);
    expect(stdout.split('\n')[0]).toMatch(/^#\s+id\s+score\s+title\s+price$/);
    expect(stdout).toMatch(/2 candidates, path graph, ef \d+\n$/);
  });

  it('batch writes the answers of a file as Arrow, equal to those of query', async () => {
    const out = join(root, 'answers.arrow');
    const { json } = await callJson([
      'batch',
      'shop',
      '--queries',
      queries,
      '--out',
      out,
      '-k',
      '5',
      '--threads',
      '2',
      ...at,
    ]);
    expect(json).toMatchObject({ queries: 20, out });
    const table = tableFromIPC(readFileSync(out));
    expect(table.numRows).toBe(100);
    expect(table.schema.metadata.get('index')).toBe('shop');
    const results = (await callJson(['query', 'shop', '--queries', queries, '-k', '5', ...at])).json['results'] as {
      candidates: { id: string }[];
    }[];
    expect(Array.from(table.getChild('id')! as Iterable<bigint>, String)).toEqual(
      results.flatMap(({ candidates }) => candidates.map(({ id }) => id)),
    );
    expect(Array.from(table.getChild('query')! as Iterable<number>)).toEqual(
      results.flatMap((_, query) => [query, query, query, query, query]),
    );
  });

  it('a target recall is reached with the calibrated ef, which evaluate --calibrate measures again', async () => {
    const calibrated = await build('calibrated');
    const target = `calibrated@${calibrated}`;
    const { json } = await callJson(['inspect', target, ...at]);
    expect(json['calibration']).toMatchObject({ format: 3, source: 'rows' });
    expect((await call(['inspect', target, ...at])).stdout).toContain('ef for 0.99');
    const search = ['query', target, '--id', '1', '-k', '10', '--target-recall'];
    expect((await callJson([...search, '0.95', ...at])).json).toMatchObject({ quality: { path: 'graph' } });
    const beyond = await callJson([...search, '1', ...at]);
    expect(beyond).toMatchObject({ code: EXIT.usage, json: { error: { code: 'recall_unreachable' } } });
    rmSync(join(root, 'calibrated', 'notes'), { recursive: true });
    const without = await callJson([...search, '0.95', ...at]);
    expect(without).toMatchObject({ code: EXIT.badIndex, json: { error: { code: 'not_calibrated' } } });
    const again = await callJson(['evaluate', target, '--calibrate', '-k', '5', '--ef', '20', ...at]);
    expect(again.json['calibration']).toEqual(json['calibration']);
    expect((await callJson(['inspect', target, ...at])).json['calibration']).toEqual(json['calibration']);
  });

  it('evaluate measures a grid', async () => {
    const { json } = await callJson(['evaluate', 'shop', '--queries', queries, '-k', '5,10', '--ef', '20,200', ...at]);
    expect(json).toMatchObject({ index: 'shop', queries: 20 });
    const measured = json['points'] as { k: number; ef: number; recall: number }[];
    const points = measured.filter(({ ef }) => ef === 20 || ef === 200); // and that of a search which names none
    expect(points.map(({ k, ef }) => [k, ef])).toEqual([[5, 20], [5, 200], [10, 20], [10, 200]]); // prettier-ignore
    expect(points[1]!.recall).toBeGreaterThan(0.99);
    const filter = ['--filter', '{"price": {"$lt": 50}}'];
    const among = await callJson(['evaluate', 'shop', '--queries', queries, '-k', '10', '--ef', '200', ...filter, ...at]); // prettier-ignore
    expect(among.json['selectivity']).toBeGreaterThan(0);
    expect((among.json['points'] as { recall: number }[]).at(-1)!.recall).toBeGreaterThan(0.99);
  });
});

describe('wrong command lines end with 64, wrong data with 65, missing indexes with 66', () => {
  const broken = join(root, '.broken.arrow');
  let version: string;
  beforeAll(async () => {
    version = await build('there');
    writeFileSync(broken, 'ORC....ORC');
    writeCatalog(join(root, '.other.arrow'), { vectors: makeVectors(2, 5, 1), dim: 5 });
  });

  it.each([
    ['no command', [], 64, 'usage'],
    ['an unknown command', ['biuld'], 64, 'usage'],
    ['an unknown flag', ['list', '--frobnicate'], 64, 'usage'],
    ['a missing flag', ['build', 'x'], 64, 'usage'],
    ['two flags that exclude each other', ['query', 'there@VERSION', '--id', '1', '--exact', '--ef', '5'], 64, 'usage'],
    ['an alias that is a word of ours', ['alias', 'there', 'current', 'VERSION'], 64, 'usage'],
    [
      'a folder for rejects that does not exist',
      ['build', 'x', '--input', input, '--rejects', '/proc/nowhere/r.jsonl'],
      74,
      'io_error',
    ],
    ['a bad number', ['build', 'x', '--input', input, '--shards', 'three'], 64, 'usage'],
    ['a bad metric', ['build', 'x', '--input', input, '--metric', 'dot'], 64, 'usage'],
    ['a bad index name', ['build', '../x', '--input', input], 64, 'usage'],
    ['no version to publish', ['publish', 'there'], 64, 'usage'],
    ['two kinds of query', ['query', 'there', '--id', '1', '--vector', '[1]'], 64, 'usage'],
    ['a missing input', ['build', 'x', '--input', join(root, 'nowhere.arrow')], 65, 'input_not_found'],
    ['an input that is not Arrow', ['build', 'x', '--input', broken], 65, 'input_format'],
    ['a missing id column', ['build', 'x', '--input', input, '--id-column', 'sku'], 65, 'column_missing'],
    ['a vector column that is none', ['build', 'x', '--input', input, '--vector-column', 'title'], 65, 'column_type'],
    ['an unknown attribute', ['build', 'x', '--input', input, '--attributes', 'colour'], 65, 'column_missing'],
    ['an unknown index', ['list', 'nowhere'], 66, 'index_not_found'],
    ['an unknown version', ['verify', 'there@20200101T000000Z-00000000'], 66, 'version_not_found'],
    ['an unpublished index', ['verify', 'there'], 66, 'version_not_found'],
    ['a folder that cannot be written', ['build', 'x', '--input', input, '--root', '/proc/nowhere'], 74, 'io_error'],
    [
      'an out file that cannot be written',
      ['batch', 'there@VERSION', '--queries', queries, '--out', '/proc/nowhere/x.arrow'],
      74,
      'io_error',
    ],
    [
      'a query file of another dimension',
      ['query', 'there@VERSION', '--queries', join(root, '.other.arrow')],
      65,
      'dimension_mismatch',
    ],
    [
      'a filter of an unknown attribute',
      ['query', 'there@VERSION', '--id', '1', '--filter', '{"prize": 1}'],
      64,
      'bad_filter',
    ],
    ['a filter that is no JSON', ['query', 'there@VERSION', '--id', '1', '--filter', 'price'], 64, 'bad_json'],
    ['crowding without a limit', ['query', 'there@VERSION', '--id', '1', '--crowding', 'price'], 64, 'usage'],
    ['a seed without a query', ['query', 'there@VERSION', '--seeds', '[{"weight": 1}]'], 64, 'bad_field'],
    ['an unknown id', ['query', 'there@VERSION', '--id', 'x'], 66, 'unknown_id'],
  ] as const)('%s', async (_name, args, exit, code) => {
    const given = args.map((arg) => arg.replace('VERSION', version));
    const place = (args as readonly string[]).includes('--root') ? [] : at;
    // At the same time, and so not on the same index: one build would find the other's lock.
    const other = given.map((arg) => (arg === 'x' ? 'y' : arg));
    const [json, text] = await Promise.all([callJson([...given, ...place]), call([...other, ...place])]);
    expect(json.json).toMatchObject({ error: { code, message: expect.stringMatching(/\S/) as string } });
    expect(json.code).toBe(exit);
    expect(text.code).toBe(exit);
    expect(text.stdout).toBe('');
    expect(text.stderr).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z shortlist: .+/m);
  });

  it('an unknown command is met with the one that was meant', async () => {
    expect((await call(['biuld'])).stderr).toContain('build');
  });
});

describe('help', () => {
  it('names every command and the exit codes; each command has its own', async () => {
    const { code, stdout } = await call(['--help']);
    expect(code).toBe(0);
    const commands = [
      'build',
      'evaluate',
      'publish',
      'rollback',
      'history',
      'list',
      'inspect',
      'verify',
      'prune',
      'alias',
      'diff',
      'query',
      'batch',
      'serve',
    ];
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    const helps = await Promise.all(commands.map((command) => call([command, '--help'])));
    for (const help of helps)
      expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('--root') as string });
    for (const line of [{ stdout }, ...helps].flatMap((help) => help.stdout.split('\n')))
      expect(line.length, line).toBeLessThanOrEqual(80);
    expect(stdout).toContain('75 busy');
    expect((await call(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
