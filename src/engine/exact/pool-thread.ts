/** A thread of the pool: scans its tasks one after the other. An exception ends the thread, which the pool notices. */
import { parentPort } from 'node:worker_threads';
import { Bitset } from '../../base/bitset.js';
import type { PoolReply, PoolRequest } from './pool-task.js';
import { scan } from './scan.js';

const port = parentPort;
if (port === null) throw new Error('pool-thread runs as a worker thread only');

port.on('message', ({ id, task }: PoolRequest) => {
  const { metric, dim, count } = task;
  const values = new Float32Array(task.memory, task.memoryOffset, count * dim);
  const allow = task.allow && new Bitset(count, task.allow);
  const options = { k: task.k, allow };
  const answers = scan(
    { metric, dim, count, values },
    task.queries,
    task.queryCount,
    options,
    task.fromRow,
    task.toRow,
  );
  const reply: PoolReply = { id, answers };
  const moved = answers.flatMap(({ rows, scores }) => [rows.buffer as ArrayBuffer, scores.buffer as ArrayBuffer]);
  port.postMessage(reply, moved);
});
