/**
 * Polls what is published under the root. It changes nothing. Polling works on any file system, which notifications do
 * not, and finds every change within POLL_MS.
 */
import { ShortlistError, serializeError } from '../../base/errors.js';
import type { Names } from '../../retrieve/load/live.js';
import { listIndexes, readCurrent, surveyAliases } from '../../version/state/catalog.js';
import { listVersionNames } from '../../version/sealed/version-folders.js';
import { nodeFiles } from '../../version/disk/files.js';
import { parseVersionName } from '../../version/sealed/version-name.js';

const POLL_MS = 200;

/** The newest version on disk is needed only for a metric. */
const SURVEY_EVERY_POLLS = 25;

export interface Observation {
  /** The published names; null if they could not be read. */
  readonly names: Names | null;
  readonly error: ShortlistError | null;
  /** Aliases that could not be read and are missing from `names`. */
  readonly damagedAliases: ReadonlyMap<string, ShortlistError>;
}

export class Watcher {
  private observations = new Map<string, Observation>();
  private newest = new Map<string, number>();
  private polls = 0;
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;

  /** @param indexes to watch; empty: all */
  constructor(
    private readonly root: string,
    private readonly indexes: readonly string[],
    private readonly onPoll: () => void,
  ) {}

  async poll(): Promise<void> {
    const names =
      this.indexes.length > 0 ? this.indexes : await listIndexes(this.root).catch(() => [...this.observations.keys()]);
    const survey = this.polls++ % SURVEY_EVERY_POLLS === 0;
    const seen = await Promise.all(names.map(async (index) => [index, await this.observe(index)] as const));
    if (survey) for (const index of names) await this.surveyVersions(index);
    this.observations = new Map(seen);
  }

  start(): void {
    const pollRepeatedly = async () => {
      await this.poll();
      if (this.stopped) return;
      this.onPoll();
      this.timer = setTimeout(() => void pollRepeatedly(), POLL_MS);
    };
    this.timer = setTimeout(() => void pollRepeatedly(), POLL_MS);
  }

  stop(): void {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** By index, from the last poll. */
  get latest(): ReadonlyMap<string, Observation> {
    return this.observations;
  }

  /** When the newest version on disk was built, in seconds since 1970; null if there is none. */
  newestBuiltAt(index: string): number | null {
    return this.newest.get(index) ?? null;
  }

  private async observe(index: string): Promise<Observation> {
    try {
      const [move, survey] = await Promise.all([readCurrent(this.root, index), surveyAliases(this.root, index)]);
      const names = { current: move?.version ?? null, aliases: survey.aliases };
      return { names, error: null, damagedAliases: survey.damaged };
    } catch (error) {
      const { code, message, details } = serializeError(error);
      return { names: null, error: new ShortlistError(code, message, details), damagedAliases: new Map() };
    }
  }

  private async surveyVersions(index: string): Promise<void> {
    const versions = await listVersionNames(this.root, index, nodeFiles).catch(() => []);
    const newest = parseVersionName(versions.at(-1) ?? '');
    if (newest !== null) this.newest.set(index, newest.time.getTime() / 1000);
  }
}

/** The published names as far as they can be read. For the others, what answers now is kept. */
export function wantedNames({ names, damagedAliases }: Observation, before: Names): Names {
  const kept = Object.entries(before.aliases).filter(([alias]) => damagedAliases.has(alias));
  return {
    current: names?.current ?? before.current,
    aliases: { ...Object.fromEntries(kept), ...names?.aliases },
  };
}

/** What could not be read of an index, by keys that no version has. */
export function readFailures(index: string, { error, damagedAliases }: Observation): Map<string, ShortlistError> {
  const failures = new Map<string, ShortlistError>();
  if (error !== null) failures.set(`${index}/`, error);
  for (const [alias, damage] of damagedAliases) failures.set(`${index}/aliases/${alias}`, damage);
  return failures;
}
