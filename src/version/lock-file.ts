/**
 * The claims on a lock, as files. Each claim is a file `locks/<kind>.<generation>`; the highest generation holds the lock.
 *
 * link(2) makes a claim appear whole or not at all, and for one claimant only. A claim is never taken back by removing it:
 * its holder marks it released, and the next claimant makes the next generation and removes the ones below its own. So the
 * highest number only ever grows, and a slow claimant that takes a number which was removed already sees a higher one and
 * has lost. No claim is ever renamed or overwritten by another process, which leaves nothing to race for.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { attempt, closing, listIfPresent, readSmallFile, TEMPORARY_PREFIX, temporaryName } from './durable.js';
import { FieldError, Fields } from './fields.js';
import { errnoIn, type FileSystem, type OpenFile } from './files.js';
import type { ProcessIdentity } from './process-identity.js';
import { sealJson, unsealJson } from './sealed-json.js';

/** `build` is held while a version is built, `publish` only while CURRENT, HISTORY, aliases or versions change hands. */
export type LockKind = 'build' | 'publish';

/** What a claim says of its owner. */
export interface Claim {
  readonly state: 'held' | 'released';
  readonly owner: ProcessIdentity;
  /** Tells the claims of one process apart. */
  readonly token: string;
  /** The command that holds the lock, for people. */
  readonly command: string;
  readonly since: string;
  /** Grows with every heartbeat. */
  readonly beat: number;
}

export const MAX_CLAIM_BYTES = 64 * 1024;

/** The heartbeat is written in place, so every text of a claim has the same length. 10^12 beats of 3 s are 95,000 years. */
const BEAT_DIGITS = 12;
const STATE_WIDTH = 'released'.length;

export function newClaim(owner: ProcessIdentity, command: string, now: Date): Claim {
  return { state: 'held', owner, token: randomUUID(), command, since: now.toISOString(), beat: 0 };
}

export function claimPath(directory: string, kind: LockKind, generation: number): string {
  return join(directory, `${kind}.${generation}`);
}

export function encodeClaim(claim: Claim): Uint8Array {
  const { owner } = claim;
  return Buffer.from(
    sealJson({
      format: 1,
      state: claim.state.padEnd(STATE_WIDTH),
      host: owner.host,
      boot_id: owner.bootId,
      pid_namespace: owner.pidNamespace,
      pid: owner.pid,
      started: owner.started,
      token: claim.token,
      command: claim.command,
      since: claim.since,
      beat: String(claim.beat).padStart(BEAT_DIGITS, '0'),
    }),
  );
}

/** The claim in these bytes; null while its owner is in the middle of writing it, or where it is damaged. */
export function decodeClaim(bytes: Uint8Array): Claim | null {
  const document = unsealJson(bytes);
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
    state: fields.text('state').trim() === 'released' ? 'released' : 'held',
    owner: {
      host: fields.text('host'),
      bootId: fields.textOrNull('boot_id'),
      pidNamespace: fields.textOrNull('pid_namespace'),
      pid: fields.integer('pid', 1),
      started: fields.textOrNull('started'),
    },
    token: fields.text('token'),
    command: fields.text('command'),
    since: fields.instant('since'),
    beat: Number(fields.text('beat', /^\d{12}$/)),
  };
}

/** Generations that have a claim, ascending. */
export async function listGenerations(directory: string, kind: LockKind, files: FileSystem): Promise<number[]> {
  const names = (await listIfPresent(directory, files)).map((entry) => entry.name);
  const found = names.filter((name) => name.startsWith(`${kind}.`)).map((name) => Number(name.slice(kind.length + 1)));
  return found.filter((generation) => Number.isSafeInteger(generation) && generation > 0).sort((a, b) => a - b);
}

/** The bytes of a claim, or null where a later one has removed it. */
export function readClaim(path: string, files: FileSystem): Promise<Uint8Array | null> {
  return readSmallFile(path, MAX_CLAIM_BYTES, files);
}

/**
 * Makes the claim of one generation, which must be higher than any that was seen.
 * @returns the claim's file, open for its heartbeat; null where another claimant was faster
 */
export async function makeClaim(
  directory: string,
  kind: LockKind,
  generation: number,
  claim: Claim,
  files: FileSystem,
): Promise<OpenFile | null> {
  const temporary = join(directory, temporaryName());
  const file = await files.open(temporary, 'create');
  let won = false;
  try {
    await file.writeAt(encodeClaim(claim), 0);
    const path = claimPath(directory, kind, generation);
    won = (await linkClaim(temporary, path, files)) && (await keepIfHighest(directory, kind, generation, files));
  } finally {
    await attempt(files.removeFile(temporary));
    if (!won) await attempt(file.close());
  }
  return won ? file : null;
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

/** A number that was used and removed can be claimed again by a slow process: a higher claim shows that it has lost. */
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

/** How much older the file at `path` is than one written now, by the one clock of the file system that holds both. */
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
