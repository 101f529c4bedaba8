/**
 * A lock of an index between all processes, containers and machines that share the root.
 *
 * Takes a root, an index and work; runs the work while no other process runs work under the same lock. Fails with
 * `index_busy`, naming the owner. Hides claims (lock-file.ts) and when the claim of a dead owner is ignored:
 *
 * - at once if the owner ran under this kernel and process namespace and is gone;
 * - else if its heartbeat has not moved for `staleMs`. Clocks of machines are never compared: either this process saw
 *   no change for that long; or the claim is that much older than a file written now, by the clock of the file system
 *   that holds both, and did not change while this process watched for a few heartbeats.
 *
 * An owner that was suspended for that long may find its lock gone. It calls `assertHeld` before each step that others
 * see, and stops there.
 *
 * Work that fails leaves no folder of an index that did not exist before: its locks are moved away in one step while
 * the lock is held, so that who waits for it finds none and makes the folder again.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ShortlistError } from '../../base/errors.js';
import { basename, join } from 'node:path';
import { attempt, ensureDirectory, removeTree, statIfPresent, temporaryName } from '../disk/durable.js';
import { errnoIn, isMissing, nodeFiles, type FileSystem } from '../disk/files.js';
import { ageOnDisk, claimPath, decodeClaim, isReleased, keepReserve, listGenerations, makeClaim, newClaim, readClaim, sweepClaims, type Claim, type ClaimFile, type LockKind } from './lock-file.js'; // prettier-ignore
import { checkName, indexPath, locksPath, stagingPath } from '../disk/paths.js';
import { currentProcess, livenessOf, type ProcessIdentity } from './process-identity.js';

export type { LockKind } from './lock-file.js';

export interface LockTiming {
  /** Between heartbeats. */
  readonly heartbeatMs: number;
  /** An owner without a heartbeat for this long counts as dead: ten beats, longer than its event loop ever pauses. */
  readonly staleMs: number;
  /** How long a claim that looks stale on disk is watched before it is ignored: a live owner beats twice in it. */
  readonly confirmMs: number;
  /** Between looks at the claim of another. */
  readonly pollMs: number;
}

const LOCK_TIMING: LockTiming = { heartbeatMs: 3_000, staleMs: 30_000, confirmMs: 7_500, pollMs: 200 };

export interface LockOptions {
  /** How long to wait for a live owner; default 0. */
  readonly waitMs?: number | undefined;
  readonly files?: FileSystem | undefined;
  readonly timing?: LockTiming | undefined;
  /** The claimant; default this process. */
  readonly owner?: ProcessIdentity | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whether the claim may use the reserve on a full disk, for work that frees space; default false. */
  readonly usesReserve?: boolean | undefined;
}

export interface Lock {
  /** Fails with `index_busy` if another process has taken the lock over. Call before each step that others see. */
  assertHeld(): Promise<void>;
}

/** @param command what holds the lock, for the message that others get: `shortlist build listings` */
export async function withLock<T>(
  root: string,
  index: string,
  kind: LockKind,
  command: string,
  work: (lock: Lock) => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  const files = options.files ?? nodeFiles;
  checkName('index', index);
  const lock = await acquire({ root, index, kind, command, options, files });
  try {
    return await work(lock);
  } catch (error) {
    await attempt(lock.removeNewFolder());
    throw error;
  } finally {
    await lock.release();
  }
}

const READ_ONLY_ERRNOS = new Set(['EROFS', 'EACCES', 'EPERM']);

/** @returns whether the index has no folder yet */
async function ensureLocksDirectory({ root, index, files }: LockRequest): Promise<boolean> {
  try {
    const isNew = (await statIfPresent(indexPath(root, index), files)) === null;
    await ensureDirectory(locksPath(root, index), files);
    return isNew;
  } catch (error) {
    const errno = errnoIn(error);
    if (errno === null || !READ_ONLY_ERRNOS.has(errno)) throw error;
    const path = indexPath(root, index);
    const message = `${path} cannot be written (${errno}): run this where the root is writable, as a user who may write it`;
    throw new ShortlistError('io_error', message, { file: path, errno }, { cause: error });
  }
}

interface LockRequest {
  readonly root: string;
  readonly index: string;
  readonly kind: LockKind;
  readonly command: string;
  readonly options: LockOptions;
  readonly files: FileSystem;
}

async function acquire(request: LockRequest): Promise<HeldLock> {
  const { kind, options, files } = request;
  const timing = options.timing ?? LOCK_TIMING;
  const owner = options.owner ?? currentProcess();
  const directory = locksPath(request.root, request.index);
  const deadline = performance.now() + (options.waitMs ?? 0);
  let isNewFolder = await ensureLocksDirectory(request);
  let observed: ObservedClaim | null = null;
  for (;;) {
    options.signal?.throwIfAborted();
    const top = (await listGenerations(directory, kind, files)).at(-1) ?? 0;
    observed = await observeClaim(observed, directory, kind, top, files);
    if (observed === null || isFree(observed, owner, timing)) {
      const claim = newClaim(owner, shorten(request.command), new Date());
      const making = makeClaim(directory, kind, top + 1, claim, files, options.usesReserve);
      const file = await making.catch(async (error: unknown) => {
        if (!isMissing(error)) throw error;
        isNewFolder = await ensureLocksDirectory(request); // the last owner removed a folder that it had made
        return null;
      });
      if (file !== null) {
        const lock = new HeldLock(request, directory, top + 1, file, timing, isNewFolder);
        await attempt(sweepClaims(directory, kind, top + 1, timing.staleMs, files));
        return lock;
      }
    } else if (performance.now() > deadline && !looksStale(observed, timing)) {
      throw busyError(request, observed.claim, timing);
    }
    // The abort reason is thrown at the top of the loop, instead of the error of `sleep`.
    await attempt(sleep(timing.pollMs * (0.5 + Math.random() / 2), undefined, { signal: options.signal }));
  }
}

