/** A thread of a BatchPool: opens the shards once and runs tasks until it is told to stop. */
import { parentPort, workerData } from 'node:worker_threads';
import { serializeError } from '../../base/errors.js';
import { engineOf } from '../../engine/engines.js';
import { countAllowed } from '../search/allowed-rows.js';
import type { Answer, Candidates } from '../search/answer.js';
import { searchShard, type LocalShards } from '../search/local-shards.js';
import type { ShardPart, ShardSearch } from '../search/needs.js';
import { singleTask, searchNow } from '../search/run-search.js';
import type { SearchPlan } from '../search/search-plan.js';
import type { PackedAnswers } from './packed-answers.js';
import { openShard, type LoadedShard } from '../load/shards.js';
import type { BatchCommand, BatchReply, BatchTask, BatchThreadData, SharedShard } from './batch-pool.js';

const { dim, engine, metric, shards } = workerData as BatchThreadData;
const opened = Promise.all(shards.map(open));
opened.catch(() => undefined); // each task reports it

function open({ graphPath, count, vectors, ordinals }: SharedShard): Promise<LoadedShard> {
  const values =
    'path' in vectors
      ? engineOf(engine.name).mapping!.vectors(vectors.path, vectors.offset, count * dim)
      : new Float32Array(vectors, 0, count * dim);
  return openShard(graphPath, engine, {
    vectors: { metric, dim, count, values },
    ordinals: new Uint32Array(ordinals, 0, count),
  });
}

function locate(): never {
  throw new Error('a search thread has no ids');
}

async function answer({ batch, task, work }: BatchTask): Promise<BatchReply> {
  try {
    const local = { shards: await opened, locate };
    if (work.kind !== 'shards') {
      const search = work.kind === 'packed' ? searchPacked : searchAll;
      return { batch, task, results: search(local, work.queries, work.plan) };
    }
    const { searches, plans } = work;
    const parts = searches.map(({ plan: position, ...search }): ShardPart => {
      const plan = plans[position]!;
      const allowed = countAllowed(plan, search.shard, local.shards[search.shard]!.ordinals.length);
      const planned: ShardSearch = { ...search, allowed, plan, part: null };
      searchShard(local, planned);
      return planned.part!;
    });
    return { batch, task, results: parts.map(copyArrays) };
  } catch (error) {
    return { batch, task, error: serializeError(error) };
  }
}

function searchAll(local: LocalShards, queries: Float32Array, plan: SearchPlan): Answer[] {
  const answers: Answer[] = [];
  for (let from = 0; from < queries.length; from += dim) {
    answers.push(copyArrays(searchNow(local, singleTask(queries.subarray(from, from + dim), plan))));
  }
  return answers;
}

function searchPacked(local: LocalShards, queries: Float32Array, plan: SearchPlan): PackedAnswers {
  const count = queries.length / dim;
  const counts = new Uint32Array(count);
  const ordinals = new Uint32Array(count * plan.k);
  const scores = new Float32Array(count * plan.k);
  let end = 0;
  for (let i = 0; i < count; i++) {
    const found = searchNow(local, singleTask(queries.subarray(i * dim, (i + 1) * dim), plan));
    ordinals.set(found.ordinals, end);
    scores.set(found.scores, end);
    counts[i] = found.ordinals.length;
    end += counts[i]!;
  }
  return { counts, ordinals: ordinals.subarray(0, end), scores: scores.subarray(0, end) };
}

/** The arrays of packed answers are given away, not copied. */
function transferOf(reply: BatchReply): ArrayBuffer[] {
  if (!('results' in reply) || !('counts' in reply.results)) return [];
  const { counts, ordinals, scores } = reply.results;
  return [counts, ordinals, scores].map((array) => array.buffer as ArrayBuffer);
}

/** Copies the arrays, so that only the used part is sent. */
function copyArrays<T extends Candidates>(found: T): T {
  return { ...found, ordinals: found.ordinals.slice(), scores: found.scores.slice() };
}

/** Closes the graphs and the port, so that the thread ends once no native code runs on it. */
async function stop(): Promise<void> {
  const loaded = await opened.catch(() => []);
  for (const shard of loaded) shard.graph.close();
  parentPort!.close();
}

parentPort!.on('message', (order: BatchCommand) => {
  if (order === 'stop') void stop();
  else void answer(order).then((reply) => parentPort!.postMessage(reply, transferOf(reply)));
});
