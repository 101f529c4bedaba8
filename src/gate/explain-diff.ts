/**
 * Says in one sentence why the answers of two versions differ: another metric, a new model, changed vectors, a changed
 * catalogue, or a changed graph. Takes the differences of the answers and of the contents; returns the cause, the
 * sentence, and what was not compared.
 */
import type { VersionDiff } from '../evaluate/diff/diff-versions.js';
import type { Drift } from './drift.js';

/**
 * `empty`: no answers, so that nothing was compared · `identical`: equal answers · `metric` · `model`: most vectors
 * moved far · `catalogue`: new and removed ids explain most · `vectors`: changed vectors explain most · `graph`: ids
 * and vectors are the same · `mixed`: the catalogue and something else.
 */
type DiffCause = 'empty' | 'identical' | 'metric' | 'model' | 'catalogue' | 'vectors' | 'graph' | 'mixed';

/** Names are those of the JSON output. */
export interface DiffVerdict {
  readonly cause: DiffCause;
  readonly sentence: string;
  /** Each a sentence: what could not be compared, or with care. */
  readonly notes: readonly string[];
}

/** Share of moved vectors from which on the model is a new one: edited texts move few rows that far. */
const NEW_MODEL = 0.5;
/** Share of the changed places from which on one cause alone is named. */
const MOST = 0.8;
/** Share of the changed places below which a cause is not named. */
const LITTLE = 0.2;
/** Share of equal vectors from which on vectors count as unchanged. */
const UNCHANGED = 0.999;

/** @param isFiltered whether the answers are those under a filter */
export function explainDiff(diff: VersionDiff, drift: Drift, isFiltered: boolean): DiffVerdict {
  const cause = findCause(diff, drift);
  const notes = collectNotes(diff, drift, cause);
  if (isFiltered && cause !== 'empty') notes.push('With a filter, changed attributes change the answers too.');
  return {
    cause,
    sentence: cause === 'empty' ? emptySentence(diff, isFiltered) : SENTENCES[cause](diff, drift),
    notes,
  };
}

function emptySentence({ queries, sampled }: VersionDiff, isFiltered: boolean): string {
  const besides = sampled === undefined ? '' : ' besides a query itself';
  const why = isFiltered
    ? `no row${besides} passes the filter in either version`
    : `the versions have no row${besides}`;
  return `Nothing was compared: ${why}, so that neither returns a candidate for ${countOf(queries, 'query', 'queries')}.`;
}

function findCause(diff: VersionDiff, drift: Drift): DiffCause {
  const { vectors } = drift;
  if (diff.points.every(({ overlap }) => Number.isNaN(overlap))) return 'empty';
  if (settingOf(drift, 'dim') !== undefined) return 'model';
  if (settingOf(drift, 'metric') !== undefined) return 'metric';
  if (vectors.moved !== null && vectors.moved >= NEW_MODEL) return 'model';
  if (diff.points.every((point) => point.same_order === diff.queries - point.empty)) return 'identical';
  const { total, by_catalogue: catalogue } = diff.changed_places;
  if (total > 0 && catalogue >= MOST) return 'catalogue';
  if (total > 0 && catalogue > LITTLE) return 'mixed';
  return haveVectorsChanged(vectors) ? 'vectors' : 'graph';
}

/** Undefined if both versions have the same. */
function settingOf({ settings }: Drift, wanted: string): Drift['settings'][number] | undefined {
  return settings.find(({ name }) => name === wanted);
}

function haveVectorsChanged({ identical }: Drift['vectors']): boolean {
  return identical !== null && identical < UNCHANGED;
}

const SENTENCES: Readonly<Record<Exclude<DiffCause, 'empty'>, (diff: VersionDiff, drift: Drift) => string>> = {
  identical: ({ queries, points }, drift) => {
    const { rows } = drift;
    const others = areRetyped(drift) ? `; ${retypedIds(drift)}` : rows.entered + rows.left > 0 ? `, although ${idChanges(rows)}` : ''; // prettier-ignore
    const answered = queries - Math.min(...points.map(({ empty }) => empty));
    return `Identical answers: both versions return the same candidates in the same order for ${countOf(answered, 'query', 'queries')}${drift.same_content ? '; their files are equal too' : others}.`;
  },
  metric: (diff, drift) => {
    const metric = settingOf(drift, 'metric')!;
    return `Another metric: ${String(metric.from)} became ${String(metric.to)}, so that other items are near. ${changedShare(diff)}.`;
  },
  model: (diff, drift) => {
    const dim = settingOf(drift, 'dim');
    const how =
      dim === undefined
        ? `${percent(drift.vectors.moved!)} of the vectors of ids that both versions have moved far (median cosine ${drift.vectors.cosine!.p50.toFixed(2)})`
        : `vectors have ${String(dim.to)} components, before ${String(dim.from)}`;
    return `New model: ${how}. ${changedShare(diff)}.`;
  },
  catalogue: (diff, drift) => `Changed catalogue: ${byCatalogue(diff, drift)}. ${changedShare(diff)}.`,
  vectors: (diff, { vectors }) =>
    `Changed vectors: ${percent(1 - vectors.identical!)} of the ids that both versions have got another vector (median cosine ${cosineText(vectors.cosine!.p50)}). ${changedShare(diff)}.`,
  graph: (diff, drift) =>
    areRetyped(drift)
      ? `Changed vectors or graph: ${retypedIds(drift)}, and their vectors were not compared. ${changedShare(diff)}.`
      : `Changed graph: the vectors are the same, but searches find other rows${settingsText(diff, drift)}. ${changedShare(diff)}.`,
  mixed: (diff, drift) => {
    const other = haveVectorsChanged(drift.vectors) ? `changed vectors (${percent(1 - drift.vectors.identical!)} of the ids in both)` : 'the graph'; // prettier-ignore
    return `Changed catalogue and more: ${byCatalogue(diff, drift)}, the rest from ${other}. ${changedShare(diff)}.`;
  },
};

