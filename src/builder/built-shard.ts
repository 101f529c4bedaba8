/** The files of one shard while it is built: where its vectors are, and a probe of its graph. */
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import type { Metric } from '../base/metric.js';
import { engineOf } from '../engine/engines.js';
import { probeShard } from '../retrieve/load/probe.js';
import { openShard, type EngineSettings } from '../retrieve/load/shards.js';
import type { FileSystem } from '../version/disk/files.js';
import { SectionFile } from '../version/disk/section-file.js';
import { readVectors } from '../version/sealed/version-reader.js';
import type { GraphJob } from './graphs.js';

export function locateVectors(path: string, files: FileSystem): Promise<GraphJob['vectors']> {
  return SectionFile.use(path, 'shard', files, (file) => Promise.resolve({ path, offset: file.offset('vectors') }));
}

interface ProbedShard {
  readonly vectorsPath: string;
  /** Null for a shard without rows. */
  readonly graphPath: string | null;
  readonly engine: EngineSettings;
  readonly metric: Metric;
  readonly dim: number;
  /** For the message. */
  readonly name: string;
}

/** A probe asks for rows, not for ordinals. */
const NO_ORDINALS = new Uint32Array(0);

/** Opens a shard as a server would, and searches known rows. @throws probe_failed, file_corrupt */
export async function probeBuilt(shard: ProbedShard, files: FileSystem, turns: EventLoopYielder): Promise<void> {
  const { vectorsPath, graphPath, engine, metric, dim, name } = shard;
  const { mapping } = engineOf(engine.name);
  const { count, vectors: values } = await readVectors(vectorsPath, dim, files, mapping?.vectors);
  const vectors = { metric, dim, count, values };
  const opened = await openShard(graphPath, engine, { vectors, ordinals: NO_ORDINALS });
  try {
    await probeShard(opened, name, turns);
  } finally {
    opened.graph.close();
  }
}
