/**
 * Compiles src/ to dist/; see build/compile.ts.
 *
 *     npm run build
 */
import { fileURLToPath } from 'node:url';
import { compile } from './build/compile.js';

const { errors } = await compile(fileURLToPath(new URL('..', import.meta.url)));
if (errors !== null) {
  process.stderr.write(errors);
  process.exitCode = 1;
}
