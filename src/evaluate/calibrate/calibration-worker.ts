/**
 * A second thread for the calibration of a version whose files are mapped. It opens the version again and measures the
 * shares it is given. More threads would be idle: one share is a third of the work.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { deserializeError, serializeError, ShortlistError, type SerializedError } from '../../base/errors.js';
import type { CalibrationBand } from '../../retrieve/load/calibration.js';
import type { CalibrationQueries } from './calibration-queries.js';

export interface CalibrationWorkerData {
  readonly root: string;
  readonly index: string;
  readonly version: string;
  readonly queries: CalibrationQueries;
}

/** A message to the thread: a share of passing rows to measure, or an order to stop at once. */
export type CalibrationCommand = number | 'stop';
export type CalibrationReply = { readonly bands: CalibrationBand[] } | { readonly error: SerializedError };

export class CalibrationWorker {
  private readonly thread: Worker;
  private readonly ended: Promise<unknown>;

  constructor(place: CalibrationWorkerData) {
    this.thread = new Worker(new URL('./calibration-thread.js', import.meta.url), { workerData: place, execArgv: [] });
    this.ended = once(this.thread, 'exit').catch(() => undefined);
    this.thread.on('error', () => undefined); // `measure` reports it
  }

  /** Measures one share. Call again only after it has ended. */
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

  /** Waits until the thread ends by itself: terminating it inside native code would end the process. */
  async close(): Promise<void> {
    this.thread.postMessage('stop' satisfies CalibrationCommand);
    await this.ended;
  }
}
