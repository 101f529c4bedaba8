/** The sources of src/ as the rules of this folder see them: files, and what each imports, exports and says in comments. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
export const SRC = join(PROJECT, 'src');

export interface Import {
  /** The importing file, relative to the project. */
  readonly file: string;
  readonly specifier: string;
  /** The file that is meant, relative to the project; null for a package. */
  readonly target: string | null;
  /** Names that are imported; `*` for all that are handed on, null for all that are read off the module. */
  readonly names: readonly string[] | null;
  /** `type`: erased when compiled. `url`: `new URL('./x.js', import.meta.url)`, by which threads and processes are started. */
  readonly kind: 'value' | 'type' | 'url';
}

export interface Comment {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

const parsed = new Map<string, ts.SourceFile>();

/** Paths of the TypeScript files below a folder of the project, sorted, relative to the project. */
export function listSources(folder: string): string[] {
  return readdirSync(join(PROJECT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.includes('node_modules'))
    .map((file) => `${folder}/${file}`)
    .sort();
}

export function textOf(file: string): string {
  return readFileSync(join(PROJECT, file), 'utf8');
}

export function parse(file: string): ts.SourceFile {
  let source = parsed.get(file);
  if (source === undefined) {
    source = ts.createSourceFile(file, textOf(file), ts.ScriptTarget.ES2023, true);
    parsed.set(file, source);
  }
  return source;
}

export function readImports(file: string): Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node | undefined, kind: Import['kind'], names: readonly string[] | null): void => {
    if (node === undefined || !ts.isStringLiteralLike(node)) return;
    found.push({ file, specifier: node.text, target: targetOf(file, node.text), names, kind });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, kindOf(node.importClause), namesOf(node.importClause));
    else if (ts.isExportDeclaration(node))
      add(node.moduleSpecifier, node.isTypeOnly ? 'type' : 'value', exportedNames(node));
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node.argument.literal, 'type', node.qualifier === undefined ? null : [node.qualifier.getText()]);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], 'value', null);
    else if (isModuleUrl(node)) add(node.arguments?.[0], 'url', null);
    ts.forEachChild(node, visit);
  };
  visit(parse(file));
  return found;
}

/** Names that a file declares and exports. */
export function readExports(file: string): string[] {
  const names: string[] = [];
  parse(file).forEachChild((node) => {
    if (!ts.canHaveModifiers(node)) return;
    if (!ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return;
    if (ts.isVariableStatement(node))
      for (const { name } of node.declarationList.declarations) names.push(name.getText());
    else if ('name' in node) names.push((node.name as ts.Identifier).text);
  });
  return names;
}

/** Every comment once, with the line at which it begins. */
export function readComments(file: string): Comment[] {
  const source = parse(file);
  const text = source.text;
  const seen = new Map<number, Comment>();
  const visit = (node: ts.Node): void => {
    const ranges = [
      ...(ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(text, node.getEnd()) ?? []),
    ];
    for (const { pos, end } of ranges) {
      const line = source.getLineAndCharacterOfPosition(pos).line + 1;
      seen.set(pos, { file, line, text: text.slice(pos, end) });
    }
    node.getChildren(source).forEach(visit);
  };
  visit(source);
  return [...seen.values()];
}

function targetOf(file: string, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null;
  return relative(PROJECT, join(PROJECT, dirname(file), specifier)).replace(/\.js$/, '.ts');
}

function kindOf(clause: ts.ImportClause | undefined): Import['kind'] {
  if (clause === undefined) return 'value';
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return 'type';
  const names = clause.namedBindings;
  const onlyTypes = names !== undefined && ts.isNamedImports(names) && names.elements.every((name) => name.isTypeOnly);
  return clause.name === undefined && onlyTypes ? 'type' : 'value';
}

function namesOf(clause: ts.ImportClause | undefined): string[] | null {
  const names = clause?.namedBindings;
  if (names === undefined || !ts.isNamedImports(names)) return null;
  return names.elements.map(({ name, propertyName }) => (propertyName ?? name).text);
}

function exportedNames({ exportClause }: ts.ExportDeclaration): string[] {
  if (exportClause === undefined || !ts.isNamedExports(exportClause)) return ['*'];
  return exportClause.elements.map(({ name, propertyName }) => (propertyName ?? name).text);
}

function isModuleUrl(node: ts.Node): node is ts.NewExpression {
  if (!ts.isNewExpression(node) || node.expression.getText() !== 'URL') return false;
  const [path, base] = node.arguments ?? [];
  return base?.getText() === 'import.meta.url' && path?.getText().includes('.js') === true;
}
