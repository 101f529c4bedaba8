/**
 * A second thread for a calibration, of a version whose files are mapped: it opens the version again and measures the
 * shares that it is given. More threads would wait: one share is a third of the work.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { deserializeError, serializeError, ShortlistError, type SerializedError } from '../../base/errors.js';
import type { CalibrationBand } from '../../retrieve/load/calibration.js';
import type { CalibrationQueries } from './calibration-queries.js';

/** Where the version is, and what it is asked. */
export interface CalibrationWorkerData {
  readonly root: string;
  readonly index: string;
  readonly version: string;
  readonly queries: CalibrationQueries;
}

/** What the thread is told: a share of passing rows to measure, or to end, whatever it measures. */
export type CalibrationCommand = number | 'stop';
export type CalibrationReply = { readonly bands: CalibrationBand[] } | { readonly error: SerializedError };

export class CalibrationWorker {
  private readonly thread: Worker;
  private readonly ended: Promise<unknown>;

  constructor(place: CalibrationWorkerData) {
    this.thread = new Worker(new URL('./calibration-thread.js', import.meta.url), { workerData: place, execArgv: [] });
    this.ended = once(this.thread, 'exit').catch(() => undefined);
    this.thread.on('error', () => undefined); // told to whoever waits for a share
  }

  /** One share at a time. */
  measure(share: number): Promise<CalibrationBand[]> {
    return new Promise((resolve, reject) => {
      const fail = (error?: unknown): void => {
        const { code, message, details } = serializeError(error ?? new Error('it exited'));
        reject(new ShortlistError(code, `the second thread of a calibration ended: ${message}`, details));
      };
      const exit = (): void => fail();
      this.thread.once('message', (reply: CalibrationReply) => {
        this.thread.off('error', fail).off('exit', exit);
        if ('error' in reply) reject(deserializeError(reply.error));
        else resolve(reply.bands);
      });
      this.thread.once('error', fail).once('exit', exit);
      this.thread.postMessage(share satisfies CalibrationCommand);
    });
  }

  /** Waits for the thread to end by itself: one that is terminated inside native code takes the process with it. */
  async close(): Promise<void> {
    this.thread.postMessage('stop' satisfies CalibrationCommand);
    await this.ended;
  }
}
