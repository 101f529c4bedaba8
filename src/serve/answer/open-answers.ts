/** Opens the answers of a request in the form it asked for: over a version, or over rows that other servers sent. */
import type { Budget } from '../../arrow/gather.js';
import type { IdTable } from '../../base/id-table.js';
import { extraColumns, type ExtraColumn } from '../../retrieve/library/answer-table.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import type { ByteCounter } from '../request/byte-account.js';
import type { Include, SearchRequest } from '../request/search-request.js';
import type { TimeLimit } from '../request/time-limit.js';
import type { TimeSlicer } from '../request/time-slicer.js';
import { ARROW_TYPE, ArrowAnswers } from './answer-arrow.js';
import { JsonAnswers } from './answer-text.js';
import type { Answers } from './answers.js';
import { attributeNames, extraWriters, type ExtraWriter } from './candidate-text.js';

/** The data of candidates by ordinal. */
export interface AnswerSource {
  readonly manifest: Manifest;
  readonly ids: IdTable;
  /** What candidates have besides id and score: as text, or as columns. */
  readonly texts: () => readonly ExtraWriter[];
  readonly columns: (budget: Budget) => readonly ExtraColumn[];
}

interface AnswerForm {
  readonly type: 'application/json' | typeof ARROW_TYPE;
  /** JSON: answer in `candidates` instead of `results`. */
  readonly single: boolean;
  readonly memory: ByteCounter;
  readonly slicer: TimeSlicer;
  readonly limit: TimeLimit;
}

/** @throws unknown_attribute */
export function openAnswers(
  source: AnswerSource,
  { queries, allowPartial }: Pick<SearchRequest, 'queries' | 'allowPartial'>,
  { type, single, memory, slicer, limit }: AnswerForm,
): Answers {
  const given = [memory, slicer, allowPartial ? null : limit] as const;
  return type === ARROW_TYPE
    ? new ArrowAnswers(source, source.columns, queries.kind === 'seeds', ...given)
    : new JsonAnswers(source, source.texts(), single, ...given);
}

/** A version in this process. */
export function versionSource(version: LoadedVersion, include: Include): AnswerSource {
  return {
    manifest: version.manifest,
    ids: version.ids,
    texts: () => extraWriters(version, include),
    columns: (budget) => {
      const { attributes, vectors } = include;
      const names = attributes === null ? [] : attributeNames(version, attributes, '/include/attributes');
      return extraColumns(version, names, vectors, budget);
    },
  };
}
