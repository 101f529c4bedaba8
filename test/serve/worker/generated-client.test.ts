/** A client that a common generator makes of /openapi.json compiles strictly and works against the server. */
import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import openapiTS, { astToString, type OpenAPI3 } from 'openapi-typescript';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer } from '../server.js';

const NODE_MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url));

/** What someone would write, who has nothing but the document. */
const PROGRAM = `
import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

const client = createClient<paths>({ baseUrl: process.argv[2]! });
const path = { index: 'listings' };

const { data: index } = await client.GET('/v1/indexes/{index}', { params: { path } });
const dim: number = index!.dim!;

const request: components['schemas']['SearchRequest'] = {
  vector: Array.from({ length: dim }, (_, i) => i - 2.5),
  k: 3,
  filter: { price: { $gte: 10 } },
  include: { attributes: ['title'] },
};
const { data: answer, error } = await client.POST('/v1/indexes/{index}/search', { params: { path }, body: request });
if (error) throw new Error(error.detail);
if (typeof answer === 'string' || !('candidates' in answer)) throw new Error('one query has candidates');
const candidates: components['schemas']['Candidate'][] = answer.candidates;

const { data: batch } = await client.POST('/v1/indexes/{index}/search', { params: { path }, body: { ids: ['1', 'nobody'], k: 2 } });
if (batch === undefined || typeof batch === 'string' || !('results' in batch)) throw new Error('a batch has results');
const outcomes = batch.results.map((result) => ('error' in result ? result.error.code : result.candidates.length));

const refused = await client.POST('/v1/indexes/{index}/search', { params: { path }, body: { k: 3, vector: [1] } });
const missing = await client.GET('/v1/indexes/{index}/items/{id}', { params: { path: { ...path, id: 'nobody' } } });
const item = await client.GET('/v1/indexes/{index}/items/{id}', { params: { path: { ...path, id: '1' }, query: { 'include.vectors': true } } });

// @ts-expect-error k is a number
await client.POST('/v1/indexes/{index}/search', { params: { path }, body: { id: '1', k: '3' } });
// @ts-expect-error a score is a number
const wrong: string = candidates[0]!.score;
void wrong;

console.log(JSON.stringify([
  candidates.map(({ id, score, attributes }) => [typeof id, typeof score, typeof attributes!['title']]),
  outcomes, refused.error?.code, missing.error?.code, item.data?.vector?.length === dim,
]));
`;

it('openapi-typescript', async () => {
  const root = temporaryFolder();
  await publishVersion(root, 'listings');
  const server = await TestServer.start(root, ['--workers', '1']);
  const document = (await (await server.get('/openapi.json')).json()) as OpenAPI3;
  const folder = temporaryFolder();
  symlinkSync(NODE_MODULES, join(folder, 'node_modules'));
  mkdirSync(join(folder, 'src'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'src/api.ts'), astToString(await openapiTS(document)));
  const program = join(folder, 'src/program.ts');
  writeFileSync(program, PROGRAM);
  expect(compile(program, join(folder, 'out'))).toEqual([]);
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [join(folder, 'out/program.js'), server.url]);
  const found = ['string', 'number', 'string'];
  expect(JSON.parse(stdout)).toEqual([
    [found, found, found],
    [2, 'unknown_id'],
    'dimension_mismatch',
    'unknown_id',
    true,
  ]);
  expect(await server.stop()).toBe(0);
});

/** @returns what the compiler says */
function compile(file: string, outDir: string): string[] {
  const program = ts.createProgram([file], {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
    types: ['node'],
    typeRoots: [join(NODE_MODULES, '@types')],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    preserveSymlinks: true,
    skipLibCheck: true,
    outDir,
  });
  const diagnostics = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  return diagnostics.map(({ file: at, start, messageText }) => {
    const line = at === undefined ? '' : `${at.fileName}:${at.getLineAndCharacterOfPosition(start ?? 0).line + 1} `;
    return line + ts.flattenDiagnosticMessageText(messageText, '\n');
  });
}
