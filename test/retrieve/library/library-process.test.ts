/** The library in a process of its own: how it ends is what a user's script feels. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { publishVersion, temporaryFolder } from '../../indexes.js';

const LIBRARY = fileURLToPath(new URL('../../../dist/index.js', import.meta.url));
const root = temporaryFolder();

async function run(script: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const program = `import { openIndex } from ${JSON.stringify(LIBRARY)};
    const index = await openIndex(${JSON.stringify(root)}, 'items', { threads: 2 });
    const { dim } = index.manifest;
    const queries = Float32Array.from({ length: 30_000 * dim }, (_, i) => Math.sin(i));
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    ${script}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

describe('a program that uses the library', () => {
  beforeAll(() => publishVersion(root, 'items', { rows: 20_000, dim: 16 }));

  it.each([0, 30, 60, 100, 200, 400])(
    'may close the index %i ms into a batch: the batch is rejected and the program goes on',
    async (ms) => {
      const outcome = await run(`
      const batch = index.searchBatch(queries, { k: 50 }).then(() => 'done', (error) => error.code);
      const next = index.searchBatch(queries, { k: 50 }).then(() => 'done', (error) => error.code);
      await sleep(${ms});
      await index.close();
      console.log(await batch, await next);`);
      expect(outcome).toEqual({ code: 0, stdout: 'not_ready not_ready\n', stderr: '' });
    },
  );

  it('ends without closing the index, after a batch, a failed batch and an exact one', async () => {
    const outcome = await run(`
      await index.searchBatch(queries.subarray(0, 200 * dim), { k: 5 });
      await index.searchBatch(queries.subarray(0, 200 * dim), { k: 5, exact: true });
      await index.searchBatch(queries, { k: 0 }).catch((error) => console.log(error.code));`);
    expect(outcome).toEqual({ code: 0, stdout: 'k_out_of_range\n', stderr: '' });
  });
});
