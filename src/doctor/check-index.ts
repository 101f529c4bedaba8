/** The state of one index: what is published, the newest version, calibration, and what crashes have left. */
import { join } from 'node:path';
import { ShortlistError } from '../base/errors.js';
import { findCalibration } from '../retrieve/load/calibration.js';
import { listIfPresent } from '../version/disk/durable.js';
import { nodeFiles as files } from '../version/disk/files.js';
import { indexPath, partsPath, stagingPath, TRASH_PREFIX } from '../version/disk/paths.js';
import { openVersionFiles } from '../version/sealed/version-reader.js';
import { listVersions, readCurrent, surveyVersions } from '../version/state/catalog.js';
import { fail, pass, warn, type Finding } from './finding.js';

export async function checkIndex(root: string, index: string): Promise<Finding[]> {
  const findings = [await checkPublished(root, index), await checkNewest(root, index), ...(await checkDamaged(root, index))];
  return [...findings, ...(await checkRemains(root, index)), ...(await checkParts(root, index))];
} // prettier-ignore

async function checkPublished(root: string, index: string): Promise<Finding> {
  const name = `${index}: published`;
  try {
    const current = await readCurrent(root, index);
    if (current === null) return warn(name, 'no version is published', `shortlist publish ${index}@VERSION`);
    await openVersionFiles(root, index, current.version, { hash: false });
    const { calibration } = await findCalibration(root, index, current.version);
    const detail = `${current.version} since ${current.at}`;
    if (calibration !== null) return pass(name, detail);
    return warn(name, `${detail}, without a calibration`, `shortlist evaluate ${index} --calibrate`);
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
    return fail(name, error.message, `shortlist rollback ${index}, or publish another version`);
  }
}

/** The newest version is what the next publish would take. */
async function checkNewest(root: string, index: string): Promise<Finding> {
  const name = `${index}: newest`;
  const newest = (await listVersions(root, index)).at(-1);
  if (newest === undefined) return fail(name, 'there is no readable version', `shortlist build ${index} --input FILES`);
  const { version, manifest } = newest;
  try {
    await openVersionFiles(root, index, version, { hash: false });
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
    return fail(name, error.message, `build again, then: shortlist verify ${index}`);
  }
  const current = await readCurrent(root, index).catch(() => null);
  const detail = `${version}, ${manifest.count.toLocaleString('en-US')} vectors`;
  if (current?.version === version) return pass(name, `${detail}, published`);
  return warn(name, `${detail}, not published`, `shortlist history ${index} says why; else: shortlist publish ${index}@${version}`); // prettier-ignore
}

async function checkDamaged(root: string, index: string): Promise<Finding[]> {
  const { damaged } = await surveyVersions(root, index);
  return damaged.map(({ version, error }) =>
    fail(`${index}: ${version}`, error.message, 'restore its files, or move the folder away'),
  );
}

/** Parts are there until their version is assembled. */
async function checkParts(root: string, index: string): Promise<Finding[]> {
  const plans = (await listIfPresent(partsPath(root, index), files)).map((entry) => join('.parts', entry.name));
  if (plans.length === 0) return [];
  const fix = 'an array job runs, or was not assembled: run assemble with its plan, or delete the folder';
  return [warn(`${index}: parts`, plans.join(', '), fix)];
}

/** Staging and trash are there during a build and a prune, and after one that was killed. */
async function checkRemains(root: string, index: string): Promise<Finding[]> {
  const name = `${index}: leftovers`;
  const staged = await listIfPresent(stagingPath(root, index), files);
  const trash = (await listIfPresent(indexPath(root, index), files)).filter((entry) => entry.name.startsWith(TRASH_PREFIX));
  const remains = [...staged.map((entry) => join('.staging', entry.name)), ...trash.map((entry) => entry.name)];
  if (remains.length === 0) return [pass(name, 'none')];
  return [warn(name, remains.join(', '), 'a build or prune runs, or was killed: the next build continues or removes them, prune removes them')];
} // prettier-ignore