function collectNotes(diff: VersionDiff, drift: Drift, cause: DiffCause): string[] {
  const { sampled, points, own_vectors: ownVectors } = diff;
  const notes: string[] = [];
  const hasOtherMetric = settingOf(drift, 'metric') !== undefined;
  if (hasOtherMetric) notes.push('Scores and moved vectors are not compared, since the metrics differ.');
  if (hasOtherMetric && sampled !== undefined && (sampled.from === 0 || sampled.to === 0))
    notes.push('All sampled rows are of the version without cosine, since the other one has no lengths.');
  if (ownVectors === true)
    notes.push('Each version searched with its own vectors of the sampled rows, which both versions have.');
  else if (cause === 'model')
    notes.push(
      sampled === undefined
        ? 'The query vectors belong to one of the models. Leave out --queries and give --own-vectors to compare models.'
        : 'Each query vector belongs to one of the models. --own-vectors searches with those of each version.',
    );
  if (ownVectors === true && cause === 'model') notes.push('Scores of different models do not compare.');
  if (areRetyped(drift))
    notes.push('The contents were compared by typed ids: a text and an integer count as two ids there.');
  const empty = cause === 'empty' ? 0 : Math.max(...points.map((point) => point.empty));
  if (empty > 0)
    notes.push(
      `For ${count(empty)} of ${count(diff.queries)} queries neither version returns a candidate; these queries count in no figure.`,
    );
  const large = points.find(({ k }) => k >= Math.min(drift.rows.from, drift.rows.to));
  if (large !== undefined) notes.push(`At k ${count(large.k)} a version returns all of its rows.`);
  const retyped = drift.attributes.filter(({ type }) => type.from !== type.to).map(({ name }) => name);
  if (retyped.length > 0)
    notes.push(`Not compared, since a version lacks them or has another type: ${retyped.join(', ')}.`);
  return notes;
}

/** What changed at the largest k, as a sentence. */
function changedShare({ points, queries }: VersionDiff): string {
  const { k, overlap, empty, same_order: sameOrder } = points.at(-1)!;
  if (Number.isNaN(overlap) || sameOrder === queries - empty) return `At k ${count(k)}, the answers are the same`;
  return `At k ${count(k)}, ${overlap === 1 ? 'the candidates are the same in another order' : `${percent(1 - overlap)} of the candidates are others`}`;
}

function byCatalogue({ changed_places: places }: VersionDiff, drift: Drift): string {
  const ids = areRetyped(drift) ? retypedIds(drift) : idChanges(drift.rows);
  return `${percent(places.by_catalogue)} of the changed places are explained by new and removed ids (${ids})`;
}

/** Whether a text became an integer or the reverse, so that by type no id is in both versions. */
function areRetyped(drift: Drift): boolean {
  return settingOf(drift, 'id_type') !== undefined && drift.rows.kept === 0;
}

function retypedIds(drift: Drift): string {
  const { from, to } = settingOf(drift, 'id_type')!;
  return `ids of different types (${String(from)} and ${String(to)}) were matched by their text`;
}

function idChanges({ entered, left }: Drift['rows']): string {
  return `${count(entered)} new, ${count(left)} removed`;
}

/** Settings that differ, and the ef at the largest k. */
function settingsText({ points }: VersionDiff, { settings }: Drift): string {
  const { ef } = points.at(-1)!;
  const differing = ef.from === ef.to ? settings : [...settings, { name: 'ef', ...ef }];
  if (differing.length === 0) return '';
  return ` (${differing.map(({ name, from, to }) => `${name} ${String(from)} → ${String(to)}`).join(', ')})`;
}

function percent(share: number): string {
  const value = 100 * share;
  if (value > 99.9 && value < 100) return 'over 99.9 %';
  if (value > 0 && value < 0.01) return 'below 0.01 %';
  return `${Number(value.toPrecision(value < 1 ? 1 : 3))} %`;
}

/** More decimals near 1. */
function cosineText(cosine: number): string {
  return cosine > 0.99 && cosine < 1 ? Math.min(0.999999, cosine).toFixed(6) : cosine.toFixed(2);
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function countOf(value: number, singular: string, plural: string): string {
  return value === 1 ? `1 ${singular}` : `all ${count(value)} ${plural}`;
}
