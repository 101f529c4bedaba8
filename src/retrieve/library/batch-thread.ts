/** The thread behind BatchPool: opens the graphs of one version, then answers one task after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { serializeError } from '../../base/errors.js';
import { engineOf } from '../../engine/engines.js';
import type { BatchOrder, BatchReply, BatchTask, BatchThreadData, SharedShard } from './batch-pool.js';
import type { Answer } from '../search/answer.js';
import { runShards } from '../search/shard-search.js';
import { openShard, type LoadedShard } from '../load/shards.js';

const { dim, metric, engine, shards } = workerData as BatchThreadData;
const opened = Promise.all(shards.map(open));
opened.catch(() => undefined); // told to each task that asks

function open({ graphPath, count, vectors, ordinals }: SharedShard): Promise<LoadedShard> {
  const values =
    'path' in vectors
      ? engineOf(engine.name).mapVectors!(vectors.path, vectors.offset, count * dim)
      : new Float32Array(vectors, 0, count * dim);
  return openShard(graphPath, engine, {
    vectors: { metric, dim, count, values },
    ordinals: new Uint32Array(ordinals, 0, count),
  });
}

async function answer({ batch, task, queries, plan }: BatchTask): Promise<BatchReply> {
  try {
    return { batch, task, answers: searchAll(await opened, queries, plan) };
  } catch (error) {
    return { batch, task, error: serializeError(error) };
  }
}

function searchAll(loaded: readonly LoadedShard[], queries: Float32Array, plan: BatchTask['plan']): Answer[] {
  const answers: Answer[] = [];
  for (let from = 0; from < queries.length; from += dim) {
    const found = runShards(loaded, queries.subarray(from, from + dim), plan);
    answers.push({ ...found, ordinals: found.ordinals.slice(), scores: found.scores.slice() });
  }
  return answers;
}

/** Lets go of the graphs and of the port, so that the thread ends when nothing native runs on it any more. */
async function stop(): Promise<void> {
  const loaded = await opened.catch(() => []);
  for (const shard of loaded) shard.graph.close();
  parentPort!.close();
}

parentPort!.on('message', (order: BatchOrder) => {
  if (order === 'stop') void stop();
  else void answer(order).then((reply) => parentPort!.postMessage(reply));
});
