/**
 * Uploads an object in parts, some at a time. The object appears only when all parts have arrived and the content has
 * ended without an error. A failure discards the parts; only a kill leaves them, for the bucket's lifecycle rule.
 */
import type * as Sdk from '@aws-sdk/client-s3';
import type { CompletedPart, S3Client } from '@aws-sdk/client-s3';
import { attempt } from '../../version/disk/durable.js';
import type { Content } from './object-store.js';
import { callS3 } from './s3-errors.js';

export type S3Sdk = typeof Sdk;

/** Large enough for full speed, small enough to be sent again after a cut. Smaller objects are sent in one request. */
export const PART_BYTES = 16 * 2 ** 20;
/** S3 takes at most this many parts: from 160 GB on they are larger. */
const MAX_PARTS = 10_000;
/** Parts that are in memory and under way. */
const PARALLEL = 4;

interface Place {
  readonly Bucket: string;
  readonly Key: string;
}

export async function uploadParts(
  sdk: S3Sdk,
  client: S3Client,
  place: Place,
  url: string,
  content: Content,
  signal?: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const combined = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const options = { abortSignal: combined };
  const call = <T>(send: () => Promise<T>): Promise<T> => callS3<T>(`write ${url}`, signal, send, {});
  const metadata = { sha256: content.sha256 };
  const begin = new sdk.CreateMultipartUploadCommand({ ...place, Metadata: metadata });
  const { UploadId } = await call(() => client.send(begin, options));
  const sendPart = async (PartNumber: number, Body: Uint8Array): Promise<CompletedPart> => {
    const command = new sdk.UploadPartCommand({ ...place, UploadId, PartNumber, Body });
    const { ETag } = await call(() => client.send(command, options));
    return { PartNumber, ETag };
  };
  try {
    const parts = await sendAll(content, sendPart);
    const end = new sdk.CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload: { Parts: parts } });
    await call(() => client.send(end, options));
  } catch (error) {
    stop.abort();
    await attempt(client.send(new sdk.AbortMultipartUploadCommand({ ...place, UploadId })));
    throw error;
  }
}

async function sendAll(
  content: Content,
  send: (part: number, bytes: Uint8Array) => Promise<CompletedPart>,
): Promise<CompletedPart[]> {
  const partBytes = Math.max(PART_BYTES, Math.ceil(content.bytes / MAX_PARTS));
  const sent: CompletedPart[] = [];
  const underWay = new Set<Promise<void>>();
  let part = 0;
  for await (const bytes of content.parts(partBytes)) {
    const number = ++part;
    const sending = send(number, bytes).then((done) => {
      sent[number - 1] = done;
      underWay.delete(sending);
    });
    sending.catch(() => undefined); // it is awaited below, or another failure came first
    underWay.add(sending);
    if (underWay.size >= PARALLEL) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  return sent;
}
