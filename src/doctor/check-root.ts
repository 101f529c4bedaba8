/** Whether the folder of the indexes can be used: rights, links, space, speed, and the clock of the machine. */
import { join } from 'node:path';
import { formatBytes } from '../base/byte-size.js';
import { ShortlistError } from '../base/errors.js';
import { attempt, closing, statIfPresent, temporaryName } from '../version/disk/durable.js';
import { nodeFiles as files } from '../version/disk/files.js';
import { versionBytes } from '../version/sealed/manifest.js';
import { listIndexes, readCurrent, surveyVersions } from '../version/state/catalog.js';
import { fail, pass, warn, type Finding } from './finding.js';

/** What is written to measure the disk. */
const TRIAL_BYTES = 32 * 2 ** 20;
/** Below it, sealing a version of 10 GiB takes more than three minutes. */
const MIN_MEBIBYTES_PER_SECOND = 50;
const MAX_CLOCK_ERROR_MS = 60_000;

/** @returns no further findings if the root cannot be used */
export async function checkRoot(root: string): Promise<Finding[]> {
  const found = await statIfPresent(root, files);
  if (found === null) return [warn('root', `${root} does not exist`, 'the first build makes it; else give --root or SHORTLIST_ROOT')]; // prettier-ignore
  if (found.kind === 'file') return [fail('root', `${root} is a file`, 'give the folder of the indexes as --root')];
  const trial = await tryWriting(root);
  return [...trial, await checkSpace(root), await checkClock(root)];
}

async function tryWriting(root: string): Promise<Finding[]> {
  const path = join(root, temporaryName());
  const link = `${path}-link`;
  try {
    const started = performance.now();
    const file = await files.open(path, 'create');
    await closing(file, async () => {
      await file.write(new Uint8Array(TRIAL_BYTES).fill(1));
      await file.sync();
    });
    const speed = TRIAL_BYTES / 2 ** 20 / ((performance.now() - started) / 1000);
    const rate = `${Math.round(speed)} MiB/s written and synced`;
    const disk = speed >= MIN_MEBIBYTES_PER_SECOND ? pass('disk_speed', rate) : warn('disk_speed', rate, 'builds and the loading of versions will be slow; use a faster disk'); // prettier-ignore
    return [pass('root', `${root} can be written`), await checkLinks(path, link), disk];
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
    return [warn('root', error.message, 'a server can still read it; builds and publishes need the right to write')];
  } finally {
    await attempt(files.removeFile(link));
    await attempt(files.removeFile(path));
  }
}

/** Locks need links that only one process can make. */
async function checkLinks(path: string, link: string): Promise<Finding> {
  try {
    await files.link(path, link);
    return pass('links', 'the file system has hard links, which locks need');
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
    return fail('links', error.message, 'use a file system with hard links; builds and publishes take locks by them');
  }
}

/** A build needs about as much space as the version that it makes, and as much again while it runs. */
async function checkSpace(root: string): Promise<Finding> {
  const free = await files.freeBytes(root);
  let largest = 0;
  for (const index of await listIndexes(root)) {
    for (const { manifest } of (await surveyVersions(root, index)).versions) largest = Math.max(largest, versionBytes(manifest)); // prettier-ignore
  }
  const detail = `${formatBytes(free)} free; ${largest === 0 ? 'there is no version yet' : `the largest version has ${formatBytes(largest)}`}`;
  if (free > 2 * largest) return pass('disk_space', detail);
  return warn('disk_space', detail, 'the next build may not fit: shortlist prune INDEX --keep 3');
}

/** Names of versions are times: a version of the future stays the newest. */
async function checkClock(root: string): Promise<Finding> {
  let newest = '';
  for (const index of await listIndexes(root)) {
    const current = await readCurrent(root, index).catch(() => null);
    if (current !== null && current.at > newest) newest = current.at;
    for (const { manifest } of (await surveyVersions(root, index)).versions) if (manifest.created_at > newest) newest = manifest.created_at; // prettier-ignore
  }
  const now = new Date();
  const detail = `it is ${now.toISOString()}; the newest entry of the root is of ${newest === '' ? 'no time' : newest}`;
  if (newest === '' || Date.parse(newest) <= now.getTime() + MAX_CLOCK_ERROR_MS) return pass('clock', detail);
  return warn('clock', detail, 'one of the clocks is wrong: synchronise them (NTP)');
}