/** A claim as this process has seen it. */
interface ObservedClaim {
  readonly generation: number;
  readonly bytes: Uint8Array;
  readonly claim: Claim | null;
  /** Since when it has not changed. */
  readonly since: number;
  /** How long before `since` the file was last written. */
  readonly ageMs: number;
}

/** Reads the highest claim; null if there is none. @param before what the last call returned */
async function observeClaim(
  before: ObservedClaim | null,
  directory: string,
  kind: LockKind,
  top: number,
  files: FileSystem,
): Promise<ObservedClaim | null> {
  if (top === 0) return null;
  const path = claimPath(directory, kind, top);
  const bytes = await readClaim(path, files);
  // Removed since it was listed, so there is a later claim, and the attempt to make the next one settles who wins.
  if (bytes === null) return null;
  if (before?.generation === top && Buffer.compare(before.bytes, bytes) === 0) return before;
  const ageMs = Math.max(0, await ageOnDisk(directory, path, files).catch(() => 0));
  return { generation: top, bytes, claim: decodeClaim(bytes), since: performance.now(), ageMs };
}

function isFree(observed: ObservedClaim, self: ProcessIdentity, timing: LockTiming): boolean {
  const { claim } = observed;
  if (isReleased(observed.bytes)) return true;
  if (claim !== null && livenessOf(claim.owner, self) === 'gone') return true;
  return performance.now() - observed.since >= timing.confirmMs && looksStale(observed, timing);
}

/** By its age. Until it was watched for `confirmMs`, its owner may still live. */
function looksStale(observed: ObservedClaim, timing: LockTiming): boolean {
  return observed.ageMs + performance.now() - observed.since >= timing.staleMs;
}

class HeldLock implements Lock {
  private readonly timer: NodeJS.Timeout;
  private lastBeatAt = performance.now();

  constructor(
    private readonly request: LockRequest,
    private readonly directory: string,
    private readonly generation: number,
    private readonly claim: ClaimFile,
    private readonly timing: LockTiming,
    /** This process made the folder of the index. */
    private readonly isNewFolder: boolean,
  ) {
    this.timer = setInterval(() => void attempt(this.beat()), timing.heartbeatMs);
    this.timer.unref();
  }

  async assertHeld(): Promise<void> {
    const silentMs = performance.now() - this.lastBeatAt;
    await this.beat();
    // A process that judged by the heartbeat before this one claims the lock within a poll: wait for its claim.
    if (silentMs > this.timing.staleMs / 2) await sleep(this.timing.pollMs * 2);
    const { kind, index, files } = this.request;
    const top = (await listGenerations(this.directory, kind, files)).at(-1) ?? 0;
    if (top === this.generation) return;
    const bytes = top === 0 ? null : await readClaim(claimPath(this.directory, kind, top), files);
    const winner = describeOwner(bytes === null ? null : decodeClaim(bytes));
    const message = `the ${kind} lock of index '${index}' was taken over by ${winner}, since this process sent no heartbeat for too long; run the command again`;
    throw new ShortlistError('index_busy', message, { index, lock: kind });
  }

  /** Removes the folder of the index if this process made it and nothing is in it but this lock. */
  async removeNewFolder(): Promise<void> {
    if (!this.isNewFolder) return;
    const { root, index, kind, files } = this.request;
    const folder = indexPath(root, index);
    await attempt(files.removeDirectory(stagingPath(root, index)));
    const isOther = ({ name }: { readonly name: string }): boolean => name !== basename(this.directory);
    if ((await files.list(folder)).some(isOther)) return;
    const own = [basename(claimPath(this.directory, kind, this.generation)), `reserve.${kind}`];
    if ((await files.list(this.directory)).some(({ name }) => !own.includes(name))) return;
    await this.assertHeld();
    const moved = join(folder, temporaryName());
    await files.rename(this.directory, moved);
    await removeTree(moved, files);
    await files.removeDirectory(folder);
    await attempt(files.syncDirectory(root));
  }

  async release(): Promise<void> {
    clearInterval(this.timer);
    await this.claim.release();
    // The next claimant may find the disk full.
    await attempt(keepReserve(this.directory, this.request.kind, this.request.files));
  }

  private async beat(): Promise<void> {
    await this.claim.beat();
    this.lastBeatAt = performance.now();
  }
}

function busyError(request: LockRequest, claim: Claim | null, timing: LockTiming): ShortlistError {
  const { index, kind } = request;
  const seconds = timing.staleMs / 1000;
  const message =
    `index '${index}' is busy: its ${kind} lock is held by ${describeOwner(claim)}; try again when that has ended ` +
    `(the lock of a dead process becomes free ${seconds} s after its last heartbeat)`;
  const owner = claim && { ...claim.owner, command: claim.command, since: claim.since };
  return new ShortlistError('index_busy', message, { index, lock: kind, owner });
}

function describeOwner(claim: Claim | null): string {
  if (claim === null) return 'a process that is just taking it';
  return `'${claim.command}' (process ${claim.owner.pid} on ${claim.owner.host}, since ${claim.since}, ${ageOf(claim.since)})`;
}

/** `12 min ago`; the clock of the owner may differ. */
function ageOf(since: string): string {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000));
  if (seconds < 120) return `${seconds} s ago`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`;
}

/** Longest command text in a claim, so that a claim stays below MAX_CLAIM_BYTES. */
const MAX_COMMAND_LENGTH = 500;

function shorten(command: string): string {
  return command.length <= MAX_COMMAND_LENGTH ? command : `${command.slice(0, MAX_COMMAND_LENGTH - 3)}...`;
}
