/**
 * The messages of one request of a client: to whom they go, what they have in common, and which groups of servers are
 * lost to it. If partial answers are allowed, the request goes on without lost groups; else it fails.
 */
import { ShortlistError } from '../../base/errors.js';
import type { SearchOptions } from '../../retrieve/search/search-options.js';
import { FieldError } from '../../version/disk/fields.js';
import { FrameError } from '../fleet/frame.js';
import type { Operation } from '../fleet/message-head.js';
import type { Selection } from '../fleet/selection.js';
import type { ByteCounter } from '../request/byte-account.js';
import type { TimeLimit } from '../request/time-limit.js';
import type { FleetVersion, ShardGroup } from './fleet-version.js';

interface RequestTerms {
  readonly limit: TimeLimit;
  readonly allowPartial: boolean;
  readonly memory: ByteCounter;
  /** Passed on with every message. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Codes with which a group is lost; with others the request itself is at fault. */
const LOST_CODES: ReadonlySet<string> = new Set(['shards_unavailable', 'overloaded', 'deadline_exceeded', 'internal']);

export class FleetRequest {
  /** Groups that did not answer this request. */
  private readonly lostGroups = new Set<ShardGroup>();
  private readonly selections: readonly Selection[];

  /** The time for further messages. */
  limit: TimeLimit;

  constructor(
    readonly version: FleetVersion,
    options: Pick<SearchOptions, 'filter' | 'excludeIds' | 'crowding'>,
    private readonly terms: RequestTerms,
  ) {
    this.limit = terms.limit;
    this.selections = splitSelection(version, options);
  }

  isLost(shard: number): boolean {
    const group = this.version.groups[this.version.groupOf(shard)];
    return group === undefined || this.lostGroups.has(group);
  }

  /** The selection as a group gets it. */
  selectionOf(group: number): Selection {
    return this.selections[group]!;
  }

  /**
   * Sends one message to a group.
   * @param read reads the answer
   * @returns null if the group is lost and partial answers are allowed
   */
  async ask<T>(position: number, operation: Operation, body: Buffer, read: (bytes: Buffer) => T): Promise<T | null> {
    const group = this.version.groups[position]!;
    if (this.lostGroups.has(group)) return null;
    const { limit } = this;
    const { headers, memory } = this.terms;
    try {
      const options = { signal: limit.signal, timeLeftMs: limit.remainingMs, headers };
      const bytes = await group.call(this.version.manifest, operation, body, options);
      memory.grow(bytes.length);
      return readAnswer(operation, bytes, read);
    } catch (error) {
      limit.check(); // time is over for all groups alike
      if (!(error instanceof ShortlistError)) throw error;
      if (!this.terms.allowPartial || !LOST_CODES.has(error.code)) throw error;
      this.lostGroups.add(group);
      return null;
    }
  }

  /** As `ask`, and null too if time runs out and partial answers are allowed. */
  async askInTime<T>(
    position: number,
    operation: Operation,
    body: Buffer,
    read: (bytes: Buffer) => T,
  ): Promise<T | null> {
    try {
      return await this.ask(position, operation, body, read);
    } catch (error) {
      if (!this.terms.allowPartial || error !== this.limit.reason) throw error;
      return null;
    }
  }

  /** @throws shards_unavailable if shards are missing and partial answers are not allowed */
  requireShards(): void {
    const { manifest, missing } = this.version;
    if (missing.length > 0 && !this.terms.allowPartial) throw shardsUnavailable(manifest, missing);
  }
}

export function shardsUnavailable(
  { index, version }: { readonly index: string; readonly version: string },
  shards: readonly number[],
): ShortlistError {
  const which = shards.length === 1 ? `shard ${shards[0]}` : `shards ${shards.join(', ')}`;
  const message = `no server that holds ${which} of ${index}@${version} answers; try again, or set allow_partial`;
  return new ShortlistError('shards_unavailable', message, { index, version, shards });
}

function readAnswer<T>(operation: Operation, bytes: Buffer, read: (bytes: Buffer) => T): T {
  try {
    return read(bytes);
  } catch (error) {
    if (!(error instanceof FrameError || error instanceof FieldError)) throw error;
    const message = `a server's answer to ${operation} ${error.message}; the gateway and its servers must be of one release`;
    throw new ShortlistError('internal', message, {}, { cause: error });
  }
}

/** Each group gets only the ids that may be its own. */
function splitSelection(
  version: FleetVersion,
  { filter, excludeIds = [], crowding }: Pick<SearchOptions, 'filter' | 'excludeIds' | 'crowding'>,
): Selection[] {
  const ids = version.groups.map((): string[] => []);
  for (const id of excludeIds) ids[version.groupOf(version.shardOfId(id))]?.push(id);
  return ids.map((own) => ({ filter, excludeIds: own, crowding }));
}
