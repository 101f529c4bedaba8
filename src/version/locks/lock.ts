/**
 * A lock of an index that holds between processes, containers and machines which share the root.
 *
 * Takes a root, an index and work to do; runs the work while no other process runs work under the same lock. Fails
 * with `index_busy`, naming the owner. Hides claims (lock-file.ts) and the rules by which a dead owner's claim is
 * passed over:
 *
 * - the owner ran under this kernel and process namespace, and is gone: at once;
 * - its heartbeat has not moved for STALE_MS. Clocks of machines are never compared: either this process saw no
 *   change for that long, or the claim is that much older than a file written now, by the clock of the file system
 *   that holds both, and no change came while this process watched for a few heartbeats.
 *
 * An owner that was suspended for that long may wake and find its lock gone: it asks `assertHeld` before each step that
 * others see, and stops there.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ShortlistError } from '../../base/errors.js';
import { attempt, ensureDirectory } from '../disk/durable.js';
import { errnoIn, nodeFiles, type FileSystem } from '../disk/files.js';
import { ageOnDisk, claimPath, decodeClaim, isReleased, keepReserve, listGenerations, makeClaim, newClaim, readClaim, sweepClaims, type Claim, type ClaimFile, type LockKind } from './lock-file.js'; // prettier-ignore
import { checkName, indexPath, locksPath } from '../disk/paths.js';
import { currentProcess, livenessOf, type ProcessIdentity } from './process-identity.js';

export type { LockKind } from './lock-file.js';

export interface LockTiming {
  /** Between heartbeats. */
  readonly heartbeatMs: number;
  /**
   * Without a heartbeat for this long an owner counts as dead: ten lost ones, so a long pause of its event loop is no
   * death.
   */
  readonly staleMs: number;
  /** How long a claim that looks stale on disk is watched before it is passed over: a live owner beats twice in it. */
  readonly confirmMs: number;
  /** Between looks at a claim that is waited for. */
  readonly pollMs: number;
}

const LOCK_TIMING: LockTiming = { heartbeatMs: 3_000, staleMs: 30_000, confirmMs: 7_500, pollMs: 200 };

export interface LockOptions {
  /** How long to wait for an owner that lives; default 0. */
  readonly waitMs?: number | undefined;
  readonly files?: FileSystem | undefined;
  readonly timing?: LockTiming | undefined;
  /** Who claims; default this process. */
  readonly owner?: ProcessIdentity | undefined;
  readonly signal?: AbortSignal | undefined;
  /** On a full disk the claim may take what is kept for work that makes room; default false. */
  readonly usesReserve?: boolean | undefined;
}

export interface Lock {
  /** Fails with `index_busy` where another process has taken the lock over. Ask before each step that others see. */
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
  await prepare(root, index, files);
  const held = await acquire({ root, index, kind, command, options, files });
  try {
    return await work(held);
  } finally {
    await held.release();
  }
}

const READ_ONLY = new Set(['EROFS', 'EACCES', 'EPERM']);

async function prepare(root: string, index: string, files: FileSystem): Promise<void> {
  try {
    await ensureDirectory(locksPath(root, index), files);
  } catch (error) {
    const errno = errnoIn(error);
    if (errno === null || !READ_ONLY.has(errno)) throw error;
    const path = indexPath(root, index);
    const message = `${path} cannot be written (${errno}): run this where the root is writable, as a user who may write it`;
    throw new ShortlistError('io_error', message, { file: path, errno }, { cause: error });
  }
}

interface Request {
  readonly root: string;
  readonly index: string;
  readonly kind: LockKind;
  readonly command: string;
  readonly options: LockOptions;
  readonly files: FileSystem;
}

async function acquire(request: Request): Promise<HeldLock> {
  const { kind, options, files } = request;
  const timing = options.timing ?? LOCK_TIMING;
  const owner = options.owner ?? currentProcess();
  const directory = locksPath(request.root, request.index);
  const giveUpAt = performance.now() + (options.waitMs ?? 0);
  let watch: Watch | null = null;
  for (;;) {
    options.signal?.throwIfAborted();
    const top = (await listGenerations(directory, kind, files)).at(-1) ?? 0;
    watch = await look(watch, directory, kind, top, files);
    if (watch === null || isFree(watch, owner, timing)) {
      const claim = newClaim(owner, shorten(request.command), new Date());
      const file = await makeClaim(directory, kind, top + 1, claim, files, options.usesReserve);
      if (file !== null) return hold(request, directory, top + 1, file, timing);
    } else if (performance.now() > giveUpAt && !isSuspect(watch, timing)) {
      throw busy(request, watch.claim, timing);
    }
    // What the signal is aborted with is thrown at the top of the loop, and not sleep's own error.
    await attempt(sleep(timing.pollMs * (0.5 + Math.random() / 2), undefined, { signal: options.signal }));
  }
}

