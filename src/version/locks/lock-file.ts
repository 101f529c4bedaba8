/**
 * The claims on a lock, as files. Each claim is a file `locks/<kind>.<generation>`; the highest generation holds the
 * lock.
 *
 * link(2) makes a claim appear whole or not at all, and for one claimant only. The holder of a claim does not remove
 * it: it marks it as released, and the next claimant makes the next generation and removes those below its own. So the
 * highest number only grows, and a slow claimant that takes a removed number sees a higher one and has lost. No process
 * renames or overwrites the claim of another, so there is nothing to race for.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import { attempt, closing, listIfPresent, readSmallFile, replaceFile, statIfPresent, TEMPORARY_PREFIX, temporaryName } from '../disk/durable.js'; // prettier-ignore
import { FieldError, Fields } from '../disk/fields.js';
import { errnoIn, isMissing, type FileSystem, type OpenFile } from '../disk/files.js';
import type { ProcessIdentity } from './process-identity.js';
import { sealJson, unsealJson } from '../disk/sealed-json.js';

/**
 * `build` is held during a build, `pull` while a version is fetched from an object store, `publish` only while CURRENT,
 * HISTORY, aliases or the set of versions change.
 */
export type LockKind = 'build' | 'publish' | 'pull';

/** What a claim says about its owner. */
export interface Claim {
  readonly owner: ProcessIdentity;
  /** Distinguishes the claims of one process. */
  readonly token: string;
  /** The command that holds the lock, for people. */
  readonly command: string;
  readonly since: string;
}

/** One block of every common file system. A claim in the reserve fills it. */
const RESERVE_BYTES = 4096;

/** Longest claim: a command of 500 characters takes at most 3 KB. */
const MAX_CLAIM_BYTES = 16 * 1024;

export function newClaim(owner: ProcessIdentity, command: string, now: Date): Claim {
  return { owner, token: randomUUID(), command, since: now.toISOString() };
}

export function claimPath(directory: string, kind: LockKind, generation: number): string {
  return join(directory, `${kind}.${generation}`);
}

/** Space for one claim on a full disk, for work that frees space. */
function reservePath(directory: string, kind: LockKind): string {
  return join(directory, `reserve.${kind}`);
}

/** Makes the reserve if there is none and the disk has space. */
export async function keepReserve(directory: string, kind: LockKind, files: FileSystem): Promise<void> {
  const path = reservePath(directory, kind);
  if ((await statIfPresent(path, files)) === null) await replaceFile(path, new Uint8Array(RESERVE_BYTES), files);
}

/**
 * A claim is a sealed document and one line of fixed length: a heartbeat counter, or `released`. Only this line is
 * rewritten, in place, so that a torn write leaves the owner readable.
 */
function encodeClaim(claim: Claim): Uint8Array {
  const { owner, token, command, since } = claim;
  const { host, bootId: boot_id, pidNamespace: pid_namespace, pid, started } = owner;
  return Buffer.from(sealJson({ format: 1, host, boot_id, pid_namespace, pid, started, token, command, since }));
}

/** 10^12 heartbeats of 3 s are 95,000 years. */
const COUNTER_DIGITS = 12;
const STATUS_BYTES = COUNTER_DIGITS + 1;

function encodeStatus(beat: number | 'released'): Uint8Array {
  const text = beat === 'released' ? beat.padEnd(COUNTER_DIGITS) : String(beat).padStart(COUNTER_DIGITS, '0');
  return Buffer.from(`${text}\n`);
}

export function isReleased(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes.subarray(-STATUS_BYTES), encodeStatus('released')) === 0;
}

/** The claim in these bytes; null if they are damaged. */
export function decodeClaim(bytes: Uint8Array): Claim | null {
  const document = unsealJson(bytes.subarray(0, -STATUS_BYTES));
  if (document === null) return null;
  try {
    return checkClaim(new Fields(document));
  } catch (error) {
    if (error instanceof FieldError) return null;
    throw error;
  }
}

function checkClaim(fields: Fields): Claim {
  return {
    owner: {
      host: fields.text('host'),
      bootId: fields.textOrNull('boot_id'),
      pidNamespace: fields.textOrNull('pid_namespace'),
      pid: fields.integer('pid', 1),
      started: fields.textOrNull('started'),
    },
    token: fields.text('token'),
    command: fields.text('command').trimEnd(),
    since: fields.instant('since'),
  };
}

/** A claim that was won. Its file stays open, so that the owner never writes to a later claim. */
export class ClaimFile {
  private beats = 0;
  /** Writes follow each other. */
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly file: OpenFile,
    private readonly statusAt: number,
  ) {}

  beat(): Promise<void> {
    return this.write(encodeStatus(++this.beats));
  }

  async release(): Promise<void> {
    await attempt(this.write(encodeStatus('released')));
    await attempt(this.file.close());
  }

  /** For a claim that was not won. */
  drop(): Promise<void> {
    return attempt(this.file.close());
  }

  private write(status: Uint8Array): Promise<void> {
    const written = this.writing.then(async () => {
      await this.file.writeAt(status, this.statusAt);
      // Network file systems keep writes back until a sync.
      await this.file.sync();
    });
    this.writing = written.catch(() => undefined);
    return written;
  }
}

