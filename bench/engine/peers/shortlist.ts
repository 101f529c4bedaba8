/** shortlist as users run it: the command line builds, `openIndex(...).search` answers. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { IndexSearchOptions } from '../../../src/index.js';
import { CLI, loadLibrary, PROJECT } from '../../lib/library.js';
import { readRowArrays } from '../../lib/float-file.js';
import { EF_CONSTRUCTION, M, SEED, type BuildJob, type Built, type Peer } from '../peer.js';

export const INDEX = 'bench';

interface BuildAnswer {
  readonly version: string;
  readonly seconds: number;
  readonly bytes: number;
  readonly stages: Readonly<Record<string, number>>;
}

/** Runs `shortlist build`. @param flags more flags, or others for m and ef_construction */
export async function buildShortlist(
  { data, folder, threads }: BuildJob,
  flags: readonly string[] = [],
): Promise<Omit<Built, 'threads'>> {
  const answer = await runCli<BuildAnswer>([
    ...['build', INDEX, '--root', folder, '--input', join(data.folder, 'base.arrow'), '--metric', data.metric],
    ...['--m', String(M), '--ef-construction', String(EF_CONSTRUCTION), '--seed', String(SEED)],
    ...['--threads', String(threads), ...flags],
  ]); // prettier-ignore
  const { version, seconds, bytes, stages } = answer;
  return { version, seconds, bytes, graphSeconds: stages['graph'] ?? NaN };
}

/** @throws Error with the command's own words */
export async function runCli<Answer>(args: readonly string[]): Promise<Answer> {
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args, '--json'], { cwd: PROJECT });
  return JSON.parse(stdout) as Answer;
}

export const shortlist: Peer = {
  build: (job) => buildShortlist(job),

  isRefusal: (error) => error instanceof Error && 'code' in error && error.code === 'recall_unreachable',

  async prepare({ data, folder, built }) {
    const queries = readRowArrays(join(data.folder, 'queries.f32'), data.dim);
    const { openIndex } = await loadLibrary();
    return async () => {
      const index = await openIndex(folder, INDEX, { version: built.version, threads: 1 });
      let ordinals: Uint32Array = new Uint32Array(0);
      return {
        search(query, k, point) {
          ({ ordinals } = index.search(queries[query]!, { ...(point as IndexSearchOptions), k }));
        },
        rows: () => ordinals,
      };
    };
  },
};
