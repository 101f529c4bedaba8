/**
 * Verifies a version: every checksum, every structure, and a probe search. Returns all problems, not only the first.
 */
import { ShortlistError } from '../../base/errors.js';
import { EventLoopYielder } from '../../base/event-loop-yielder.js';
import { findVersionProblems } from '../../version/sealed/verify.js';
import { loadVersion } from './loaded-version.js';
import { probeVectors } from './probe.js';

/** A problem; `file` if one file is to blame. */
interface Problem {
  readonly code: string;
  readonly message: string;
  readonly file?: string;
}

interface VerifyOptions {
  readonly onProgress?: ((bytesDone: number, bytesTotal: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function verifyVersion(
  root: string,
  index: string,
  name: string,
  options: VerifyOptions = {},
): Promise<Problem[]> {
  const problems = await findVersionProblems(root, index, name, options);
  if (problems.length > 0) return problems.map(toProblem);
  try {
    options.signal?.throwIfAborted();
    const version = await loadVersion(root, index, name);
    try {
      for (const { graph } of version.shards) graph.verify();
      await probeVectors(version, new EventLoopYielder(options.signal));
    } finally {
      version.close();
    }
    return [];
  } catch (error) {
    if (!(error instanceof ShortlistError) || options.signal?.aborted === true) throw error;
    return [toProblem(error)];
  }
}

function toProblem({ code, message, details }: ShortlistError): Problem {
  const file = details['file'];
  return { code, message, ...(typeof file === 'string' && { file }) };
}
