/**
 * Sizes as people write them: `1GiB`, `48 MiB`, `2GB`; a number alone counts bytes.
 *
 * By hand: the package bytes reads no MiB, and 1,024 bytes where KB is written; it passes over what it does not know.
 */

const MiB = 2 ** 20;

const UNITS: Readonly<Record<string, number>> = {
  '': 1, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KIB: 1024, MIB: MiB, GIB: 1024 * MiB, TIB: MiB * MiB,
}; // prettier-ignore

/** @throws Error with what is allowed, to which the caller adds whose value it is */
export function parseByteSize(text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]*)$/i.exec(text.trim());
  const bytes = Math.floor(Number(match?.[1]) * (UNITS[(match?.[2] ?? '').toUpperCase()] ?? NaN));
  if (bytes >= least && bytes <= most) return bytes;
  const range = most === Number.MAX_SAFE_INTEGER ? `at least ${formatLimit(least)}` : `${formatLimit(least)} to ${formatLimit(most)}`; // prettier-ignore
  throw new Error(`a size such as 48MiB or 2GB, ${range}`);
}

/** In the largest unit that it is a whole number of: a limit of 1073741824 bytes says less than one of 1GiB. */
function formatLimit(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB']) {
    const size = UNITS[unit.toUpperCase()]!;
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return bytes === 1 ? '1 byte' : `${bytes} bytes`;
}
