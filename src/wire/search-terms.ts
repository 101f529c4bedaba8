/**
 * What a search may ask for beside its queries: every field once, with its type, its limits and its text.
 *
 * From this table come the request's JSON Schema and the readers of its body and query string, the types of the
 * client, the checks of the library's options, and the flags of the command line. A new field is a member of
 * `SearchTerms` and a line of `SEARCH_TERMS`; docs/internals/search-field.md walks through one.
 */
import type { ErrorCode } from '../base/errors.js';
import { DEFAULT_K, MAX_EF, MAX_EXCLUDE_IDS, MAX_INCLUDE_ATTRIBUTES, MAX_K, MAX_WHY_NOT } from '../base/limits.js';
import type { Filter } from './filter.js';

export type Id = string | number;

/**
 * Names and types, as programs write them. The comment of a field is its text in `SEARCH_TERMS`, which a test checks.
 */
export interface SearchTerms {
  /** Candidates to return; default 100. */
  readonly k?: number | undefined;
  /**
   * Size of the candidate list: a larger one finds more and costs more. It is raised to k. Default: what the
   * calibration says; before calibration max(200, 2k).
   */
  readonly ef?: number | undefined;
  /**
   * Instead of ef: the mean recall to reach. The calibration of the version says which ef does; the answer tells it.
   */
  readonly target_recall?: number | undefined;
  /** Scan every vector instead of searching the graph: the true nearest neighbours, slowly. */
  readonly exact?: boolean | undefined;
  /** What candidates must be, by attribute. */
  readonly filter?: Filter | undefined;
  /** Ids that must not come back. Unknown ones are ignored. */
  readonly exclude_ids?: readonly Id[] | undefined;
  /** At most `limit` candidates of each value of an attribute. Items without a value are not limited. */
  readonly crowding?: { readonly attribute: string; readonly limit: number } | undefined;
  /** What each candidate carries beside id and score. */
  readonly include?:
    | { readonly attributes?: readonly string[] | boolean | undefined; readonly vectors?: boolean | undefined }
    | undefined;
  /** Lowest score that may come back. With seeds it is compared with the score of the seed itself. */
  readonly min_score?: number | undefined;
  /** Time for the answer in milliseconds, from the last byte of the body on. After it: 504, or see allow_partial. */
  readonly timeout_ms?: number | undefined;
  /** When time runs out, answer with what was found so far. Where that is not all, `quality.short` is `timeout`. */
  readonly allow_partial?: boolean | undefined;
  /** A version or alias that is loaded; default the current version. */
  readonly version?: string | undefined;
  /** Tell how each answer was found, and what that took. */
  readonly explain?: boolean | undefined;
  /** Ids to explain: for each, why it is not among the candidates. Implies explain. */
  readonly why_not?: readonly Id[] | undefined;
}

/** What a field takes. */
type Value =
  /** From 1 on. */
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
  /** An object; `required`: of all its members. */
  | { readonly kind: 'members'; readonly required: boolean; readonly members: Readonly<Record<string, Term>> };

/** A flag of the command line. */
interface Flag {
  /** As commander takes it. */
  readonly flags: string;
  readonly text: string;
  readonly conflicts?: readonly string[];
  /** Only `shortlist query` has it. */
  readonly queryOnly?: true;
}

export type Term = Value & {
  readonly text: string;
  /** Of the search itself: also an option of the library, in camel case. Else of the request alone. */
  readonly scope?: 'search';
  readonly flag?: Flag;
};

type SearchTermName = keyof SearchTerms;

/** An hour: whoever waits longer has mistaken the unit. */
const MAX_TIMEOUT_MS = 3_600_000;

