/**
 * Every field of a search except the queries, each with its type, limits and description.
 *
 * This table defines the JSON Schema of the request, the readers of its body and query string, the types of the client,
 * the checks of the library's options and the flags of the command line. A new field is a member of `SearchTerms` and
 * an entry in `SEARCH_TERMS`; docs/internals/search-field.md shows how to add one.
 */
import type { ErrorCode } from '../base/errors.js';
import { DEFAULT_K, MAX_EF, MAX_EXCLUDE_IDS, MAX_INCLUDE_ATTRIBUTES, MAX_K, MAX_WHY_NOT } from '../base/limits.js';
import type { Filter } from './filter.js';

export type Id = string | number;

/** Names and types for programs. The comment of a field equals its text in `SEARCH_TERMS`; a test checks that. */
export interface SearchTerms {
  /** Candidates to return; default 100. */
  readonly k?: number | undefined;
  /**
   * Number of graph nodes that the search expands: a larger number finds more and costs more. Raised to k if smaller.
   * Default: the value from the calibration; without calibration max(200, 2k).
   */
  readonly ef?: number | undefined;
  /**
   * Mean recall to reach, instead of ef. The calibration of the version gives the ef needed; `quality.ef` is that ef.
   */
  readonly target_recall?: number | undefined;
  /** Scan every vector instead of searching the graph: slow, but returns the true nearest neighbours. */
  readonly exact?: boolean | undefined;
  /** Conditions on the attributes of candidates. */
  readonly filter?: Filter | undefined;
  /** Ids that are not returned. Unknown ids are ignored. */
  readonly exclude_ids?: readonly Id[] | undefined;
  /** At most `limit` candidates per value of an attribute. Items without a value are not limited. */
  readonly crowding?: { readonly attribute: string; readonly limit: number } | undefined;
  /** Data to return with each candidate besides id and score. */
  readonly include?:
    | { readonly attributes?: readonly string[] | boolean | undefined; readonly vectors?: boolean | undefined }
    | undefined;
  /** Lowest score to return. With seeds, it applies to the score before weighting. */
  readonly min_score?: number | undefined;
  /**
   * Time limit in milliseconds, counted from the last byte of the body. Default: `--request-timeout-ms` of the server;
   * a larger value is reduced to it. If time runs out, the answer is 504, unless allow_partial is true.
   */
  readonly timeout_ms?: number | undefined;
  /**
   * When time runs out, or no server that holds some of the shards answers, answer with what was found. If that is
   * incomplete, `quality.short` is `timeout`.
   */
  readonly allow_partial?: boolean | undefined;
  /** A loaded version or alias; default: the current version. */
  readonly version?: string | undefined;
  /** Return how each answer was found and how long each stage took. */
  readonly explain?: boolean | undefined;
  /** Ids for which to explain why they are not among the candidates. Implies explain. */
  readonly why_not?: readonly Id[] | undefined;
}

/** The values that a field accepts. */
type Value =
  /** An integer from 1 to `max`. */
  | { readonly kind: 'whole'; readonly max: number; readonly code?: ErrorCode }
  /** Finite; greater than `above`, at most `max`. */
  | {
      readonly kind: 'number';
      readonly above?: number;
      readonly max?: number;
      readonly example?: number;
      readonly code?: ErrorCode;
    }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'text' }
  | { readonly kind: 'ids'; readonly max: number }
  /** A list of names, or true for all. */
  | { readonly kind: 'names'; readonly max: number }
  | { readonly kind: 'filter' }
  /** An object. `required`: all its members must be given. */
  | { readonly kind: 'members'; readonly required: boolean; readonly members: Readonly<Record<string, Term>> };

/** A flag of the command line. */
interface Flag {
  /** In commander's notation. */
  readonly flags: string;
  readonly text: string;
  readonly conflicts?: readonly string[];
  /** Only `shortlist query` has it. */
  readonly queryOnly?: true;
}

export type Term = Value & {
  readonly text: string;
  /** `search`: part of the search itself, and so also an option of the library. Otherwise only of HTTP requests. */
  readonly scope?: 'search';
  readonly flag?: Flag;
};

type SearchTermName = keyof SearchTerms;

/** An hour. A longer limit probably has the wrong unit. */
const MAX_TIMEOUT_MS = 3_600_000;

