/** The Python program of README.md, run as it stands there against a real server. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { makeCatalog } from '../../scripts/catalog.js';
import { shortlist } from '../cli/process.js';
import { temporaryFolder } from '../indexes.js';
import { TestServer } from '../serve/server.js';

const PYTHON = process.env['SHORTLIST_TEST_PYTHON'] ?? 'python3';
const hasModules = spawnSync(PYTHON, ['-c', 'import requests, pyarrow']).status === 0;

const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8');
const [program = ''] = [...readme.matchAll(/^```python\n([^]*?)^```/gm)]
  .map((match) => match[1]!)
  .filter((text) => text.includes('import requests'));

it.skipIf(!hasModules)(
  'the Python of README.md searches in JSON and in Arrow (skipped where python3, or SHORTLIST_TEST_PYTHON, lacks requests and pyarrow)',
  async () => {
    const root = temporaryFolder();
    const input = join(root, '.listings.arrow');
    writeFileSync(input, makeCatalog({ rows: 2_000, seed: 42 }));
    const { code, stderr } = await shortlist(['build', 'listings', '--input', input, '--root', root, '--no-calibrate', '--publish']); // prettier-ignore
    expect(code, stderr).toBe(0);
    rmSync(input);
    const server = await TestServer.start(root, ['--workers', '1']);
    const child = spawn(PYTHON, ['-c', program.replace('http://127.0.0.1:8080', server.url)]);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
    const [exit] = (await once(child, 'close')) as [number];
    expect(exit, output).toBe(0);
    const lines = output.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[3]).toMatch(/^10000 \['query', 'id', 'score', 'price'\] \d/);
    expect(await server.stop()).toBe(0);
  },
);
