/**
 * Reads all served versions again and again, slowly, and compares them with their checksums. This finds damage that
 * stamps cannot show, such as a bit lost by a disk or in a cached page.
 *
 * Reading goes through the page cache, so for cached files it sees what workers see. It reads one file at a time in the
 * primary, at a rate that takes a small share of a core (16 MiB per second: 1 to 4 %) and of a disk.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { deserializeError, serializeError, type ShortlistError } from '../../base/errors.js';
import { isShortage, nodeFiles } from '../../version/disk/files.js';
import { readManifest } from '../../version/sealed/manifest-file.js';
import { versionPath } from '../../version/disk/paths.js';
import { shardsOf } from '../../version/sealed/shard-files.js';
import { findFileProblems } from '../../version/sealed/version-reader.js';

/** Minimum time for a version, so that many small ones are not opened and closed all the time. */
const MIN_PASS_MS = 1_000;

export interface ServedVersion {
  readonly index: string;
  readonly version: string;
}

interface ScrubEvents {
  /** Versions to read, requested before each round. */
  readonly served: () => readonly ServedVersion[];
  readonly read: (bytes: number) => void;
  readonly finished: (index: string) => void;
  /** The version differs from its checksums. */
  readonly damaged: (served: ServedVersion, problem: ShortlistError) => void;
}

export class Scrub {
  private readonly stopping = new AbortController();
  private due = 0;

  /** @param bytesPerSecond 0: never @param shards as in VerifiedVersions */
  constructor(
    private readonly root: string,
    private readonly shards: readonly number[],
    private readonly bytesPerSecond: number,
    private readonly events: ScrubEvents,
  ) {}

  start(): void {
    if (this.bytesPerSecond > 0) void this.run().catch(() => undefined); // rejected only by stop()
  }

  stop(): void {
    this.stopping.abort();
  }

  private async run(): Promise<void> {
    for (;;) {
      const round = this.events.served();
      for (const served of round) {
        const minPass = this.wait(MIN_PASS_MS);
        await Promise.all([this.pass(served), minPass]);
      }
      if (round.length === 0) await this.wait(MIN_PASS_MS);
    }
  }

  private async pass(served: ServedVersion): Promise<void> {
    const { index, version } = served;
    const { signal } = this.stopping;
    try {
      const manifest = await readManifest(this.root, index, version);
      const options = { signal, shards: shardsOf(manifest, this.shards), pace: (bytes: number) => this.pace(bytes) };
      const directory = versionPath(this.root, index, version);
      for await (const problem of findFileProblems(directory, manifest, { ...options, files: nodeFiles }))
        throw problem;
      this.events.finished(index);
    } catch (error) {
      if (signal.aborted) throw error;
      if (isShortage(error)) return; // the next round reads it again
      // A version that was replaced meanwhile may be being deleted.
      const isServed = this.events.served().some((one) => one.index === index && one.version === version);
      if (isServed) this.events.damaged(served, deserializeError(serializeError(error)));
    }
  }

  /** Waits after reading so many bytes, to keep the rate. */
  private async pace(bytes: number): Promise<void> {
    this.events.read(bytes);
    const now = performance.now();
    this.due = Math.max(this.due, now) + (1000 * bytes) / this.bytesPerSecond;
    await this.wait(this.due - now);
  }

  private wait(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.stopping.signal, ref: false });
  }
}
