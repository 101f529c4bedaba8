/** shortlist as shipped: the compiled library and command line, not the sources beside this file. */
import { fileURLToPath } from 'node:url';
import type * as Library from '../../src/index.js';
import type * as Engine from '../../src/engine/native/native.js';
import type * as ReadQueries from '../../src/ingest/read-queries.js';
import type * as VersionReader from '../../src/version/sealed/version-reader.js';

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
export const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const compiled = (path: string): Promise<unknown> => import(new URL(`../../dist/${path}`, import.meta.url).href);

export const loadLibrary = () => compiled('index.js') as Promise<typeof Library>;

/** Opening one shard without the rest of a version. */
export const loadEngine = () => compiled('engine/native/native.js') as Promise<typeof Engine>;

export const loadVersionReader = () => compiled('version/sealed/version-reader.js') as Promise<typeof VersionReader>;

/** Compiled, since the thread that decompresses Zstandard on older Node is a compiled file. */
export const loadReadQueries = () => compiled('ingest/read-queries.js') as Promise<typeof ReadQueries>;
