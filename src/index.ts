/** The library: open an index in this process, and the client of a server. */
export { openIndex } from './retrieve/library/open-index.js';
export type {
  BatchSearchOptions,
  IndexSearchOptions,
  OpenIndex,
  OpenIndexOptions,
  SearchAnswer,
  Seed,
} from './retrieve/library/open-index.js';
export type { Explain, Quality, ShardExplain, WhyNot } from './wire/answers.js';
export type { Manifest } from './version/sealed/manifest.js';
export { ShortlistError, ERRORS } from './base/errors.js';
export type { ErrorCode } from './base/errors.js';
export { ShortlistClient } from './client/client.js';
