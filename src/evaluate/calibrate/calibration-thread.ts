/** The thread of a CalibrationWorker: opens the version, then measures one share after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { serializeError } from '../../base/errors.js';
import { openExactSearch } from '../../engine/exact-search.js';
import { loadVersion } from '../../retrieve/load/loaded-version.js';
import type { CalibrationCommand, CalibrationWorkerData, CalibrationReply } from './calibration-worker.js';
import { GroupShards } from './group-shards.js';
import { calibrateShare } from './share.js';

const { root, index, version: name, queries } = workerData as CalibrationWorkerData;
const opened = loadVersion(root, index, name).then((version) => new GroupShards(version, queries));
opened.catch(() => undefined); // the first `measure` reports it
const pool = openExactSearch(1);
const stopping = new AbortController();
let working: Promise<unknown> = Promise.resolve();

async function measure(share: number): Promise<CalibrationReply> {
  const options = { pool, signal: stopping.signal, onProgress: () => undefined };
  try {
    return { bands: await calibrateShare(await opened, share, options) };
  } catch (error) {
    return { error: serializeError(error) };
  }
}

async function stop(): Promise<void> {
  stopping.abort();
  await working;
  await pool.close();
  const groups = await opened.catch(() => null);
  await groups?.close();
  groups?.version.close();
  parentPort!.close();
}

parentPort!.on('message', (order: CalibrationCommand) => {
  if (order === 'stop') void stop();
  else working = measure(order).then((reply) => parentPort!.postMessage(reply));
});
