/**
 * Sizes as people write them: `1GiB`, `48 MiB`, `2GB`; a plain number counts bytes. Written by hand: the package bytes
 * does not read MiB, takes KB for 1,024 bytes, and ignores what it does not know.
 */
import { formatFixed } from './number-text.js';

const MiB = 2 ** 20;

const UNITS: Readonly<Record<string, number>> = {
  '': 1, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KIB: 1024, MIB: MiB, GIB: 1024 * MiB, TIB: MiB * MiB,
}; // prettier-ignore

/** @throws Error that says which sizes are allowed; the caller adds which value is wrong */
export function parseByteSize(text: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]*)$/i.exec(text.trim());
  const bytes = Math.floor(Number(match?.[1]) * (UNITS[(match?.[2] ?? '').toUpperCase()] ?? NaN));
  if (bytes >= min && bytes <= max) return bytes;
  const range =
    max === Number.MAX_SAFE_INTEGER ? `at least ${formatLimit(min)}` : `${formatLimit(min)} to ${formatLimit(max)}`;
  throw new Error(`a size such as 48MiB or 2GB, ${range}`);
}

/** In the largest unit that divides it: 1GiB is easier to read than 1073741824 bytes. */
function formatLimit(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB']) {
    const size = UNITS[unit.toUpperCase()]!;
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return bytes === 1 ? '1 byte' : `${bytes} bytes`;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `1.50 GiB`, `12.3 MiB`, `512 B`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${Math.round(bytes)} B` : `${formatFixed(value, value < 10 ? 2 : 1)} ${BYTE_UNITS[unit]!}`;
}
