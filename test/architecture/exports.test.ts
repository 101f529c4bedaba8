/** An export is for another file. What only its own file uses is not exported, so that a reader knows who may call what. */
import { expect, it } from 'vitest';
import { listSources, parse, readExports, readImports, type Import } from './sources.js';

/** Called by threads and processes, or by the programs of the project, which are not TypeScript files of these folders. */
const FOLDERS = ['src', 'test', 'bench', 'scripts'];

/** Names that are read off a module that is imported at run time: `const { a } = await import(..)`, `(await import(..)).a`. */
function isNamedAnywhere(name: string, { file }: Import): boolean {
  return new RegExp(`\\b${name}\\b`).test(parse(file).text);
}

it('every export of src/ is used by another file', () => {
  const imports = FOLDERS.flatMap(listSources).flatMap(readImports);
  const byTarget = new Map<string, Import[]>();
  for (const found of imports) {
    if (found.target === null) continue;
    const known = byTarget.get(found.target);
    if (known === undefined) byTarget.set(found.target, [found]);
    else known.push(found);
  }
  const needless = listSources('src').flatMap((file) => {
    const users = byTarget.get(file) ?? [];
    const isUsed = (name: string): boolean =>
      users.some((user) =>
        user.names === null ? isNamedAnywhere(name, user) : user.names.includes(name) || user.names.includes('*'),
      );
    return readExports(file)
      .filter((name) => !isUsed(name))
      .map((name) => `${file} exports ${name}`);
  });
  expect(needless).toEqual([]);
});
