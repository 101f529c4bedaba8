/** A build as an array job: its tasks, one after the other, at once, killed and started again, and what they become. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ShortlistError } from '../../../src/base/errors.js';
import { IdTableBuilder } from '../../../src/base/id-table-builder.js';
import { shardOf } from '../../../src/base/hash.js';
import { seededRandom } from '../../../src/base/random.js';
import { assembleParts } from '../../../src/builder/parts/assemble.js';
import { readBuildPlan } from '../../../src/builder/parts/build-plan.js';
import { nodeFiles, type FileSystem } from '../../../src/version/disk/files.js';
import { callJson } from '../../cli/call.js';
import { MAIN } from '../../cli/process.js';
import { temporaryFolder } from '../../indexes.js';
import { types, writeArrow } from '../../ingest/arrow-files.js';

const root = temporaryFolder();
const SHARDS = 4;
const DIM = 6;
const BUILD = ['--shards', String(SHARDS), '--m', '6', '--ef-construction', '20', '--metric', 'l2'];

interface Fault {
  readonly row: number;
  readonly kind: 'null_id' | 'bad_id' | 'not_finite' | 'duplicate_id' | 'null_vector';
}

/** A file of rows with text ids, of which some are bad. */
function writeRows(path: string, first: number, rows: number, faults: readonly Fault[], batchRows: number): string {
  const random = seededRandom(first + 1);
  const ids: (string | null)[] = Array.from({ length: rows }, (_, row) => `item-${first + row}`);
  const vectors: (number[] | null)[] = ids.map(() => Array.from({ length: DIM }, () => random() - 0.5));
  for (const { row, kind } of faults) {
    if (kind === 'null_id') ids[row] = null;
    else if (kind === 'bad_id') ids[row] = '';
    else if (kind === 'not_finite') vectors[row]![1] = NaN;
    else if (kind === 'null_vector') vectors[row] = null;
    else ids[row] = `item-${Math.max(0, first + row - 7)}`;
  }
  const columns = {
    id: [types.utf8, ids],
    v: [types.list32, vectors],
    price: [types.float32, ids.map((_, row) => (row % 9 === 0 ? null : row / 8))],
    title: [types.utf8, ids.map((_, row) => `title ${first + row} ü`)],
    tags: [types.strings, ids.map((_, row) => (row % 5 === 0 ? null : [`t${row % 3}`, `t${row % 4}`]))],
  } as const;
  return writeArrow(path, columns, { batchRows });
}

const shardFiles = (index: string, version: string): Record<string, string> => {
  const folder = join(root, index, version);
  const names = readdirSync(folder).filter((name) => name.startsWith('shard-'));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name)).toString('base64')]));
};

async function runTasks(plan: string, tasks: readonly number[]): Promise<void> {
  for (const shard of tasks) {
    const { code, stderr } = await callJson(['build-shard', '--plan', plan, '--shard', String(shard), '--root', root]);
    expect(code, stderr).toBe(0);
  }
}

async function planned(index: string, args: readonly string[]): Promise<string> {
  const out = join(root, `.${index}.plan`);
  const { code, stderr } = await callJson(['plan-build', index, ...args, '--out', out, '--root', root]);
  expect(code, stderr).toBe(0);
  return out;
}

const assemble = (plan: string, ...more: string[]) =>
  callJson(['assemble', '--plan', plan, '--no-calibrate', ...more, '--root', root]);

