/** What pushes and pulls have in common. */

/** Notes that go with a version: servers read them. The others are caches, or facts about one machine. */
export const PULLED_NOTES = ['calibration', 'gate'] as const;

/** Names are those of the JSON output. */
export interface Transferred {
  readonly index: string;
  readonly version: string;
  /** Size of the version's files. */
  readonly bytes: number;
  /** Bytes of them that were there already, and were not transferred. */
  readonly reused: number;
  /** Number of the files. */
  readonly files: number;
}
