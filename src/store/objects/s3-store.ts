/**
 * Amazon S3, and every store with its interface. Credentials, region and endpoint come from where all tools of AWS take
 * them: variables, profiles, roles of machines and pods.
 *
 * Bodies are signed buffers, so the store checks what it receives. A store that ignores the conditions of a write would
 * let two publishers both win, without a sign: that is tried out before the first conditional write.
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { GetObjectCommandOutput, PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3';
import { storeError, urlOf, type Content, type GetOptions, type Listing, type ObjectBody, type ObjectInfo, type ObjectStore } from './object-store.js'; // prettier-ignore
import { callS3, readS3Body } from './s3-errors.js';
import { PART_BYTES, uploadParts, type S3Sdk } from './s3-upload.js';
import type { StorePlace } from './store-url.js';

type S3Place = Extract<StorePlace, { bucket: string }>;

/** A store that does not even accept a connection by then is away. */
const CONNECT_MS = 5_000;
/** Longest silence on a connection. */
const SILENCE_MS = 30_000;
/** Until an answer begins. Four parts of 16 MiB that are sent at the same time take so long at 2 Mbit/s. */
const REQUEST_MS = 300_000;
/** With the SDK's waits, doubled from 0.1 s with jitter, it gives up after some seconds. */
const ATTEMPTS = 4;

export function openS3Store(sdk: S3Sdk, place: S3Place, env: NodeJS.ProcessEnv): ObjectStore {
  // The SDK says on stderr, among our lines of JSON, which Node its releases of next year will need.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const endpoint = env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'];
  const region = env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? (endpoint ? 'us-east-1' : undefined);
  const client = new sdk.S3Client({
    ...(region !== undefined && { region }),
    // Other stores rarely have a host name for each bucket.
    ...(endpoint && { endpoint, forcePathStyle: true }),
    followRegionRedirects: true,
    maxAttempts: ATTEMPTS,
    // Other stores with this interface know no checksums in trailers. Bodies are signed, and versions have digests.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: SILENCE_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true }, // prettier-ignore
  });
  return new S3Store(sdk, client, place);
}

class S3Store implements ObjectStore {
  readonly url: string;
  private keepsConditions: Promise<void> | null = null;
  /** The store wants the tags of conditions without quotation marks. */
  private bareTags = false;

  constructor(
    private readonly sdk: S3Sdk,
    private readonly client: S3Client,
    private readonly place: S3Place,
  ) {
    this.url = place.url;
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody | 'unchanged' | null> {
    const { from = 0, to, unlessTag, signal } = options;
    const isRange = from > 0 || to !== undefined;
    const command = new this.sdk.GetObjectCommand({
      ...this.at(key),
      ...(isRange && { Range: `bytes=${from}-${to === undefined ? '' : to - 1}` }),
      ...(unlessTag !== undefined && { IfNoneMatch: unlessTag }),
    });
    const answer = await callS3(`get ${urlOf(this, key)}`, signal, () => this.client.send(command, abort(signal)), {
      304: 'unchanged',
      404: 'absent',
      416: 'beyond',
    });
    if (answer === 'unchanged') return answer;
    if (answer === 'absent') return null;
    if (answer === 'beyond') return this.emptyRange(key, signal);
    const body = readS3Body(`get ${urlOf(this, key)}`, signal, answer.Body as Readable);
    return { bytes: sizeOf(answer), tag: answer.ETag ?? '', body };
  }

  /** An object without bytes has no range; nor has any object behind its end. */
  private async emptyRange(key: string, signal?: AbortSignal): Promise<ObjectBody | null> {
    const info = await this.head(key, signal);
    return info && { bytes: info.bytes, tag: info.tag, body: Readable.from([]) };
  }

  async head(key: string, signal?: AbortSignal): Promise<ObjectInfo | null> {
    const command = new this.sdk.HeadObjectCommand(this.at(key));
    const send = () => this.client.send(command, abort(signal));
    const answer = await callS3(`look at ${urlOf(this, key)}`, signal, send, { 404: 'absent' });
    if (answer === 'absent') return null;
    const { ContentLength: bytes = 0, ETag: tag = '', Metadata: metadata } = answer;
    return { bytes, tag, sha256: metadata?.['sha256'] ?? null };
  }

  async put(key: string, content: Content, signal?: AbortSignal): Promise<void> {
    if (content.bytes > PART_BYTES) {
      await uploadParts(this.sdk, this.client, this.at(key), urlOf(this, key), content, signal);
      return;
    }
    const parts: Uint8Array[] = [];
    for await (const part of content.parts(PART_BYTES)) parts.push(part);
    await this.send(key, { Body: Buffer.concat(parts), Metadata: { sha256: content.sha256 } }, signal);
  }

  async putIf(key: string, bytes: Uint8Array, expected: string | null, signal?: AbortSignal): Promise<boolean> {
    await this.requireConditions(key, signal);
    return this.sendIf(key, bytes, expected, signal);
  }

  requireConditions(key: string, signal?: AbortSignal): Promise<void> {
    this.keepsConditions ??= this.tryConditions(key, signal).catch((error: unknown) => {
      this.keepsConditions = null; // tried again by the next write
      throw error;
    });
    return this.keepsConditions;
  }

  async list(prefix: string, signal?: AbortSignal): Promise<Listing> {
    const objects: string[] = [];
    const folders: string[] = [];
    const full = this.place.prefix + prefix;
    const { bucket: Bucket } = this.place;
    let token: string | undefined;
    do {
      const more = token === undefined ? {} : { ContinuationToken: token };
      const command = new this.sdk.ListObjectsV2Command({ Bucket, Prefix: full, Delimiter: '/', ...more });
      const page = await callS3(`list ${urlOf(this, prefix)}`, signal, () => this.client.send(command, abort(signal)), {}); // prettier-ignore
      for (const { Key: key = '' } of page.Contents ?? []) if (key !== full) objects.push(key.slice(full.length));
      for (const { Prefix: folder = '' } of page.CommonPrefixes ?? []) folders.push(folder.slice(full.length, -1));
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
    return { objects, folders };
  }

  async remove(key: string, tag: string, signal?: AbortSignal): Promise<void> {
    const command = new this.sdk.DeleteObjectCommand({ ...this.at(key), IfMatch: tag });
    const send = () => this.client.send(command, abort(signal));
    await callS3(`remove ${urlOf(this, key)}`, signal, send, { 404: 'absent', 409: 'changed', 412: 'changed' });
  }

  close(): void {
    this.client.destroy();
  }

  private at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.place.bucket, Key: this.place.prefix + key };
  }

