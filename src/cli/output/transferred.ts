/** What a push or pull did, for people. */
import type { Transferred } from '../../store/transfer.js';
import { formatBytes, formatDuration, formatPlural } from './progress.js';

export function describeTransfer(
  verb: string,
  where: string,
  { index, version, bytes, reused, files }: Transferred,
  seconds: number,
): string {
  const there = reused === 0 ? '' : `, of which ${formatBytes(reused)} were there already`;
  const size = `${formatPlural(files, 'file')}, ${formatBytes(bytes)}${there}, ${formatDuration(seconds)}`;
  return `${verb} ${index}@${version} ${where}\n  ${size}`;
}