/** A claim as this process has seen it, and since when it has not changed. */
interface Watch {
  readonly generation: number;
  readonly bytes: Uint8Array;
  readonly claim: Claim | null;
  readonly since: number;
  /** How long before `since` the file was written last. */
  readonly ageMs: number;
}

/** Looks at the highest claim; null where there is none. */
async function look(
  before: Watch | null,
  directory: string,
  kind: LockKind,
  top: number,
  files: FileSystem,
): Promise<Watch | null> {
  if (top === 0) return null;
  const path = claimPath(directory, kind, top);
  const bytes = await readClaim(path, files);
  // Removed since it was listed: a later claim has come, so this one is passed over and the next number is lost or won.
  if (bytes === null) return null;
  if (before?.generation === top && Buffer.compare(before.bytes, bytes) === 0) return before;
  const ageMs = Math.max(0, await ageOnDisk(directory, path, files).catch(() => 0));
  return { generation: top, bytes, claim: decodeClaim(bytes), since: performance.now(), ageMs };
}

function isFree(watch: Watch, self: ProcessIdentity, timing: LockTiming): boolean {
  const { claim } = watch;
  if (isReleased(watch.bytes)) return true;
  if (claim !== null && livenessOf(claim.owner, self) === 'gone') return true;
  const unchangedMs = performance.now() - watch.since;
  return unchangedMs >= timing.confirmMs && watch.ageMs + unchangedMs >= timing.staleMs;
}

/** Looks stale on disk, and was not watched long enough to be sure. */
function isSuspect(watch: Watch, timing: LockTiming): boolean {
  return watch.ageMs + performance.now() - watch.since >= timing.staleMs;
}

async function hold(
  request: Request,
  directory: string,
  generation: number,
  claim: ClaimFile,
  timing: LockTiming,
): Promise<HeldLock> {
  const held = new HeldLock(request, directory, generation, claim, timing);
  await attempt(sweepClaims(directory, request.kind, generation, timing.staleMs, request.files));
  return held;
}

class HeldLock implements Lock {
  private readonly request: Request;
  private readonly directory: string;
  private readonly generation: number;
  private readonly claim: ClaimFile;
  private readonly timing: LockTiming;
  private readonly timer: NodeJS.Timeout;
  private lastBeatAt = performance.now();

  constructor(request: Request, directory: string, generation: number, claim: ClaimFile, timing: LockTiming) {
    this.request = request;
    this.directory = directory;
    this.generation = generation;
    this.claim = claim;
    this.timing = timing;
    this.timer = setInterval(() => void attempt(this.beat()), timing.heartbeatMs);
    this.timer.unref();
  }

  async assertHeld(): Promise<void> {
    const silentMs = performance.now() - this.lastBeatAt;
    await this.beat();
    // Someone who judged by the last heartbeat but one makes the next claim within a poll: let it appear.
    if (silentMs > this.timing.staleMs / 2) await sleep(this.timing.pollMs * 2);
    const { kind, index, files } = this.request;
    const top = (await listGenerations(this.directory, kind, files)).at(-1) ?? 0;
    if (top === this.generation) return;
    const bytes = top === 0 ? null : await readClaim(claimPath(this.directory, kind, top), files);
    const winner = describe(bytes === null ? null : decodeClaim(bytes));
    const message = `the ${kind} lock of index '${index}' was taken over by ${winner}, since this process was silent for too long; run it again`;
    throw new ShortlistError('index_busy', message, { index, lock: kind });
  }

  async release(): Promise<void> {
    clearInterval(this.timer);
    await this.claim.release();
    // Whoever comes next may have no room for it.
    await attempt(keepReserve(this.directory, this.request.kind, this.request.files));
  }

  private async beat(): Promise<void> {
    await this.claim.beat();
    this.lastBeatAt = performance.now();
  }
}

function busy(request: Request, claim: Claim | null, timing: LockTiming): ShortlistError {
  const { index, kind } = request;
  const seconds = timing.staleMs / 1000;
  const message =
    `index '${index}' is busy: its ${kind} lock is held by ${describe(claim)}; try again when that has ended ` +
    `(the lock of a dead process frees itself ${seconds} s after its last heartbeat)`;
  const owner = claim && { ...claim.owner, command: claim.command, since: claim.since };
  return new ShortlistError('index_busy', message, { index, lock: kind, owner });
}

function describe(claim: Claim | null): string {
  if (claim === null) return 'a process that is just taking it';
  return `'${claim.command}' (process ${claim.owner.pid} on ${claim.owner.host}, since ${claim.since})`;
}

/** Longest command text in a claim; a claim stays below MAX_CLAIM_BYTES. */
const MAX_COMMAND_LENGTH = 500;

function shorten(command: string): string {
  return command.length <= MAX_COMMAND_LENGTH ? command : `${command.slice(0, MAX_COMMAND_LENGTH - 3)}...`;
}