describe('an array job', () => {
  it(
    'writes the bytes of one build, whatever rows are bad, wherever files and batches end',
    { timeout: 120_000 },
    async () => {
      const kind = fc.constantFrom<Fault['kind']>('null_id', 'bad_id', 'not_finite', 'duplicate_id', 'null_vector');
      const fault = fc.record({ row: fc.nat({ max: 79 }), kind });
      const file = fc.record({ faults: fc.array(fault, { maxLength: 8 }), batchRows: fc.integer({ min: 5, max: 90 }) });
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 3 }), async (files) => {
          const name = `same-${run++}`;
          const paths = files.map(({ faults, batchRows }, i) =>
            writeRows(join(root, `.${name}-${i}.arrow`), 80 * i, 80, faults, batchRows),
          );
          const args = ['--input', ...paths, ...BUILD, '--on-bad-row', 'skip', '--max-rejected', '1'];
          const [one, many] = [join(root, `.${name}.one`), join(root, `.${name}.many`)];
          const whole = await callJson([
            'build',
            `${name}-one`,
            ...args,
            '--no-calibrate',
            '--rejects',
            one,
            '--root',
            root,
          ]);
          expect(whole.code, whole.stderr).toBe(0);
          const plan = await planned(name, args);
          await runTasks(plan, [2, 0, 3, 1]);
          const { code, json, stderr } = await assemble(plan, '--rejects', many);
          expect(code, stderr).toBe(0);
          expect(json['content']).toBe(whole.json['content']);
          expect(json['rejects']).toEqual(whole.json['rejects']);
          expect(shardFiles(name, json['version'] as string)).toEqual(shardFiles(`${name}-one`, whole.json['version'] as string)); // prettier-ignore
          expect(existsSync(many)).toBe(existsSync(one));
          if (existsSync(one)) expect(readFileSync(many, 'utf8')).toBe(readFileSync(one, 'utf8'));
          const manifests = await Promise.all([name, `${name}-one`].map((index, i) => callJson(['inspect', `${index}@${[json, whole.json][i]!['version'] as string}`, '--root', root]))); // prettier-ignore
          const [left, right] = manifests.map(({ json: found }) => found) as [Record<string, unknown>, Record<string, unknown>]; // prettier-ignore
          for (const member of ['shards', 'sources', 'options', 'rejects', 'duplicates', 'attributes', 'files']) expect(left[member], member).toEqual(right[member]); // prettier-ignore
          expect(left['input_norm'] as number).toBeCloseTo(right['input_norm'] as number, 9);
          expect(existsSync(join(root, name, '.parts'))).toBe(false);
        }),
        { numRuns: 5 },
      );
    },
  );

  it('reports the bad rows of all tasks as one build does, and refuses them', async () => {
    const faults: Fault[] = [3, 9, 20, 33, 41, 58, 77].map((row, i) => ({ row, kind: i % 2 === 0 ? 'not_finite' : 'duplicate_id' })); // prettier-ignore
    const input = writeRows(join(root, '.bad.arrow'), 0, 80, [...faults, { row: 50, kind: 'null_id' }], 30);
    const whole = await callJson(['build', 'bad-one', '--input', input, ...BUILD, '--no-calibrate', '--root', root]);
    const plan = await planned('bad', ['--input', input, ...BUILD]);
    await runTasks(plan, [0, 1, 2, 3]);
    const joined = await assemble(plan);
    expect(joined.code).toBe(65);
    expect(joined.json).toEqual(whole.json);
    expect(existsSync(join(root, 'bad', '.staging'))).toBe(false);
  });

  it('names the shards that are missing, and is assembled when they are there', async () => {
    const input = writeRows(join(root, '.late.arrow'), 0, 200, [], 64);
    const plan = await planned('late', ['--input', input, ...BUILD]);
    await runTasks(plan, [1]);
    const early = await assemble(plan);
    expect(early.code).toBe(75);
    expect(early.json).toMatchObject({ error: { code: 'parts_missing', shards: [0, 2, 3] } });
    await runTasks(plan, [0, 1, 2, 3]);
    expect((await assemble(plan, '--keep-parts')).code).toBe(0);
    expect((await assemble(plan, '--publish', '--min-recall', '0')).json).toMatchObject({
      published: true,
      vectors: 200,
    });
  });

  it('is assembled by copies where the file system has no links', async () => {
    const input = writeRows(join(root, '.linkless.arrow'), 0, 200, [], 64);
    const plan = await planned('linkless', ['--input', input, ...BUILD]);
    await runTasks(plan, [0, 1, 2, 3]);
    let refused = 0;
    const link: FileSystem['link'] = (from, to) => {
      if (!from.includes('.parts')) return nodeFiles.link(from, to);
      refused++;
      return Promise.reject(new ShortlistError('io_error', `${from} cannot be linked`, { errno: 'EPERM' }));
    };
    const files: FileSystem = { ...nodeFiles, link };
    const copied = await assembleParts(await readBuildPlan(plan, nodeFiles), { root, threads: 1, files });
    expect(refused).toBe(4 * SHARDS);
    const whole = await callJson([
      'build',
      'linkless-one',
      '--input',
      input,
      ...BUILD,
      '--no-calibrate',
      '--root',
      root,
    ]);
    expect(copied.manifest.content).toBe(whole.json['content']);
  });

  it('takes the number of its shard from the variables of array tasks', async () => {
    const input = writeRows(join(root, '.env.arrow'), 0, 100, [], 64);
    const plan = await planned('env', ['--input', input, ...BUILD]);
    const run = async (env: NodeJS.ProcessEnv): Promise<string> => {
      const task = spawn(process.execPath, [MAIN, 'build-shard', '--plan', plan, '--root', root, '--json'], { env: { ...process.env, ...env } }); // prettier-ignore
      let text = '';
      task.stdout.on('data', (bytes) => (text += String(bytes)));
      await once(task, 'close');
      return text;
    };
    expect(JSON.parse(await run({ SLURM_ARRAY_TASK_ID: '3' }))).toMatchObject({ shard: 3, reused: false });
    expect(JSON.parse(await run({ JOB_COMPLETION_INDEX: '3' }))).toMatchObject({ shard: 3, reused: true });
    expect(JSON.parse(await run({ CLOUD_RUN_TASK_INDEX: '4' }))).toMatchObject({ error: { code: 'usage' } });
    expect(JSON.parse(await run({}))).toMatchObject({ error: { code: 'usage' } });
  });

  it('may have a task twice at once, and tasks that are killed', async () => {
    const input = writeRows(join(root, '.killed.arrow'), 0, 3_000, [], 500);
    const plan = await planned('killed', ['--input', input, ...BUILD]);
    const start = (shard: number) => spawn(process.execPath, [MAIN, 'build-shard', '--plan', plan, '--shard', String(shard), '--root', root, '--json', '--log-level', 'silent'], { stdio: ['ignore', 'pipe', 'ignore'] }); // prettier-ignore
    for (const delay of [150, 300, 450]) {
      const task = start(0);
      setTimeout(() => task.kill('SIGKILL'), delay);
      await once(task, 'close');
    }
    const twins = [start(1), start(1), start(0), start(0)];
    const codes = await Promise.all(twins.map(async (task) => (await once(task, 'close'))[0] as number));
    expect(codes).toEqual([0, 0, 0, 0]);
    await runTasks(plan, [2, 3]);
    const parts = join(root, 'killed', '.parts');
    const [id] = readdirSync(parts);
    expect(readdirSync(join(parts, id!)).sort()).toEqual(['shard-0000', 'shard-0001', 'shard-0002', 'shard-0003']);
    const whole = await callJson(['build', 'killed-one', '--input', input, ...BUILD, '--no-calibrate', '--root', root]);
    expect((await assemble(plan)).json['content']).toBe(whole.json['content']);
  });

  it('refuses files that are not those of the plan, and damaged plans and parts', async () => {
    const input = writeRows(join(root, '.moved.arrow'), 0, 100, [], 64);
    const plan = await planned('moved', ['--input', input, ...BUILD]);
    await runTasks(plan, [0, 1, 2, 3]);
    const part = join(root, 'moved', '.parts', readdirSync(join(root, 'moved', '.parts'))[0]!, 'shard-0002');
    const names = readdirSync(part).filter((name) => name.startsWith('shard-'));
    expect(names).toHaveLength(4);
    for (const name of names) {
      const bytes = readFileSync(join(part, name));
      const changed = Buffer.from(bytes);
      changed[changed.length >> 1]! ^= 1;
      rmSync(join(part, name));
      writeFileSync(join(part, name), changed);
      expect((await assemble(plan)).json, name).toMatchObject({ error: { code: 'file_corrupt' } });
      rmSync(join(part, name));
      writeFileSync(join(part, name), bytes);
    }
    writeFileSync(join(part, 'PART.json'), '{}');
    expect((await assemble(plan)).json).toMatchObject({ error: { code: 'state_corrupt' } });
    utimesSync(input, 1, 1);
    expect((await callJson(['build-shard', '--plan', plan, '--shard', '0', '--root', root])).json).toMatchObject({ error: { code: 'input_corrupt', file: input } }); // prettier-ignore
    writeFileSync(plan, readFileSync(plan, 'utf8').replace('"l2"', '"ip"'));
    expect((await assemble(plan)).json).toMatchObject({ error: { code: 'state_corrupt', file: plan } });
    expect((await assemble(join(root, 'none'))).json).toMatchObject({ error: { code: 'input_not_found' } });
  });
});