  private async send(key: string, input: Omit<PutObjectCommandInput, 'Bucket' | 'Key'>, signal?: AbortSignal) {
    const command = new this.sdk.PutObjectCommand({ ...this.at(key), ...input });
    await callS3(`write ${urlOf(this, key)}`, signal, () => this.client.send(command, abort(signal)), {});
  }

  private async sendIf(key: string, bytes: Uint8Array, expected: string | null, signal?: AbortSignal) {
    const condition = expected === null ? { IfNoneMatch: '*' } : { IfMatch: this.bareTags ? bare(expected) : expected };
    const command = new this.sdk.PutObjectCommand({ ...this.at(key), Body: bytes, ...condition });
    const send = () => this.client.send(command, abort(signal));
    // 404: the object with the tag is gone. 409: another conditional write of the object is under way.
    const lost = { 404: 'lost', 409: 'lost', 412: 'lost' } as const;
    return (await callS3(`write ${urlOf(this, key)}`, signal, send, lost)) !== 'lost';
  }

  /**
   * Finds out how the store wants conditions, with an object of its own.
   * @throws store_refused if it ignores them, or refuses the right ones
   */
  private async tryConditions(key: string, signal?: AbortSignal): Promise<void> {
    const folder = key.includes('/') ? key.slice(0, key.lastIndexOf('/') + 1) : '';
    const trial = `${folder}.trial-${randomUUID()}`;
    const bytes = Buffer.from('This object tries out whether the store keeps the conditions of a write.\n');
    const write = (expected: string | null): Promise<boolean> => this.sendIf(trial, bytes, expected, signal);
    try {
      const isKept =
        (await write(null)) && !(await write(null)) && !(await write('"00000000000000000000000000000000"'));
      const tag = (await this.head(trial, signal))?.tag ?? '';
      // Older releases of Ceph compare with the tag without its quotation marks.
      for (const bareTags of [false, true]) {
        this.bareTags = bareTags;
        if (isKept && (await write(tag))) return;
      }
    } finally {
      await this.client.send(new this.sdk.DeleteObjectCommand(this.at(trial)), abort(signal)).catch(() => undefined);
    }
    const reason = 'the store does not keep If-None-Match and If-Match, so that of two publishers both could win';
    const advice = 'use a store, or a release of it, that keeps the conditions of PUT requests';
    throw storeError('store_refused', `write ${urlOf(this, key)}`, reason, { advice });
  }
}

const bare = (tag: string): string => tag.replace(/^"|"$/g, '');

const abort = (signal?: AbortSignal): { abortSignal?: AbortSignal } =>
  signal === undefined ? {} : { abortSignal: signal };

/** The size of the whole object, of which the answer may have a range: `bytes 0-99/12345`. */
function sizeOf({ ContentRange: range, ContentLength: length }: GetObjectCommandOutput): number {
  const total = /\/(\d+)$/.exec(range ?? '')?.[1];
  return total === undefined ? (length ?? 0) : Number(total);
}
