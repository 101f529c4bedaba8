/**
 * Inputs that are partitioned by shard already: `shard=7/part-0.parquet` has rows of shard 7 only, so that one task
 * reads it. The tasks check every row.
 */
import { basename, dirname } from 'node:path';
import { ShortlistError } from '../../base/errors.js';

const FOLDER = /^shard=(\d{1,3})$/;

/** For each file, the shard that its folder names. @throws usage naming a file without one */
export function partitionsOf(paths: readonly string[], shards: number): number[] {
  return paths.map((path) => {
    for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
      const named = FOLDER.exec(basename(folder))?.[1];
      if (named === undefined) continue;
      if (Number(named) < shards) return Number(named);
      throw new ShortlistError('usage', `${path} is in shard=${named}, but --shards is ${shards}`, { file: path });
    }
    const message = `${path} is in no folder shard=0 to shard=${shards - 1}, which --partitioned asks for`;
    throw new ShortlistError('usage', message, { file: path });
  });
}