describe('an input that is partitioned already', () => {
  /** The shard of the text ids item-0, item-1, ... */
  const owner = (id: string): number => {
    const builder = new IdTableBuilder({ kind: 'utf8' });
    const bytes = Buffer.from(id);
    builder.addText(bytes, 0, bytes.length);
    return shardOf(builder.lastHash, SHARDS);
  };
  const folder = join(root, '.partitioned');

  it('is read once over all tasks, and gives the bytes of one build', async () => {
    const ids = Array.from({ length: 400 }, (_, row) => `item-${row}`);
    const random = seededRandom(5);
    const vectors = new Map(ids.map((id) => [id, Array.from({ length: DIM }, () => random() - 0.5)]));
    for (let shard = 0; shard < SHARDS; shard++) {
      const own = ids.filter((id) => owner(id) === shard);
      mkdirSync(join(folder, `shard=${shard}`), { recursive: true });
      writeArrow(join(folder, `shard=${shard}`, 'part-0.arrow'), { id: [types.utf8, own], v: [types.list32, own.map((id) => vectors.get(id)!)] }); // prettier-ignore
    }
    const whole = await callJson(['build', 'apart-one', '--input', folder, ...BUILD, '--no-calibrate', '--root', root]);
    const plan = await planned('apart', ['--input', folder, ...BUILD, '--partitioned']);
    await runTasks(plan, [0, 1, 2, 3]);
    expect((await assemble(plan)).json['content']).toBe(whole.json['content']);
  });

  it('must have each row where it belongs, and each file in a folder of a shard', async () => {
    const lost = join(root, '.misplaced');
    mkdirSync(join(lost, 'shard=1'), { recursive: true });
    const foreign = Array.from({ length: 50 }, (_, row) => `item-${row}`).find((id) => owner(id) !== 1)!;
    writeArrow(join(lost, 'shard=1', 'a.arrow'), {
      id: [types.utf8, [foreign]],
      v: [types.list32, [[1, 2, 3, 4, 5, 6]]],
    });
    const plan = await planned('misplaced', ['--input', lost, ...BUILD, '--partitioned']);
    const { json } = await callJson(['build-shard', '--plan', plan, '--shard', '1', '--root', root]);
    expect(json).toMatchObject({ error: { code: 'input_corrupt', row: 0, shard: owner(foreign) } });
    const out = join(root, '.no.plan');
    writeArrow(join(lost, 'b.arrow'), { id: [types.utf8, [foreign]], v: [types.list32, [[1, 2, 3, 4, 5, 6]]] });
    const loose = await callJson(['plan-build', 'x', '--input', lost, ...BUILD, '--partitioned', '--out', out, '--root', root]); // prettier-ignore
    expect(loose.json).toMatchObject({ error: { code: 'usage', file: join(lost, 'b.arrow') } });
  });
});
