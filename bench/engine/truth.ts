/**
 * The exact neighbours, found once per data set by the exact scan (section `exact` compares it with another engine's),
 * and recall as src/evaluate/recall.ts defines it, over plain arrays.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { dot, rawKernel, toScore64 } from '../../src/base/metric.js';
import { NativePool } from '../../src/engine/native/native-pool.js';
import { readFloats, readUints, writeValues } from '../lib/float-file.js';
import { NO_ROW } from './no-row.js';
import type { DataSet } from './peer.js';
import { say } from '../lib/say.js';

export const MAX_TRUTH_K = 1_000;

/** As in src/evaluate/recall.ts: how far below the k-th true score a row may be, relative to |q||x|. */
const TOLERANCE = 1e-6;

export interface MeasuredRecall {
  readonly byDistance: number;
  readonly byId: number;
}

export class Judge {
  private readonly data: DataSet;
  private readonly base: Float32Array;
  private readonly queries: Float32Array;
  private readonly truth: Uint32Array;
  private readonly truthK: number;

  private constructor(data: DataSet, base: Float32Array, queries: Float32Array, truth: Uint32Array) {
    this.data = data;
    this.base = base;
    this.queries = queries;
    this.truth = truth;
    this.truthK = truth.length / data.queries;
  }

  static async of(data: DataSet): Promise<Judge> {
    const base = readFloats(join(data.folder, 'base.f32'));
    const queries = readFloats(join(data.folder, 'queries.f32'));
    const path = join(data.folder, 'truth.u32');
    if (!existsSync(path)) writeValues(path, await findTruth(data, base, queries));
    return new Judge(data, base, queries, readUints(path));
  }

  /** @param found k rows a query, one query after the other, NO_ROW where there is none */
  recall(found: Uint32Array, k: number): MeasuredRecall {
    let near = 0;
    let named = 0;
    for (let query = 0; query < this.data.queries; query++) {
      const answer = new Set(found.subarray(query * k, (query + 1) * k));
      answer.delete(NO_ROW);
      const truth = new Set(this.truth.subarray(query * this.truthK, query * this.truthK + k));
      const missing = [...answer].filter((row) => !truth.has(row));
      named += answer.size - missing.length;
      near += answer.size - missing.length + this.countNear(query, k, missing);
    }
    const expected = this.data.queries * k;
    return { byDistance: near / expected, byId: named / expected };
  }

  /** How many of `rows`, none of which is in the truth, are as near as its last one. */
  private countNear(query: number, k: number, rows: readonly number[]): number {
    if (rows.length === 0) return 0;
    const { dim, metric } = this.data;
    const at = query * dim;
    const raw = rawKernel(metric);
    const score = (row: number): number => toScore64(metric, raw(this.queries, at, this.base, row * dim, dim));
    const least = score(this.truth[query * this.truthK + k - 1]!);
    const most = metric === 'l2' ? TOLERANCE * Math.abs(least) : Infinity;
    const queryNorm = Math.sqrt(dot(this.queries, at, this.queries, at, dim));
    return rows.filter((row) => {
      const rowNorm = Math.sqrt(dot(this.base, row * dim, this.base, row * dim, dim));
      return score(row) >= least - Math.min(TOLERANCE * queryNorm * rowNorm, most);
    }).length;
  }
}

async function findTruth(data: DataSet, values: Float32Array, queries: Float32Array): Promise<Uint32Array> {
  const { rows, dim, metric } = data;
  const k = Math.min(MAX_TRUTH_K, rows);
  say(`${data.name}: exact neighbours of ${data.queries} queries`);
  const pool = new NativePool();
  try {
    const found = await pool.search([{ metric, dim, count: rows, values }], queries, data.queries, { k });
    const truth = new Uint32Array(data.queries * k);
    found.forEach(([answer], query) => truth.set(answer!.rows, query * k));
    return truth;
  } finally {
    await pool.close();
  }
}
