/** Seconds of each stage of a build, by name. */
export class StageClock {
  readonly seconds: Record<string, number> = {};

  async measure<T>(stage: string, work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const result = await work();
    this.seconds[stage] = roundMs((this.seconds[stage] ?? 0) + secondsSince(startedMs));
    return result;
  }
}

export function secondsSince(startedMs: number): number {
  return roundMs((performance.now() - startedMs) / 1000);
}

export function roundMs(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
