/** What every engine promises (engine.ts), run over each of them. */
import { afterAll, describe, expect, it } from 'vitest';
import { Bitset } from '../../src/base/bitset.js';
import { METRICS } from '../../src/base/metric.js';
import type { ShardAnswer, ShardIndex, ShardVectors } from '../../src/engine/engine.js';
import {
  bruteForce,
  expectSame,
  expectSound,
  randomSet,
  randomValues,
  randomVectors,
  recallOf,
  rowOf,
  type Space,
} from './reference.js';

export interface EngineUnderTest {
  readonly name: string;
  /** The way that a search without a filter goes, so that the tests prove that it was gone. */
  readonly path: ShardAnswer['path'];
  /** @param without see `GraphEngine.open`; for engines that can */
  open(vectors: ShardVectors, without?: Uint32Array): Promise<ShardIndex>;
  /** True for engines that open a graph without some of its rows. */
  readonly hides?: boolean;
}

const DIMS = [1, 2, 3, 8, 13, 64, 300];
const ROWS = 800;
const QUERIES = 20;

/** A graph may miss some; these are small. */
const MIN_RECALL = 0.97;

function queriesOf(space: Space, magnitude = 1): Float32Array[] {
  const values = randomValues(space, QUERIES, 99, magnitude);
  return Array.from({ length: QUERIES }, (_, i) => values.slice(i * space.dim, (i + 1) * space.dim));
}

