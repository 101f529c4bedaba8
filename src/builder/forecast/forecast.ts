/**
 * What a build will cost. Takes its shape and the past builds of the root; gives a value with a range for memory, disk
 * and each stage. The value is the model's (model.ts), times how far the model was off for past builds: the nearer a
 * past build is in rows, dimension and parameters, the more it counts. Times of another processor do not count if there
 * are any of this one. The range is where four of five such builds were, and wider the further away they are.
 */
import { cpus } from 'node:os';
import { byStage, FORECAST_STAGES, modelCost, type BuildCost, type BuildShape, type ForecastStage } from './model.js';
import type { PastBuild } from './past-builds.js';

export interface Range {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface Forecast {
  readonly memoryBytes: Range;
  readonly diskBytes: Range;
  readonly seconds: Range;
  readonly stages: Readonly<Record<ForecastStage, Range>>;
  /** Past builds that count, and those of them that ran on this processor. */
  readonly builds: number;
  readonly buildsHere: number;
}

/** Model of this machine's processor. */
export function processorName(): string {
  return cpus()[0]?.model.trim() ?? 'unknown';
}

export function forecastBuild(shape: BuildShape, past: readonly PastBuild[], cpu: string = processorName()): Forecast {
  const alike = past.filter((build) => build.shape.engine === shape.engine);
  const here = alike.filter((build) => build.cpu === cpu);
  const timed = here.length > 0 ? here : alike;
  const model = modelCost(shape);
  const stages = byStage((stage) => rangeOf(shape, model, timed, (cost) => cost.seconds[stage], TIME));
  const total = (pick: (range: Range) => number): number =>
    FORECAST_STAGES.reduce((sum, stage) => sum + pick(stages[stage]), 0);
  return {
    memoryBytes: rangeOf(shape, model, alike, (cost) => cost.memoryBytes, BYTES),
    diskBytes: rangeOf(shape, model, alike, (cost) => cost.diskBytes, BYTES),
    seconds: { value: total(({ value }) => value), low: total(({ low }) => low), high: total(({ high }) => high) },
    stages,
    builds: alike.length,
    buildsHere: here.length,
  };
}

/** Uncertainty, as the natural logarithm of a factor. */
interface Uncertainty {
  /** Without any past build. */
  readonly unknown: number;
  /** Of two equal builds. */
  readonly repeated: number;
  /** For each unit of distance to the nearest past build. */
  readonly perDistance: number;
}

const TIME: Uncertainty = { unknown: Math.log(3), repeated: Math.log(1.3), perDistance: 0.15 };
const BYTES: Uncertainty = { unknown: Math.log(1.3), repeated: Math.log(1.05), perDistance: 0.04 };

/** Standard deviations of a normal distribution that hold four fifths of it. */
const FOUR_FIFTHS = 1.28;

/** A past build at this distance counts half of one that is equal. */
const HALF_DISTANCE = 0.3;

/** Stages of less than this are noise, and say nothing about a large build. */
const MIN_SECONDS = 0.05;

function rangeOf(
  shape: BuildShape,
  model: BuildCost,
  past: readonly PastBuild[],
  pick: (cost: BuildCost) => number,
  uncertainty: Uncertainty,
): Range {
  const expected = pick(model);
  const known = past.flatMap((build) => {
    const [measured, modelled] = [pick(build.cost), pick(modelCost(build.shape))];
    if (!(measured >= MIN_SECONDS) || !(modelled > 0)) return [];
    const distance = distanceOf(shape, build.shape);
    return [{ ratio: Math.log(measured / modelled), distance, weight: 1 / (HALF_DISTANCE + distance) ** 2 }];
  });
  const weight = known.reduce((sum, build) => sum + build.weight, 0);
  if (weight === 0) return around(expected, uncertainty.unknown);
  const mean = known.reduce((sum, build) => sum + build.weight * build.ratio, 0) / weight;
  const variance = known.reduce((sum, build) => sum + build.weight * (build.ratio - mean) ** 2, 0) / weight;
  const nearest = Math.min(...known.map(({ distance }) => distance));
  const spread = Math.max(FOUR_FIFTHS * Math.sqrt(variance), uncertainty.repeated);
  return around(expected * Math.exp(mean), Math.min(uncertainty.unknown, spread + uncertainty.perDistance * nearest));
}

function around(value: number, spread: number): Range {
  return { value, low: value * Math.exp(-spread), high: value * Math.exp(spread) };
}

/** 0 for equal shapes; 1 for a factor of e in one of them. */
function distanceOf(a: BuildShape, b: BuildShape): number {
  const factor = (x: number, y: number): number => Math.abs(Math.log(x / y));
  return (
    factor(a.rows / a.shards, b.rows / b.shards) +
    factor(a.dim, b.dim) +
    factor(a.m, b.m) +
    factor(a.efConstruction, b.efConstruction) +
    factor(a.threads, b.threads) +
    (a.calibrate === b.calibrate ? 0 : 0.5)
  );
}
