/**
 * Names of versions: `20261123T041500Z-3f9c2a1b`, the build time in UTC and the first 8 hex digits of the content
 * digest. Names sort by time as text. A new name is at least a second later than the newest one, so the order never
 * depends on the digest, even if the clock was set back.
 */

const PATTERN = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z-([0-9a-f]{8})$/;

const SECOND_MS = 1_000;

interface VersionName {
  readonly time: Date;
  /** First 8 hex digits of the content digest. */
  readonly hash: string;
}

/** The parts of a name, or null. A name that parses is safe as a part of a path. */
export function parseVersionName(text: string): VersionName | null {
  const match = PATTERN.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, hash] = match;
  const iso = `${year!}-${month!}-${day!}T${hour!}:${minute!}:${second!}.000Z`;
  const time = new Date(iso);
  if (Number.isNaN(time.getTime()) || time.toISOString() !== iso) return null;
  return { time, hash: hash! };
}

export function isVersionName(text: string): boolean {
  return parseVersionName(text) !== null;
}

/**
 * The name of a version that is sealed now.
 * @param contentSha256 the content digest, hex
 * @param existing every name that is or was taken, in any order; other texts are skipped
 */
export function nextVersionName(now: Date, contentSha256: string, existing: Iterable<string>): string {
  let time = Math.floor(now.getTime() / SECOND_MS) * SECOND_MS;
  for (const text of existing) {
    const taken = parseVersionName(text);
    if (taken !== null) time = Math.max(time, taken.time.getTime() + SECOND_MS);
  }
  const stamp = new Date(time)
    .toISOString()
    .replace(/\.\d{3}Z$/, 'Z')
    .replace(/[-:]/g, '');
  return `${stamp}-${contentSha256.slice(0, 8)}`;
}