export const SEARCH_TERMS: Readonly<Record<SearchTermName, Term>> = {
  k: {
    kind: 'whole',
    max: MAX_K,
    code: 'k_out_of_range',
    scope: 'search',
    text: `Candidates to return; default ${DEFAULT_K}.`,
    flag: { flags: '-k <n>', text: 'number of candidates per query' },
  },
  ef: {
    kind: 'whole',
    max: MAX_EF,
    code: 'ef_out_of_range',
    scope: 'search',
    text:
      'Number of graph nodes that the search expands: a larger number finds more and costs more. Raised to k if ' +
      'smaller. Default: the value from the calibration; without calibration max(200, 2k).',
    flag: {
      flags: '--ef <n>',
      text: 'number of graph nodes to expand (default: from the calibration, else max(200, 2k))',
    },
  },
  target_recall: {
    kind: 'number',
    above: 0,
    max: 1,
    example: 0.98,
    code: 'target_recall_out_of_range',
    scope: 'search',
    text: 'Mean recall to reach, instead of ef. The calibration of the version gives the ef needed; `quality.ef` is that ef.',
    flag: {
      flags: '--target-recall <r>',
      text: 'mean recall@k to reach; the calibration gives the ef needed',
      conflicts: ['ef'],
    },
  },
  exact: {
    kind: 'boolean',
    scope: 'search',
    text: 'Scan every vector instead of searching the graph: slow, but returns the true nearest neighbours.',
    flag: {
      flags: '--exact',
      text: 'scan every vector instead of searching the graph',
      conflicts: ['ef', 'targetRecall'],
    },
  },
  filter: {
    kind: 'filter',
    scope: 'search',
    text: 'Conditions on the attributes of candidates.',
    flag: { flags: '--filter <json>', text: 'conditions on attributes, such as \'{"price": {"$lt": 50}}\'' },
  },
  exclude_ids: {
    kind: 'ids',
    max: MAX_EXCLUDE_IDS,
    scope: 'search',
    text: 'Ids that are not returned. Unknown ids are ignored.',
    flag: { flags: '--exclude <id...>', text: 'ids that are not returned' },
  },
  crowding: {
    kind: 'members',
    required: true,
    members: {
      attribute: { kind: 'text', text: 'An attribute that has one value per item.' },
      limit: { kind: 'whole', max: MAX_K, text: 'Maximum number of candidates per value.' },
    },
    scope: 'search',
    text: 'At most `limit` candidates per value of an attribute. Items without a value are not limited.',
    flag: { flags: '--crowding <attribute:n>', text: 'at most n candidates per value of the attribute' },
  },
  include: {
    kind: 'members',
    required: false,
    members: {
      attributes: {
        kind: 'names',
        max: MAX_INCLUDE_ATTRIBUTES,
        text: 'Names of the attributes to return with each candidate; true for all.',
      },
      vectors: { kind: 'boolean', text: 'Return the vector of each candidate; default false.' },
    },
    text: 'Data to return with each candidate besides id and score.',
  },
  min_score: {
    kind: 'number',
    scope: 'search',
    text: 'Lowest score to return. With seeds, it applies to the score before weighting.',
    flag: { flags: '--min-score <s>', text: 'lowest score to return' },
  },
  timeout_ms: {
    kind: 'number',
    above: 0,
    max: MAX_TIMEOUT_MS,
    text:
      'Time limit in milliseconds, counted from the last byte of the body. Default: `--request-timeout-ms` of the server; a ' +
      'larger value is reduced to it. If time runs out, the answer is 504, unless allow_partial is true.',
  },
  allow_partial: {
    kind: 'boolean',
    text:
      'When time runs out, or no server that holds some of the shards answers, answer with what was found. If that is ' +
      'incomplete, `quality.short` is `timeout`.',
  },
  version: { kind: 'text', text: 'A loaded version or alias; default: the current version.' },
  explain: {
    kind: 'boolean',
    scope: 'search',
    text: 'Return how each answer was found and how long each stage took.',
    flag: { flags: '--explain', text: 'show how the answer was found', queryOnly: true },
  },
  why_not: {
    kind: 'ids',
    max: MAX_WHY_NOT,
    scope: 'search',
    text: 'Ids for which to explain why they are not among the candidates. Implies explain.',
    flag: { flags: '--why-not <id...>', text: 'explain why these ids are not among the candidates', queryOnly: true },
  },
};

export const SEARCH_TERM_NAMES = Object.keys(SEARCH_TERMS) as readonly SearchTermName[];

/** The fields that contain queries. A request has exactly one of them. */
export const QUERY_FIELDS = ['vector', 'vector_b64', 'id', 'vectors', 'vectors_b64', 'ids', 'seeds'] as const;
export type QueryField = (typeof QUERY_FIELDS)[number];

/** The JavaScript name of a field: `exclude_ids` becomes `excludeIds`. */
export type OptionName<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<OptionName<Tail>>}`
  : Name;

export function optionName(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** Fields of the search itself, by their names in the library. */
export const SEARCH_OPTIONS: ReadonlyMap<string, Term> = new Map(
  SEARCH_TERM_NAMES.filter((name) => SEARCH_TERMS[name].scope === 'search').map((name) => [
    optionName(name),
    SEARCH_TERMS[name],
  ]),
);

/** Fields of a seed besides its query. */
export interface SeedTerms {
  /** Above 0; default 1. A score s counts as s x weight, or as s / weight if s is below 0. */
  readonly weight?: number | undefined;
  /** Maximum number of candidates from this seed; default k. */
  readonly quota?: number | undefined;
}
