/** In watch mode: which tests an edit of a source concerns. They run compiled files, whose imports vite does not know. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** A file of ours in quotes: imported, loaded later, or started as a thread or process. */
const RELATIVE = /['"`](\.\.?\/[^'"`\n]+)\.js['"`]/g;

/** What names it starts programs, and those are made of all the sources. */
const COMPILED = /\bdist\//;

/**
 * @param project the folder that holds src/ and test/
 * @param source the path of a file in src/
 * @returns the paths of test files that reach it over whatever files
 */
export function concernedTests(project: string, source: string): string[] {
  const reached = new Map<string, readonly string[] | 'everything'>();
  const isConcerned = (test: string): boolean => {
    const seen = new Set([test]);
    for (const file of seen) {
      if (file === source) return true;
      if (!reached.has(file)) reached.set(file, namedBy(project, file));
      const next = reached.get(file)!;
      if (next === 'everything') return true;
      for (const one of next) seen.add(one);
    }
    return false;
  };
  const tests = readdirSync(join(project, 'test'), { recursive: true, encoding: 'utf8' });
  return tests
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join(project, 'test', file))
    .filter(isConcerned);
}

/** The files that a file names, or everything where it starts the compiled programs. */
function namedBy(project: string, file: string): readonly string[] | 'everything' {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, 'utf8');
  if (!file.startsWith(join(project, 'src/')) && COMPILED.test(text)) return 'everything';
  return [...text.matchAll(RELATIVE)].map((match) => resolve(dirname(file), `${match[1]!}.ts`));
}