export const SEARCH_TERMS: Readonly<Record<SearchTermName, Term>> = {
  k: {
    kind: 'whole',
    max: MAX_K,
    code: 'k_out_of_range',
    scope: 'search',
    text: `Candidates to return; default ${DEFAULT_K}.`,
    flag: { flags: '-k <n>', text: 'candidates for each query' },
  },
  ef: {
    kind: 'whole',
    max: MAX_EF,
    code: 'ef_out_of_range',
    scope: 'search',
    text:
      'Size of the candidate list: a larger one finds more and costs more. It is raised to k. Default: what the ' +
      'calibration says; before calibration max(200, 2k).',
    flag: { flags: '--ef <n>', text: 'size of the candidate list (default: as calibrated, else max(200, 2k))' },
  },
  target_recall: {
    kind: 'number',
    above: 0,
    max: 1,
    example: 0.98,
    code: 'target_recall_out_of_range',
    scope: 'search',
    text: 'Instead of ef: the mean recall to reach. The calibration of the version says which ef does; the answer tells it.',
    flag: {
      flags: '--target-recall <r>',
      text: 'recall@k to reach; the calibration says with which ef',
      conflicts: ['ef'],
    },
  },
  exact: {
    kind: 'boolean',
    scope: 'search',
    text: 'Scan every vector instead of searching the graph: the true nearest neighbours, slowly.',
    flag: {
      flags: '--exact',
      text: 'scan every vector instead of searching the graph',
      conflicts: ['ef', 'targetRecall'],
    },
  },
  filter: {
    kind: 'filter',
    scope: 'search',
    text: 'What candidates must be, by attribute.',
    flag: { flags: '--filter <json>', text: 'which items may come back, such as \'{"price": {"$lt": 50}}\'' },
  },
  exclude_ids: {
    kind: 'ids',
    max: MAX_EXCLUDE_IDS,
    scope: 'search',
    text: 'Ids that must not come back. Unknown ones are ignored.',
    flag: { flags: '--exclude <id...>', text: 'ids that must not come back' },
  },
  crowding: {
    kind: 'members',
    required: true,
    members: {
      attribute: { kind: 'text', text: 'An attribute with one value an item.' },
      limit: { kind: 'whole', max: MAX_K, text: 'Most candidates of one value.' },
    },
    scope: 'search',
    text: 'At most `limit` candidates of each value of an attribute. Items without a value are not limited.',
    flag: { flags: '--crowding <attribute:n>', text: 'at most n candidates of one value of the attribute' },
  },
  include: {
    kind: 'members',
    required: false,
    members: {
      attributes: {
        kind: 'names',
        max: MAX_INCLUDE_ATTRIBUTES,
        text: 'Names of attributes to return with each candidate; true for all.',
      },
      vectors: { kind: 'boolean', text: "Return each candidate's vector; default false." },
    },
    text: 'What each candidate carries beside id and score.',
  },
  min_score: {
    kind: 'number',
    scope: 'search',
    text: 'Lowest score that may come back. With seeds it is compared with the score of the seed itself.',
    flag: { flags: '--min-score <s>', text: 'lowest score that may come back' },
  },
  timeout_ms: {
    kind: 'number',
    above: 0,
    max: MAX_TIMEOUT_MS,
    text: 'Time for the answer in milliseconds, from the last byte of the body on. After it: 504, or see allow_partial.',
  },
  allow_partial: {
    kind: 'boolean',
    text: 'When time runs out, answer with what was found so far. Where that is not all, `quality.short` is `timeout`.',
  },
  version: { kind: 'text', text: 'A version or alias that is loaded; default the current version.' },
  explain: {
    kind: 'boolean',
    scope: 'search',
    text: 'Tell how each answer was found, and what that took.',
    flag: { flags: '--explain', text: 'tell how the answer was found', queryOnly: true },
  },
  why_not: {
    kind: 'ids',
    max: MAX_WHY_NOT,
    scope: 'search',
    text: 'Ids to explain: for each, why it is not among the candidates. Implies explain.',
    flag: { flags: '--why-not <id...>', text: 'explain why these ids did not come back', queryOnly: true },
  },
};

export const SEARCH_TERM_NAMES = Object.keys(SEARCH_TERMS) as readonly SearchTermName[];

/** Fields that are queries. A request has exactly one of them. */
export const QUERY_FIELDS = ['vector', 'vector_b64', 'id', 'vectors', 'vectors_b64', 'ids', 'seeds'] as const;
export type QueryField = (typeof QUERY_FIELDS)[number];

/** `exclude_ids` as JavaScript names it: `excludeIds`. */
export type OptionName<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<OptionName<Tail>>}`
  : Name;

export function optionName(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** Terms of the search itself, by the library's names for them. */
export const SEARCH_OPTIONS: ReadonlyMap<string, Term> = new Map(
  SEARCH_TERM_NAMES.filter((name) => SEARCH_TERMS[name].scope === 'search').map((name) => [
    optionName(name),
    SEARCH_TERMS[name],
  ]),
);

/** What one of several seeds may say beside its query. */
export interface SeedTerms {
  /** Above 0; default 1. A score s counts as s x weight, and as s / weight where s is below 0. */
  readonly weight?: number | undefined;
  /** Most candidates that the seed may bring; default k. */
  readonly quota?: number | undefined;
}
