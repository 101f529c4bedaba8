import { createRequire } from 'node:module';

/** The version of this package, as package.json has it. */
export const TOOL_VERSION = (createRequire(import.meta.url)('../../package.json') as { version: string }).version;
