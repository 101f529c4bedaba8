import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdTableBuilder } from '../../src/base/id-table-builder.js';
import { MAX_ID_BYTES } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import type { LoadedVersion } from '../../src/retrieve/loaded-version.js';
import type { Answer } from '../../src/retrieve/search.js';
import { Admission } from '../../src/serve/admission.js';
import { JsonAnswers } from '../../src/serve/answer-text.js';

const SEED = 20_261_124;
const QUALITY: Answer['quality'] = { path: 'graph', ef: 100, selectivity: 1, shards: { total: 1, answered: 1 }, short: null }; // prettier-ignore

function tableOf(ids: readonly string[]) {
  const builder = new IdTableBuilder({ kind: 'utf8' });
  for (const id of ids) {
    const bytes = Buffer.from(id);
    builder.addText(bytes, 0, bytes.length);
  }
  return builder.finish();
}

/** The whole answer as JSON has it, of a version of which writing needs no more than ids and names. */
function answerText(ids: readonly string[], answers: readonly Pick<Answer, 'ordinals' | 'scores'>[], single: boolean) {
  const manifest = { index: 'listings', version: '20260101T000000Z-00000000' };
  const version = { ids: tableOf(ids), manifest } as unknown as LoadedVersion;
  const memory = new Admission(1, 2 ** 30, () => undefined).buffer();
  const text = new JsonAnswers(version, { attributes: null, vectors: false }, single, memory);
  answers.forEach((answer, position) => text.take(position, { ...answer, quality: QUALITY }));
  return { text: text.finish(0.25).toString(), manifest };
}

function allOf(ids: readonly string[], random: () => number): Pick<Answer, 'ordinals' | 'scores'> {
  const scores = Float32Array.from(ids, () => 2 * random() - 1);
  return { ordinals: Uint32Array.from(ids, (_, ordinal) => ordinal).reverse(), scores };
}

const expected = (ids: readonly string[], { ordinals, scores }: Pick<Answer, 'ordinals' | 'scores'>) =>
  Array.from(ordinals, (ordinal, i) => ({ id: ids[ordinal]!, score: scores[i]! }));

const restored = (candidates: readonly { id: string; score: number }[]) =>
  candidates.map(({ id, score }) => ({ id, score: Math.fround(score) }));

interface Parsed {
  candidates: { id: string; score: number }[];
  results: Parsed[];
}

describe('answers as JSON text', () => {
  it('parse to the ids and scores that were found, whatever characters ids have and however many there are', () => {
    const id = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
      fc.stringMatching(/^["\\\n\u0000-\u001f]{1,40}$/),
    );
    const property = fc.property(fc.uniqueArray(id, { maxLength: 700, size: 'max' }), fc.nat(), (ids, seed) => {
      const answer = allOf(ids, seededRandom(seed));
      const { text, manifest } = answerText(ids, [answer], true);
      const parsed = JSON.parse(text) as Parsed;
      expect({ ...parsed, candidates: restored(parsed.candidates) }).toStrictEqual({
        ...manifest,
        took_ms: 0.25,
        candidates: expected(ids, answer),
        quality: QUALITY,
      });
    });
    fc.assert(property, { seed: SEED, numRuns: 150 });
  });

  it('hold the longest ids when every byte of them is escaped, at every place of the buffer they are written in', () => {
    for (let length = MAX_ID_BYTES - 2; length <= MAX_ID_BYTES; length++) {
      const ids = Array.from({ length: 300 }, (_, i) => `${i}`.padEnd(length, '\u0001'));
      const answer = allOf(ids, seededRandom(length));
      const parsed = JSON.parse(answerText(ids, [answer], true).text) as Parsed;
      expect(restored(parsed.candidates)).toStrictEqual(expected(ids, answer));
    }
  });

  it('stand in the order of their queries in a batch', () => {
    const ids = ['a', 'b"', 'c\\', 'd'];
    const answers = [1, 2, 3].map((seed) => allOf(ids, seededRandom(seed)));
    const parsed = JSON.parse(answerText(ids, answers, false).text) as Parsed;
    const found = parsed.results.map(({ candidates }) => restored(candidates));
    expect(found).toStrictEqual(answers.map((answer) => expected(ids, answer)));
  });
});
