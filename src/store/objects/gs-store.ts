/**
 * Google Cloud Storage, by its own client, with the credentials that all its tools use: variables, files, and the
 * workload identity of machines and pods. Tags are the generations of objects.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type * as Sdk from '@google-cloud/storage';
import type { Bucket, File, SaveOptions } from '@google-cloud/storage';
import { ShortlistError } from '../../base/errors.js';
import { storeError, urlOf, type Content, type GetOptions, type Listing, type ObjectBody, type ObjectInfo, type ObjectStore } from './object-store.js'; // prettier-ignore
import type { StorePlace } from './store-url.js';

type GsSdk = typeof Sdk;
type GsPlace = Extract<StorePlace, { bucket: string }>;

/** Larger objects are sent in pieces, which are sent again after a cut. A multiple of 256 KiB, as they must be. */
const PART_BYTES = 16 * 2 ** 20;
/** Longest silence of the store during a request. */
const SILENCE_MS = 30_000;
/** Longest time that the client repeats a request: with its waits, doubled from 1 s, about five times. */
const REPEAT_SECONDS = 30;

export function openGsStore(sdk: GsSdk, place: GsPlace, env: NodeJS.ProcessEnv): ObjectStore {
  const endpoint = env['STORAGE_EMULATOR_HOST'];
  const client = new sdk.Storage({
    timeout: SILENCE_MS,
    retryOptions: { autoRetry: true, maxRetries: 5, totalTimeout: REPEAT_SECONDS },
    // The client reads the variable too, but would still look for credentials of a project.
    ...(endpoint && { apiEndpoint: endpoint, projectId: 'emulated' }),
  });
  return new GsStore(client.bucket(place.bucket), place);
}

class GsStore implements ObjectStore {
  readonly url: string;