export function describeEngineContract(engine: EngineUnderTest): void {
  describe(`${engine.name} keeps the engines' contract:`, () => {
    const opened: ShardIndex[] = [];
    const open = async (vectors: ShardVectors): Promise<ShardIndex> => {
      const index = await engine.open(vectors);
      opened.push(index);
      return index;
    };
    afterAll(() => {
      for (const index of opened) index.close();
    });

    it.runIf(engine.hides === true)('rows that a graph is opened without are in no answer, and all others can be', async () => {
      for (const metric of METRICS) {
        const vectors = randomVectors({ metric, dim: 8 }, ROWS, 17);
        const without = Uint32Array.from({ length: 90 }, (_, i) => 8 * i + 3);
        const index = await engine.open(vectors, without);
        opened.push(index);
        const visible = Bitset.full(ROWS);
        for (const row of without) visible.delete(row);
        const some = Bitset.full(ROWS);
        for (let row = 0; row < ROWS; row++) if (row % 3 === 0 || !visible.has(row)) some.delete(row);
        for (const row of without.subarray(0, 20)) {
          const query = rowOf(vectors, row);
          for (const [k, ef] of [[1, 1], [10, 200], [ROWS, ROWS]] as const) {
            const found = index.search(query, { k, ef });
            expectSound(found, vectors, query, { k, allow: visible });
            if (k > 1) expect(recallOf(found, bruteForce(vectors, query, { k, allow: visible }))).toBeGreaterThan(0.9);
            expectSound(index.search(query, { k, ef, allow: some }), vectors, query, { k, allow: some });
          }
        }
      }
    }); // prettier-ignore

    const meanRecall = (index: ShardIndex, queries: Float32Array[], k: number, ef: number, allow?: Bitset): number => {
      let sum = 0;
      for (const query of queries) {
        const answer = index.search(query, { k, ef, ...(allow && { allow }) });
        expectSound(answer, index.vectors, query, { k, allow });
        const truth = bruteForce(index.vectors, query, { k, allow });
        if (answer.path === 'exact') expectSame(answer, { ...truth, path: 'exact' });
        sum += recallOf(answer, truth);
      }
      return sum / queries.length;
    };

    for (const metric of METRICS) {
      it.each(DIMS)(`finds nearest neighbours, ${metric}, %i dimensions`, async (dim) => {
        const index = await open(randomVectors({ metric, dim }, ROWS, 1));
        expect(meanRecall(index, queriesOf({ metric, dim }), 10, 200)).toBeGreaterThanOrEqual(MIN_RECALL);
      });

      it(`returns every row, best first, when k is the number of rows or more, ${metric}`, async () => {
        const index = await open(randomVectors({ metric, dim: 5 }, 300, 2));
        for (const k of [300, 301, 10_000]) {
          for (const query of queriesOf({ metric, dim: 5 })) {
            const answer = index.search(query, { k, ef: 10 });
            expectSame({ rows: answer.rows, scores: answer.scores }, bruteForce(index.vectors, query, { k }));
          }
        }
      });

      it(`answers from no row, one row and two rows, ${metric}`, async () => {
        for (const count of [0, 1, 2]) {
          const index = await open(randomVectors({ metric, dim: 4 }, count, 3));
          for (const query of queriesOf({ metric, dim: 4 })) {
            const { rows, scores } = index.search(query, { k: 3, ef: 10 });
            expect({ rows, scores }).toEqual(bruteForce(index.vectors, query, { k: 3 }));
          }
        }
      });

      it(`returns allowed rows only, and loses none to the filter, ${metric}`, async () => {
        const space = { metric, dim: 16 };
        const index = await open(randomVectors(space, 2000, 4));
        for (const share of [1, 0.999, 0.9, 0.5, 0.2, 0.05, 0.01, 0.001, 0]) {
          const allow = randomSet(2000, share, 5);
          expect(meanRecall(index, queriesOf(space), 10, 50, allow), `share ${share}`).toBeGreaterThanOrEqual(0.95);
        }
      });
    }

    it('goes its own way when nothing is filtered, and almost nothing', async () => {
      const space = { metric: 'l2', dim: 16 } as const;
      const index = await open(randomVectors(space, 2000, 6));
      const query = queriesOf(space)[0]!;
      expect(index.search(query, { k: 10, ef: 50 }).path).toBe(engine.path);
      const allow = Bitset.full(2000);
      expect(index.search(query, { k: 10, ef: 50, allow }).path).toBe(engine.path);
      allow.delete(index.search(query, { k: 1, ef: 50 }).rows[0]!);
      expect(index.search(query, { k: 10, ef: 50, allow, allowCount: 1999 }).path).toBe(engine.path);
    });

    it('returns allowed rows even where none is near the query', async () => {
      const space = { metric: 'l2', dim: 8 } as const;
      const index = await open(randomVectors(space, 1000, 7));
      for (const query of queriesOf(space)) {
        const allow = Bitset.full(1000);
        for (const row of bruteForce(index.vectors, query, { k: 400 }).rows) allow.delete(row);
        const answer = index.search(query, { k: 10, ef: 10, allow, allowCount: 600 });
        expectSound(answer, index.vectors, query, { k: 10, allow });
        expect(recallOf(answer, bruteForce(index.vectors, query, { k: 10, allow }))).toBe(1);
      }
    });

    it('puts equal scores in the order of their rows', async () => {
      const one = randomVectors({ metric: 'cosine', dim: 12 }, 100, 8);
      const values = new Float32Array(new SharedArrayBuffer(4 * 12 * 500));
      for (let copy = 0; copy < 5; copy++) values.set(one.values, copy * one.values.length);
      const index = await open({ metric: 'cosine', dim: 12, count: 500, values });
      for (let row = 0; row < 100; row += 10) {
        const answer = index.search(rowOf(one, row), { k: 5, ef: 100 });
        expect([...answer.rows]).toEqual([row, row + 100, row + 200, row + 300, row + 400]);
        expect(new Set(answer.scores)).toEqual(new Set([answer.scores[0]]));
      }
    });

    it('answers over rows that are all the same', async () => {
      for (const metric of METRICS) {
        const values = new Float32Array(new SharedArrayBuffer(4 * 4 * 400)).fill(0.5);
        const index = await open({ metric, dim: 4, count: 400, values });
        const query = Float32Array.of(0.5, 0.5, 0.5, 0.5);
        for (const k of [1, 10, 400]) expectSound(index.search(query, { k, ef: 50 }), index.vectors, query, { k });
      }
    });

    it('answers over rows and queries of zeros where the metric has them', async () => {
      const zero = new Float32Array(4);
      for (const metric of ['l2', 'ip'] as const) {
        const count = 300;
        const index = await open({
          metric,
          dim: 4,
          count,
          values: new Float32Array(new SharedArrayBuffer(16 * count)),
        });
        for (const query of [zero, Float32Array.of(1, -2, 3, 4)]) {
          expectSound(index.search(query, { k: 20, ef: 50 }), index.vectors, query, { k: 20 });
        }
        const mixed = await open(randomVectors({ metric, dim: 4 }, count, 9));
        expect(meanRecall(mixed, [zero], 20, 100)).toBeGreaterThanOrEqual(0.95);
      }
    });

    it('raises an ef below k to k', async () => {
      const index = await open(randomVectors({ metric: 'ip', dim: 24 }, 1000, 10));
      for (const query of queriesOf(index.vectors)) {
        expectSound(index.search(query, { k: 100, ef: 1 }), index.vectors, query, { k: 100 });
      }
    });

    for (const metric of ['l2', 'ip'] as const) {
      it.each([1e18, 1e-18, 1e-30, 3e-44])(
        `finds neighbours among components of magnitude %d, ${metric}`,
        async (magnitude) => {
          const space = { metric, dim: 20 };
          const index = await open(randomVectors(space, ROWS, 11, magnitude));
          const queries = queriesOf(space, magnitude);
          expect(meanRecall(index, queries, 10, 100)).toBeGreaterThanOrEqual(MIN_RECALL);
        },
      );

      it.each([1e18, 1e5, 1e-5, 1e-18])(
        `finds neighbours for queries %d times the size of the rows, ${metric}`,
        async (times) => {
          const space = { metric, dim: 20 };
          const index = await open(randomVectors(space, ROWS, 12));
          expect(meanRecall(index, queriesOf(space, times), 10, 100)).toBeGreaterThanOrEqual(MIN_RECALL);
        },
      );
    }

    it('does not let go of its query, its filter or its earlier answers', async () => {
      const space = { metric: 'l2', dim: 8 } as const;
      const index = await open(randomVectors(space, 500, 13));
      const [one, other] = queriesOf(space) as [Float32Array, Float32Array];
      const first = index.search(one, { k: 10, ef: 50 });
      const kept = { rows: first.rows.slice(), scores: first.scores.slice() };
      index.search(other, { k: 10, ef: 50, allow: randomSet(500, 0.5, 14) });
      expect({ rows: first.rows, scores: first.scores }).toEqual(kept);
      expect(index.search(one, { k: 10, ef: 50 })).toEqual(first);
    });

    it('answers searches elsewhere as on the spot, whatever becomes of what was asked and of the index meanwhile', async () => {
      const space = { metric: 'cosine', dim: 20 } as const;
      const vectors = randomVectors(space, ROWS, 21);
      const index = await open(vectors);
      const passing = randomSet(ROWS, 0.4, 22);
      const asked = queriesOf(space).flatMap((query) => [
        { query, options: { k: 300, ef: 400, account: true } },
        { query, options: { k: 20, ef: 40, allow: passing, account: true } },
        {
          query,
          options: { k: 5, ef: 10, allow: passing, allowCount: passing.count(), plan: 'exact_scan' as const },
        },
      ]);
      const expected = asked.map(({ query, options }) => index.search(query, options));
      // The first two begin at once.
      const own = await engine.open(vectors);
      const [words, values] = [passing.words.slice(), asked[0]!.query.slice()];
      const two = asked.slice(0, 2).map(({ query, options }) => own.searchLater(query, options));
      asked[0]!.query.fill(0);
      passing.words.fill(0);
      own.close();
      expectSame(await Promise.all(two), expected.slice(0, 2));
      passing.words.set(words);
      asked[0]!.query.set(values);
      expectSame(await Promise.all(asked.map(({ query, options }) => index.searchLater(query, options))), expected);
      const mixed = asked.map(
        ({ query, options }) => [index.searchLater(query, options), index.search(query, options)] as const,
      );
      for (const [elsewhere, here] of mixed) {
        expectSame((await elsewhere)!, here);
      }
      await expect(own.searchLater(asked[0]!.query, { k: 1, ef: 1 })).rejects.toThrow();
    });

    it('refuses a query of another length, and a filter made for another shard', async () => {
      const index = await open(randomVectors({ metric: 'l2', dim: 8 }, 50, 15));
      expect(() => index.search(new Float32Array(7), { k: 1, ef: 10 })).toThrow();
      expect(() => index.search(new Float32Array(8), { k: 1, ef: 10, allow: new Bitset(51) })).toThrow();
      expect(() => index.search(new Float32Array(8), { k: 1, ef: 10, allow: Bitset.full(51) })).toThrow();
    });

    it('says how much memory it holds, and lets go of it more than once', async () => {
      const index = await engine.open(randomVectors({ metric: 'l2', dim: 8 }, 50, 16));
      expect(index.residentBytes).toBeGreaterThanOrEqual(0);
      index.close();
      index.close();
    });
  });
}