/** Generations that have a claim, ascending. */
export async function listGenerations(directory: string, kind: LockKind, files: FileSystem): Promise<number[]> {
  const names = (await listIfPresent(directory, files)).map((entry) => entry.name);
  const found = names.filter((name) => name.startsWith(`${kind}.`)).map((name) => Number(name.slice(kind.length + 1)));
  return found.filter((generation) => Number.isSafeInteger(generation) && generation > 0).sort((a, b) => a - b);
}

/** The bytes of a claim with its status; null if a later claimant has removed it. */
export function readClaim(path: string, files: FileSystem): Promise<Uint8Array | null> {
  return readSmallFile(path, MAX_CLAIM_BYTES, files);
}

/** Makes the claim of a generation that is higher than any seen. @returns null if another claimant was faster */
export async function makeClaim(
  directory: string,
  kind: LockKind,
  generation: number,
  claim: Claim,
  files: FileSystem,
  usesReserve = false,
): Promise<ClaimFile | null> {
  const temporary = join(directory, temporaryName());
  let file: ClaimFile | null = null;
  let won = false;
  try {
    file = await writeClaim(temporary, claim, files).catch(async (error: unknown) => {
      if (!usesReserve || !(error instanceof ShortlistError) || error.code !== 'disk_full') throw error;
      return writeReservedClaim(temporary, reservePath(directory, kind), claim, files, error);
    });
    const path = claimPath(directory, kind, generation);
    won = (await linkClaim(temporary, path, files)) && (await keepIfHighest(directory, kind, generation, files));
    return won ? file : null;
  } finally {
    await attempt(files.removeFile(temporary));
    if (!won && file !== null) await file.drop();
  }
}

async function writeClaim(path: string, claim: Claim, files: FileSystem): Promise<ClaimFile> {
  const file = await files.open(path, 'create');
  try {
    const text = encodeClaim(claim);
    await file.write(Buffer.concat([text, encodeStatus(0)]));
    // The claim must be whole before others see it, on other machines too.
    await file.sync();
    return new ClaimFile(file, text.length);
  } catch (error) {
    await attempt(file.close());
    await attempt(files.removeFile(path));
    throw error;
  }
}

/** On a full disk: the claim overwrites the reserve, which has its block already, and is padded to its length. */
async function writeReservedClaim(
  path: string,
  reserve: string,
  claim: Claim,
  files: FileSystem,
  full: ShortlistError,
): Promise<ClaimFile> {
  await files.rename(reserve, path).catch((error: unknown) => {
    throw isMissing(error) ? full : error;
  });
  const file = await files.open(path, 'change');
  try {
    const spaces = RESERVE_BYTES - STATUS_BYTES - encodeClaim(claim).length;
    const text = encodeClaim({ ...claim, command: claim.command + ' '.repeat(spaces) });
    await file.writeAt(Buffer.concat([text, encodeStatus(0)]), 0);
    await file.sync();
    return new ClaimFile(file, text.length);
  } catch (error) {
    await attempt(file.close());
    throw error;
  }
}

async function linkClaim(from: string, to: string, files: FileSystem): Promise<boolean> {
  try {
    await files.link(from, to);
    return true;
  } catch (error) {
    if (errnoIn(error) === 'EEXIST') return false;
    throw error;
  }
}

/** A slow process can claim a number that was used and removed. A higher claim then shows that it has lost. */
async function keepIfHighest(directory: string, kind: LockKind, claimed: number, files: FileSystem): Promise<boolean> {
  let keep = false;
  try {
    keep = (await listGenerations(directory, kind, files)).at(-1) === claimed;
  } finally {
    if (!keep) await attempt(files.removeFile(claimPath(directory, kind, claimed)));
  }
  return keep;
}

/** Removes claims below `generation`, and temporary files of claimants that died more than `olderMs` ago. */
export async function sweepClaims(
  directory: string,
  kind: LockKind,
  generation: number,
  olderMs: number,
  files: FileSystem,
): Promise<void> {
  for (const old of await listGenerations(directory, kind, files)) {
    if (old < generation) await attempt(files.removeFile(claimPath(directory, kind, old)));
  }
  const { mtimeMs } = await files.stat(claimPath(directory, kind, generation));
  for (const { name } of await files.list(directory)) {
    if (!name.startsWith(TEMPORARY_PREFIX)) continue;
    await attempt(removeIfOlder(join(directory, name), mtimeMs - olderMs, files));
  }
}

async function removeIfOlder(path: string, mtimeMs: number, files: FileSystem): Promise<void> {
  if ((await files.stat(path)).mtimeMs < mtimeMs) await files.removeFile(path);
}

/** Age in ms of the file at `path` against a file written now, by the one clock of the file system that holds both. */
export async function ageOnDisk(directory: string, path: string, files: FileSystem): Promise<number> {
  const temporary = join(directory, temporaryName());
  const file = await files.open(temporary, 'create');
  try {
    const now = await closing(file, async () => {
      await file.write(new Uint8Array(1));
      return (await file.stat()).mtimeMs;
    });
    return now - (await files.stat(path)).mtimeMs;
  } finally {
    await attempt(files.removeFile(temporary));
  }
}