  constructor(
    private readonly bucket: Bucket,
    private readonly place: GsPlace,
  ) {
    this.url = place.url;
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody | 'unchanged' | null> {
    const { from = 0, to, unlessTag, signal } = options;
    const info = await this.head(key, signal);
    if (info === null) return null;
    if (info.tag === unlessTag) return 'unchanged';
    const { bytes, tag } = info;
    const end = Math.min(bytes, to ?? bytes);
    if (from >= end) return { bytes, tag, body: Readable.from([]) };
    // The generation is named: a state that is replaced meanwhile is not read in two halves.
    const file = this.bucket.file(this.place.prefix + key, { generation: tag });
    return { bytes, tag, body: this.read(file, key, from, end, signal) };
  }

  async head(key: string, signal?: AbortSignal): Promise<ObjectInfo | null> {
    const found = await this.call(`look at ${urlOf(this, key)}`, signal, () => this.file(key).getMetadata(), [404]);
    if (found === null) return null;
    const { size, generation, metadata } = found[0];
    const sha256 = metadata?.['sha256'];
    return { bytes: Number(size), tag: String(generation), sha256: typeof sha256 === 'string' ? sha256 : null };
  }

  async put(key: string, content: Content, signal?: AbortSignal): Promise<void> {
    const metadata = { metadata: { sha256: content.sha256 } };
    if (content.bytes <= PART_BYTES) {
      const parts: Uint8Array[] = [];
      for await (const part of content.parts(PART_BYTES)) parts.push(part);
      await this.save(key, Buffer.concat(parts), { metadata }, signal);
      return;
    }
    await this.call(`write ${urlOf(this, key)}`, signal, async () => {
      const to = this.file(key).createWriteStream({ resumable: true, chunkSize: PART_BYTES, metadata, validation: 'crc32c' });
      await pipeline(Readable.from(content.parts(2 ** 20)), to, signal === undefined ? {} : { signal });
    }); // prettier-ignore
  }

  async putIf(key: string, bytes: Uint8Array, expected: string | null, signal?: AbortSignal): Promise<boolean> {
    const preconditionOpts = { ifGenerationMatch: expected ?? 0 };
    return (await this.save(key, bytes, { preconditionOpts }, signal, [404, 412])) !== null;
  }

  requireConditions(): Promise<void> {
    return Promise.resolve();
  }

  async list(prefix: string, signal?: AbortSignal): Promise<Listing> {
    const objects: string[] = [];
    const folders: string[] = [];
    const full = this.place.prefix + prefix;
    let pageToken: string | undefined;
    do {
      const query = {
        prefix: full,
        delimiter: '/',
        autoPaginate: false,
        ...(pageToken !== undefined && { pageToken }),
      };
      const page = await this.call(`list ${urlOf(this, prefix)}`, signal, () => this.bucket.getFiles(query));
      const [files, , answer] = page! as [File[], unknown, GsListing];
      for (const { name } of files) if (name !== full) objects.push(name.slice(full.length));
      for (const folder of answer.prefixes ?? []) folders.push(folder.slice(full.length, -1));
      pageToken = answer.nextPageToken;
    } while (pageToken !== undefined);
    return { objects, folders };
  }

  async remove(key: string, tag: string, signal?: AbortSignal): Promise<void> {
    const work = () => this.file(key).delete({ ifGenerationMatch: tag });
    await this.call(`remove ${urlOf(this, key)}`, signal, work, [404, 412]);
  }

  close(): void {
    // The client closes idle connections itself.
  }

  private file(key: string): File {
    return this.bucket.file(this.place.prefix + key);
  }

  private save(
    key: string,
    bytes: Uint8Array,
    options: SaveOptions,
    signal: AbortSignal | undefined,
    absent: readonly number[] = [],
  ): Promise<true | null> {
    const save = async (): Promise<true> => {
      await this.file(key).save(Buffer.from(bytes), { resumable: false, validation: 'crc32c', ...options });
      return true;
    };
    return this.call(`write ${urlOf(this, key)}`, signal, save, absent);
  }

  private async *read(
    file: File,
    key: string,
    from: number,
    to: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const stream = file.createReadStream({ start: from, end: to - 1, validation: false, decompress: false });
    const stop = (): void => void stream.destroy();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      for await (const part of stream) yield part as Uint8Array;
    } catch (error) {
      signal?.throwIfAborted();
      const action = `get ${urlOf(this, key)}`;
      // The generation is gone: the next attempt finds the new one.
      if (statusOf(error) === 404)
        throw storeError('store_unavailable', action, 'it was replaced while it was read', { cause: error });
      throw describeFailure(action, error);
    } finally {
      signal?.removeEventListener('abort', stop);
      stream.destroy();
    }
  }

  /** Null for the statuses in `absent`. The client takes no signal: an aborted call runs to its end unseen. */
  private async call<T>(
    action: string,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
    absent: readonly number[] = [],
  ): Promise<T | null> {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof ShortlistError) throw error;
      const status = statusOf(error);
      if (status !== null && absent.includes(status) && !/bucket does not exist/i.test((error as Error).message))
        return null;
      throw describeFailure(action, error);
    }
  }
}

/** What the client hands on of the answer. Its own query for the next page names the last page again and again. */
interface GsListing {
  readonly prefixes?: readonly string[];
  readonly nextPageToken?: string;
}

function statusOf(error: unknown): number | null {
  const { code } = error as { code?: unknown };
  const status = Number(code);
  return Number.isInteger(status) && status >= 300 ? status : null;
}

/** Statuses that pass: too many requests, and time that ran out. */
const PASSING = new Set([408, 429]);

function describeFailure(action: string, error: unknown): ShortlistError {
  const status = statusOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const isNo = (status !== null && status < 500 && !PASSING.has(status)) || /default credentials/i.test(message);
  const where = status === null ? message : `${message} (status ${status})`;
  return storeError(isNo ? 'store_refused' : 'store_unavailable', action, where, { cause: error });
}
