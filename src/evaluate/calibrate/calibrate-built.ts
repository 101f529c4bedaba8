/**
 * The last stage of a build: calibration. The version is sealed already and can answer without a calibration. So a
 * failure is a warning, not an error: the version can be calibrated later.
 */
import { ShortlistError } from '../../base/errors.js';
import { openExactSearch } from '../../engine/exact-search.js';
import { isMapped } from '../../engine/engines.js';
import { calibrate, storeCalibration } from './calibrate.js';
import type { OnStageProgress } from '../evaluate.js';
import type { Calibration } from '../../retrieve/load/calibration.js';
import { loadVersion } from '../../retrieve/load/loaded-version.js';
import type { FileSystem } from '../../version/disk/files.js';
import { versionBytes, type Manifest } from '../../version/sealed/manifest.js';

interface CalibrateBuiltOptions {
  readonly threads: number;
  readonly memoryLimitBytes: number;
  readonly files: FileSystem;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnStageProgress | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** @returns null if it could not be measured. @throws interrupted; the version is kept */
export async function calibrateBuilt(
  root: string,
  manifest: Manifest,
  options: CalibrateBuiltOptions,
): Promise<Calibration | null> {
  const name = `${manifest.index}@${manifest.version}`;
  try {
    options.signal?.throwIfAborted();
    requireOpenMemory(manifest, options.memoryLimitBytes);
    const calibration = await measure(root, manifest, options);
    await storeCalibration(root, manifest, calibration, options.files);
    return calibration;
  } catch (error) {
    if (options.signal?.aborted === true) {
      const message = `the build was interrupted while ${name} was calibrated; the version is complete and can be published`;
      throw new ShortlistError('interrupted', message, { version: manifest.version }, { cause: error });
    }
    if (!(error instanceof ShortlistError)) throw error;
    options.onWarning?.(
      `${name} is built, but not calibrated: ${error.message}; run: shortlist evaluate ${name} --calibrate`,
    );
    return null;
  }
}

async function measure(root: string, manifest: Manifest, options: CalibrateBuiltOptions): Promise<Calibration> {
  const { threads, signal, onProgress } = options;
  const version = await loadVersion(root, manifest.index, manifest.version);
  const pool = openExactSearch(threads);
  try {
    return await calibrate(version, { pool, root: threads > 1 ? root : undefined, signal, onProgress });
  } finally {
    await pool.close();
    version.close();
  }
}

/**
 * All shards are open twice here, once without the query rows. An engine that cannot map files holds both in memory.
 */
function requireOpenMemory(manifest: Manifest, limitBytes: number): void {
  const needed = 2 * versionBytes(manifest);
  if (isMapped(manifest.engine.name) || needed <= limitBytes) return;
  const message = `opening all shards twice needs about ${needed} bytes of memory; the limit is ${limitBytes}`;
  throw new ShortlistError('insufficient_memory', message);
}
