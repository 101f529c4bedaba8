/** JSON that users give: flags and gate.json. Whatever it is, the error is one line with a code, and says where. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/base/errors.js';
import { makeVectors, publishVersion, temporaryFolder, writeCatalog } from '../indexes.js';
import { call, callJson } from './call.js';
import { shortlist } from './process.js';

const DIM = 8;
const root = temporaryFolder();
const at = ['--root', root];
const queries = join(root, 'queries.arrow');
const limits = join(root, 'items', 'gate.json');

beforeAll(async () => {
  await publishVersion(root, 'items', { rows: 300, dim: DIM });
  writeCatalog(queries, { vectors: makeVectors(5, DIM, 2), dim: DIM });
});

/** The flags that take JSON, with the commands that have them. */
const COMMANDS: readonly [flag: string, args: readonly string[]][] = [
  ['--filter', ['query', 'items', '--id', '1']],
  ['--filter', ['batch', 'items', '--queries', queries, '--out', join(root, 'answers.arrow')]],
  ['--filter', ['evaluate', 'items', '--queries', queries]],
  ['--gate-filter', ['gate', 'check', 'items']],
  ['--vector', ['query', 'items']],
  ['--seeds', ['query', 'items']],
];

async function errorOf(args: readonly string[]): Promise<{ code: number | null; error: unknown; lines: string[] }> {
  const { code, json } = await callJson([...args, ...at]);
  const { stderr } = await call([...args, ...at, '--log-level', 'error']);
  // A level was named, so that each line is an object.
  const lines = stderr.trimEnd().split('\n').map((line) => (JSON.parse(line) as { msg: string }).msg); // prettier-ignore
  return { code, error: json['error'], lines };
}

describe.each(COMMANDS)('%s of %j', (flag, args) => {
  it.each([
    ['broken over several lines', '{\n  "price": {\n    "$lt": 5,,\n  }\n}'],
    ['with control characters', '{"price": \u001b[31m\u0007\r\u2028 5}'],
    ['of a megabyte', `{"price": ${'5 '.repeat(60_000)}}`],
    ['empty', ''],
  ])('%s is one line that names it', async (_, text) => {
    const { code, error, lines } = await errorOf([...args, flag, text]);
    expect([code, error]).toMatchObject([EXIT.usage, { code: 'bad_json' }]);
    const { message } = error as Error;
    expect(message).toContain(flag);
    expect(message.length).toBeLessThan(2_100);
    expect(message).not.toMatch(/\p{Cc}|\u2028/u);
    expect(lines).toEqual([expect.stringContaining(message)]);
  });

  it('with a member twice is refused', async () => {
    const { code, error } = await errorOf([...args, flag, '{"price": 1, "price": 2}']);
    expect([code, error]).toMatchObject([EXIT.usage, { code: 'bad_request', message: expect.stringContaining('/price twice') as string }]); // prettier-ignore
  });
});

describe.each(COMMANDS.filter(([flag]) => flag.includes('filter')))('a deep %s of %j', (flag, args) => {
  const nested = (open: string, close: string, depth: number): string =>
    `${open.repeat(depth)}{"price": 1}${close.repeat(depth)}`;

  it.each([
    ['lists of filters', nested('{"$and":[', ']}', 5_000)],
    ['negations', nested('{"$not":', '}', 5_000)],
    ['a list of lists', `{"price":{"$in":${'['.repeat(5_000)}${']'.repeat(5_000)}}}`],
  ])('%s, is refused with the limit', async (_, filter) => {
    const { code, error } = await errorOf([...args, flag, filter]);
    const message = expect.stringContaining('filters can be nested at most 16 deep') as string;
    expect([code, error]).toMatchObject([EXIT.usage, { code: 'bad_filter', message }]);
  });
});

describe('gate.json', () => {
  afterEach(() => rmSync(limits, { recursive: true, force: true }));

  const deep = `{"format": 1, "filters": [${'{"$not":'.repeat(5_000)}{}${'}'.repeat(5_000)}]}`;
  const cases: [string, string, () => void][] = [
    ['a pipe that nobody writes', 'is a pipe', () => void execFileSync('mkfifo', [limits])],
    ['a folder', 'is a folder', () => mkdirSync(limits)],
    ['a device', 'is a pipe, socket or device', () => symlinkSync('/dev/zero', limits)],
    ['a link to nothing', 'is a link to a file that does not exist', () => symlinkSync(join(root, 'nothing'), limits)],
    ['larger than 1 MiB', 'it may have at most 1048576', () => writeFileSync(limits, ' '.repeat(2 ** 20 + 1))],
    ['empty', 'is empty', () => writeFileSync(limits, '')],
    ['broken on its third line', '(line 3, column 3)', () => writeFileSync(limits, '{\n  "format": 1,\n  x\n}')],
    ['no text', 'is not UTF-8', () => writeFileSync(limits, Buffer.from([0x7b, 0xff, 0x7d]))],
    ['with a member twice', 'has /checks/rows twice', () => writeFileSync(limits, '{"format": 1, "checks": {"rows": {}, "rows": {}}}')],
    ['nested 5,000 deep', 'more than 64 levels', () => writeFileSync(limits, deep)],
  ]; // prettier-ignore

  it.each(cases)('%s is bad_gate_file, one line, at once', async (_, problem, make) => {
    make();
    // A process, since what hangs must be killed.
    const { code, stdout } = await shortlist(['gate', 'check', 'items', ...at, '--json']);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    expect([code, error]).toMatchObject([EXIT.usage, { code: 'bad_gate_file', message: expect.stringContaining(problem) as string }]); // prettier-ignore
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(error.message).toContain('gate init --overwrite');
  });

  it.each([cases[0]!, cases[3]!, cases[4]!])('%s is replaced only on demand', async (_, __, make) => {
    make();
    expect((await callJson(['gate', 'init', 'items', ...at])).code).toBe(EXIT.usage);
    expect((await callJson(['gate', 'init', 'items', '--overwrite', ...at])).code).toBe(EXIT.done);
    expect((await callJson(['gate', 'check', 'items', ...at])).code).toBe(EXIT.done);
  });

  it('may begin with a byte-order mark', async () => {
    writeFileSync(limits, '\ufeff{"format": 1, "ks": [7]}');
    const { json } = await callJson(['gate', 'check', 'items', ...at]);
    expect((json['checks'] as { name: string }[]).map(({ name }) => name)).toContain('recall@7');
  });

  it('with a filter that is too deep fails the check of its recall', async () => {
    const filter = `${'{"$not":'.repeat(17)}{"price": 1}${'}'.repeat(17)}`;
    writeFileSync(limits, `{"format": 1, "filters": [${filter}]}`);
    const { code, json } = await callJson(['gate', 'check', 'items', ...at]);
    expect([code, json['error']]).toMatchObject([EXIT.checkFailed, { message: expect.stringContaining('nested at most 16 deep') as string }]); // prettier-ignore
  });
});
