/** The thread of hash-files.ts: hashes the given files and posts one HashMessage. */
import { parentPort, workerData } from 'node:worker_threads';
import { serializeError } from '../base/errors.js';
import { hashFiles, type HashMessage } from './hash-files.js';

async function run(): Promise<HashMessage> {
  try {
    return { hashes: await hashFiles(workerData as string[]) };
  } catch (error) {
    return { error: serializeError(error) };
  }
}

parentPort?.postMessage(await run());
