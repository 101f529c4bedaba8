/**
 * What every change of the published state has in common: it holds the publish lock, checks before each step that
 * others see that it still holds it, and has a dry run, which computes everything and writes nothing, not even the
 * lock.
 */
import { requireIndex } from './catalog.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import { withLock, type LockOptions } from '../locks/lock.js';
import { MAX_REASON_LENGTH, MAX_WHO_LENGTH } from './state.js';

export interface ChangeOptions {
  /** Check and compute everything, but change nothing. */
  readonly dryRun?: boolean | undefined;
  /** Why, for HISTORY. */
  readonly reason?: string | undefined;
  /** Who wants it, for HISTORY. */
  readonly who?: string | undefined;
  readonly files?: FileSystem | undefined;
  readonly now?: (() => Date) | undefined;
  /** Aborting it stops the change before the first step that others see; after that, the change is completed. */
  readonly signal?: AbortSignal | undefined;
  readonly lock?: Omit<LockOptions, 'files' | 'signal'> | undefined;
}

export interface Change {
  readonly root: string;
  readonly index: string;
  readonly files: FileSystem;
  readonly now: () => Date;
  readonly reason: string | null;
  readonly who: string | null;
  readonly signal: AbortSignal | undefined;
  /** Runs a step that changes what others see, unless this is a dry run. */
  readonly commit: (step: () => Promise<void>) => Promise<void>;
}

/** As HISTORY keeps them. */
export function reasonOf({ reason, who }: Pick<ChangeOptions, 'reason' | 'who'>): Pick<Change, 'reason' | 'who'> {
  return { reason: reason?.slice(0, MAX_REASON_LENGTH) ?? null, who: who?.slice(0, MAX_WHO_LENGTH) ?? null };
}

/** A publish writes two small files: waiting longer than this means that a process is stuck. */
const WAIT_FOR_LOCK_MS = 10_000;

export async function changeIndex<T>(
  root: string,
  index: string,
  command: string,
  options: ChangeOptions,
  work: (change: Change) => Promise<T>,
): Promise<T> {
  const files = options.files ?? nodeFiles;
  const now = options.now ?? (() => new Date());
  const { reason, who } = reasonOf(options);
  await requireIndex(root, index, files);
  const { signal } = options;
  const base = { root, index, files, now, reason, who, signal };
  if (options.dryRun === true) return work({ ...base, commit: () => Promise.resolve() });
  const lockOptions = { waitMs: WAIT_FOR_LOCK_MS, ...options.lock, files, signal };
  return withLock(root, index, 'publish', `shortlist ${command} ${index}`, async (lock) => {
    const commit = async (step: () => Promise<void>): Promise<void> => {
      await lock.assertHeld();
      await step();
    };
    return work({ ...base, commit });
  }, lockOptions); // prettier-ignore
}
