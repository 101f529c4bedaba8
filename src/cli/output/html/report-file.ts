/** Writes a page to a file, whole or not at all; an older file of that name is replaced. */
import { dirname, resolve } from 'node:path';
import { ShortlistError } from '../../../base/errors.js';
import { replaceFile, statIfPresent } from '../../../version/disk/durable.js';
import { nodeFiles } from '../../../version/disk/files.js';

/** Called before the work, so that a wrong path does not cost it. @throws io_error */
export async function checkReportPath(path: string): Promise<void> {
  const folder = dirname(resolve(path));
  if ((await statIfPresent(folder, nodeFiles)) === null)
    throw new ShortlistError('io_error', `${folder} is not there; create it, or write the report elsewhere`, {
      file: folder,
    });
  const found = await statIfPresent(path, nodeFiles);
  if (found === null || found.kind === 'file') return;
  const what = found.kind === 'directory' ? 'a folder' : 'a link, pipe or device';
  throw new ShortlistError('io_error', `${path} is ${what}; give the path of a file`, { file: path });
}

/** @throws io_error, disk_full */
export function writeReport(path: string, page: string): Promise<void> {
  return replaceFile(resolve(path), Buffer.from(page), nodeFiles);
}
