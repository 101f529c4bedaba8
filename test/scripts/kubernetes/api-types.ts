/**
 * Whether manifests have the form that the API of Kubernetes demands. They are type-checked as object literals against the
 * types of its OpenAPI description, which also finds misspelt fields: the JSON schemas of that description allow any.
 */
import ts from 'typescript';
import { join } from 'node:path';
import { PROJECT } from '../command-lines.js';
import type { Manifest } from './manifests.js';

const FILE = join(PROJECT, 'test/scripts/kubernetes/checked-manifests.ts');

/** @returns what is wrong; manifests of kinds that are not Kubernetes' own are not looked at */
export function formFaults(manifests: readonly Manifest[]): string[] {
  const own = manifests.filter(({ apiVersion }) => /^[^.]*$|\.k8s\.io\//.test(apiVersion));
  const text = own.map((manifest, i) => {
    const module = manifest.apiVersion.includes('/') ? manifest.apiVersion.replace('.k8s.io', '') : 'core/v1';
    return `export const m${i}: import('kubernetes-types/${module}.js').${manifest.kind} = ${JSON.stringify(manifest)};`;
  });
  return check(text.join('\n')).map(({ line, message }) => {
    const { kind, metadata } = own[line]!;
    return `${kind} ${metadata.name}: ${message}`;
  });
}

function check(source: string): { line: number; message: string }[] {
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const withFile: ts.CompilerHost = {
    ...host,
    fileExists: (path) => path === FILE || host.fileExists(path),
    getSourceFile: (path, language, ...rest) =>
      path === FILE ? ts.createSourceFile(path, source, language) : host.getSourceFile(path, language, ...rest),
  };
  const program = ts.createProgram([FILE], options, withFile);
  const file = program.getSourceFile(FILE)!;
  return ts.getPreEmitDiagnostics(program, file).map(({ start = 0, messageText }) => ({
    line: file.getLineAndCharacterOfPosition(start).line,
    message: ts.flattenDiagnosticMessageText(messageText, '\n'),
  }));
}
