/**
 * The checks of the gate: what each measures, how its value is judged, and its default limits. `gate.json` starts as a
 * copy of these limits (limits-file.ts).
 *
 * The defaults were chosen on the catalogue of bad and good nights in test/gate: each bad night fails by the check that
 * names it, and nights with 1 to 5 % of churn, seasons (one category and all prices times 1.5, or divided by it) and
 * announced models pass without a warning. Where a value is a share or a count of few rows, the limit is widened by
 * what chance does (chance.ts).
 */

/** What is compared with the limits: the value, its difference from the live version's, or the ratio of the two. */
export type JudgedBy = 'value' | 'difference' | 'ratio';

/** How a value is printed. */
type ValueForm = 'count' | 'share' | 'recall' | 'number' | 'bytes';

export interface Bounds {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/** Null: never. */
export interface Limits {
  readonly warn: Bounds | null;
  readonly fail: Bounds | null;
}

interface CheckSpec extends Limits {
  readonly about: string;
  readonly by: JudgedBy;
  readonly form: ValueForm;
  /** A new embedding model changes the value, so that `--new-embedding` skips the check. */
  readonly ofEmbedding?: true;
}

/** Recall below which rankers notice the difference. */
export const DEFAULT_MIN_RECALL = 0.95;

const NO_DIFFERENCE: Limits = { warn: null, fail: { max: 0 } };

const CHECKS = {
  verify: {
    about: 'Damaged or missing files, wrong structures, and rows that a search does not find.',
    by: 'value',
    form: 'count',
    ...NO_DIFFERENCE,
  },
  live: {
    about: '1 if the live version cannot be opened, so that nothing is compared with it; 0 otherwise.',
    by: 'value',
    form: 'count',
    warn: { max: 0 },
    fail: null,
  },
  dimension: {
    about: '1 if the vectors have another dimension than the live version; 0 otherwise.',
    by: 'value',
    form: 'count',
    ...NO_DIFFERENCE,
    ofEmbedding: true,
  },
  metric: {
    about: '1 if the metric differs from that of the live version; 0 otherwise.',
    by: 'value',
    form: 'count',
    ...NO_DIFFERENCE,
    ofEmbedding: true,
  },
  id_type: {
    about: '1 if the ids have another type than in the live version; 0 otherwise.',
    by: 'value',
    form: 'count',
    ...NO_DIFFERENCE,
  },
  attributes: {
    about: 'Attributes of the live version that are gone or have another type.',
    by: 'value',
    form: 'count',
    ...NO_DIFFERENCE,
  },
  graph_parameters: {
    about: 'm or ef_construction divided by that of the live version, whichever is less.',
    by: 'value',
    form: 'number',
    warn: { min: 0.75 },
    fail: { min: 0.5 },
  },
  fresh: {
    about: '0 if the content is that of a version published before, or older than the live one; 1 otherwise.',
    by: 'value',
    form: 'count',
    warn: { min: 1 },
    fail: null,
  },
  rows: {
    about: 'Number of rows, as a multiple of the live version.',
    by: 'ratio',
    form: 'count',
    warn: { min: 0.9, max: 1.25 },
    fail: { min: 0.8, max: 2 },
  },
  ids_kept: {
    about: 'Share of the ids of the live version that are still there.',
    by: 'value',
    form: 'share',
    warn: { min: 0.85 },
    fail: { min: 0.7 },
  },
  ids_entered: {
    about: 'Share of the ids that the live version does not have.',
    by: 'value',
    form: 'share',
    warn: { max: 0.2 },
    fail: { max: 0.5 },
  },
  rejected: {
    about: 'Share of the input rows that the build left out, above the share of the live version.',
    by: 'difference',
    form: 'share',
    warn: { max: 0.003 },
    fail: { max: 0.01 },
  },
  duplicates: {
    about: 'Share of the rows whose vector another row has too, above the share of the live version.',
    by: 'difference',
    form: 'share',
    warn: { max: 0.05 },
    fail: { max: 0.15 },
  },
  duplicates_by_value: {
    about: 'The same share among the rows with one value of an attribute: the value whose share grew most.',
    by: 'difference',
    form: 'share',
    warn: { max: 0.1 },
    fail: { max: 0.2 },
  },
  unreachable: {
    about: 'Share of the rows that no link of the graph led to (links were added), above that of the live version.',
    by: 'difference',
    form: 'share',
    warn: { max: 0.05 },
    fail: { max: 0.1 },
  },
  unfound: {
    about:
      'Share of the rows that a search for their vector missed (links were added), above that of the live version.',
    by: 'difference',
    form: 'share',
    warn: { max: 0.1 },
    fail: { max: 0.2 },
  },
  mean_cosine: {
    about: 'Cosine metric: mean cosine of two random rows. Near 1, all vectors are nearly equal.',
    by: 'value',
    form: 'number',
    warn: { max: 0.985 },
    fail: { max: 0.998 },
  },
  norms: {
    about: 'Mean length of the vectors in the input, as a multiple of the live version.',
    by: 'ratio',
    form: 'number',
    warn: { min: 0.8, max: 1.25 },
    fail: { min: 0.5, max: 2 },
    ofEmbedding: true,
  },
  spread: {
    about: 'Standard deviation of the vectors over all components, as a multiple of the live version.',
    by: 'ratio',
    form: 'number',
    warn: { min: 0.8, max: 1.25 },
    fail: { min: 0.5, max: 2 },
    ofEmbedding: true,
  },
  mean_shift: {
    about: 'How far the mean of a component moved, in its standard deviations: root mean square over all components.',
    by: 'value',
    form: 'number',
    warn: { max: 0.25 },
    fail: { max: 0.6 },
    ofEmbedding: true,
  },
  component_spread: {
    about: 'Standard deviation of a component as a multiple of the live version: the component that changed most.',
    by: 'value',
    form: 'number',
    warn: { min: 0.5, max: 2 },
    fail: { min: 0.2, max: 5 },
    ofEmbedding: true,
  },
  vectors_moved: {
    about: 'Share of the kept ids whose vector is more than half as far from its old one as two random rows.',
    by: 'value',
    form: 'share',
    warn: { max: 0.03 },
    fail: { max: 0.06 },
    ofEmbedding: true,
  },
  vectors_moved_by_value: {
    about: 'The same share among the rows with one value of an attribute: the worst value.',
    by: 'value',
    form: 'share',
    warn: { max: 0.1 },
    fail: { max: 0.2 },
    ofEmbedding: true,
  },
  filled: {
    about: 'Share of the rows that have a value, as a multiple of the live version: the attribute that lost most.',
    by: 'ratio',
    form: 'share',
    warn: { min: 0.85 },
    fail: { min: 0.6 },
  },
  missing: {
    about:
      'Share of the rows without a value, plus 5 %, as a multiple of the live version: the attribute that changed most.',
    by: 'value',
    form: 'number',
    warn: { max: 1.5 },
    fail: { max: 2 },
  },
  value_counts: {
    about:
      'Rows with one value of an attribute, or another number than 0, as a multiple of the live version: the worst.',
    by: 'ratio',
    form: 'count',
    // A season that leaves 1 / 1.5 of a category must pass.
    warn: { min: 0.64, max: 1.8 },
    fail: { min: 0.5, max: 2.5 },
  },
  values_changed: {
    about: 'Share of the kept ids with another category, flag or tags: the attribute that changed most.',
    by: 'value',
    form: 'share',
    warn: { max: 0.4 },
    fail: { max: 0.7 },
  },
  values_changed_by_value: {
    about: 'The same share among the items that had one value in the live version: the worst value.',
    by: 'value',
    form: 'share',
    warn: { max: 0.5 },
    fail: { max: 0.8 },
  },
  texts_changed: {
    about:
      'Share of the kept ids with another text, of attributes with many different texts: the one that changed most.',
    by: 'value',
    form: 'share',
    warn: { max: 0.7 },
    fail: { max: 0.9 },
  },
  text_repeats: {
    about: 'Share of the rows with the most frequent text of such an attribute, above that of the live version.',
    by: 'difference',
    form: 'share',
    warn: { max: 0.15 },
    fail: { max: 0.3 },
  },
  new_values: {
    about: 'Share of the rows with a value that the live version lacks, of attributes with few values: the worst.',
    by: 'value',
    form: 'share',
    warn: { max: 0.15 },
    fail: { max: 0.3 },
  },
  numbers_changed: {
    about:
      'Share of the kept ids whose number is over 3 times or under a third of before, or became 0: the worst attribute.',
    by: 'value',
    form: 'share',
    warn: { max: 0.15 },
    fail: { max: 0.4 },
  },
  numbers_changed_by_value: {
    about: 'The same share among the rows with one value of another attribute: the worst value.',
    by: 'value',
    form: 'share',
    warn: { max: 0.5 },
    fail: { max: 0.8 },
  },
  numbers_shuffled: {
    about: 'Share of the kept ids that seem to have the number of another one, such as a key: the worst attribute.',
    by: 'value',
    form: 'share',
    warn: { max: 0.3 },
    fail: { max: 0.6 },
  },
  number_shift: {
    about:
      'Share of the numbers of an attribute, sorted and without zeros, that are over 3 times or under a third of before.',
    by: 'value',
    form: 'share',
    warn: { max: 0.15 },
    fail: { max: 0.3 },
  },
  number_repeats: {
    about: 'Share of the rows with the most frequent number of an attribute, above that of the live version.',
    by: 'difference',
    form: 'share',
    warn: { max: 0.15 },
    fail: { max: 0.3 },
  },
  date_shift: {
    about: 'Days by which the dates of an attribute moved: the median, or the earliest or latest twentieth.',
    by: 'value',
    form: 'number',
    warn: { max: 60 },
    fail: { max: 365 },
  },
  date_repeats: {
    about: 'Share of the rows with the most frequent date of an attribute, above that of the live version.',
    by: 'difference',
    form: 'share',
    // An update of a third of the catalog is possible, and dates all of them.
    warn: { max: 0.3 },
    fail: { max: 0.6 },
  },
  recall: {
    about: 'Recall against exact search at default settings, at each k.',
    by: 'value',
    form: 'recall',
    warn: { min: 0.97 },
    fail: { min: DEFAULT_MIN_RECALL },
  },
  recall_by_value: {
    about: 'Recall of the queries that have one value of an attribute: the worst value.',
    by: 'value',
    form: 'recall',
    warn: { min: 0.93 },
    fail: { min: 0.85 },
  },
  recall_filtered: {
    about: 'Recall at default settings under each filter of "filters".',
    by: 'value',
    form: 'recall',
    warn: { min: 0.97 },
    fail: { min: DEFAULT_MIN_RECALL },
  },
  queries: {
    about: 'Problems with the files of recorded queries: not readable, or perhaps incomplete.',
    by: 'value',
    form: 'count',
    warn: { max: 0 },
    fail: null,
  },
  overlap: {
    about: 'Share of the candidates that both versions return, over the recorded queries or sampled rows.',
    by: 'value',
    form: 'share',
    warn: { min: 0.75 },
    fail: { min: 0.5 },
    ofEmbedding: true,
  },
  distances: {
    about: 'Distances that a search at k 100 computes: shown, not judged unless you set limits.',
    by: 'ratio',
    form: 'count',
    warn: null,
    fail: null,
  },
  bytes: {
    about: 'Size of the version on disk: shown, not judged unless you set limits.',
    by: 'ratio',
    form: 'bytes',
    warn: null,
    fail: null,
  },
} as const satisfies Readonly<Record<string, CheckSpec>>;

export type CheckName = keyof typeof CHECKS;

export const CHECK_NAMES = Object.keys(CHECKS) as CheckName[];

export function specOf(name: CheckName): CheckSpec {
  return CHECKS[name];
}
