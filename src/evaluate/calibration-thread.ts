/** The thread behind CalibrationLane: opens the version, then measures one share after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { serializeError } from '../base/errors.js';
import { loadVersion } from '../retrieve/loaded-version.js';
import type { LaneOrder, LanePlace, LaneReply } from './calibration-lane.js';
import { calibrateShare, type Share } from './calibration-share.js';
import { scanCodes } from './calibration-truth.js';

const { root, index, version: name } = workerData as LanePlace;
const opened = loadVersion(root, index, name);
opened.catch(() => undefined); // told with the first share
const stopping = new AbortController();
let working: Promise<unknown> = Promise.resolve();

async function measure(share: Share): Promise<LaneReply> {
  const options = { findTruth: scanCodes, signal: stopping.signal, onProgress: () => undefined };
  try {
    return { bands: await calibrateShare(await opened, share, options) };
  } catch (error) {
    return { error: serializeError(error) };
  }
}

async function stop(): Promise<void> {
  stopping.abort();
  await working;
  await opened.then((version) => version.close()).catch(() => undefined);
  parentPort!.close();
}

parentPort!.on('message', (order: LaneOrder) => {
  if (order === 'stop') void stop();
  else working = measure(order).then((reply) => parentPort!.postMessage(reply));
});
