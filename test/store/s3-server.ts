/**
 * An S3 server for tests, written from the documents of its interface: it computes the signature of every request again
 * and refuses what differs, keeps conditions, ranges and uploads in parts, and fails on demand.
 */
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const ACCESS_KEY = 'AKIATESTTESTTESTTEST';
const SECRET_KEY = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';

/**
 * What goes wrong with one request. `status`: it is answered with this status, and not done. `cut`: the connection ends
 * after so many bytes of the answer's body. `short`: the answer says that it is complete after so many bytes. `slow`:
 * the answer comes after so many ms. `lost`: the request is done, and its answer never arrives. `flip`: one bit of the
 * answer is wrong.
 */
export type Fault =
  | { readonly status: number; readonly code?: string }
  | { readonly cut: number }
  | { readonly short: number }
  | { readonly slow: number }
  | { readonly flip: number }
  | 'lost';

export interface S3Request {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly range: { readonly from: number; readonly to: number | null } | null;
  readonly isConditional: boolean;
}

interface StoredObject {
  readonly bytes: Buffer;
  readonly etag: string;
  readonly meta: Readonly<Record<string, string>>;
}

interface Upload {
  readonly key: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly parts: Map<number, Buffer>;
}

export class S3Server {
  readonly objects = new Map<string, StoredObject>();
  readonly uploads = new Map<string, Upload>();
  readonly requests: (S3Request & { status: number; sent: number })[] = [];
  /** Decides what goes wrong. */
  fault: (request: S3Request) => Fault | null = () => null;
  keepsConditions = true;
  /** Compares tags without their quotation marks, as older releases of Ceph do. */
  wantsBareTags = false;
  /** If set, listings show only these keys, as they were some time ago. */
  listedKeys: readonly string[] | null = null;

  private constructor(
    private readonly server: Server,
    readonly bucket: string,
  ) {}

  static async start(bucket = 'bucket'): Promise<S3Server> {
    const server = createServer();
    const store = new S3Server(server, bucket);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      store.answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return store;
  }

  /** For the clients of this server, in this process and others. */
  get env(): Record<string, string> {
    return {
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`,
      AWS_ACCESS_KEY_ID: ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: SECRET_KEY,
      AWS_REGION: 'eu-central-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    };
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  text(key: string): string {
    return this.objects.get(key)!.bytes.toString();
  }

  put(key: string, bytes: Uint8Array, meta: Readonly<Record<string, string>> = {}): void {
    this.objects.set(key, { bytes: Buffer.from(bytes), etag: etagOf(bytes), meta });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { pathname, searchParams: query } = new URL(request.url!, 'http://localhost');
    const [bucket, ...rest] = decodeURIComponent(pathname).slice(1).split('/');
    const described: S3Request = {
      method: request.method!,
      key: rest.join('/'),
      query,
      range: rangeOf(request.headers.range),
      isConditional: request.headers['if-match'] !== undefined || request.headers['if-none-match'] !== undefined,
    };
    const fault = this.fault(described);
    const answer = this.decide(request, described, body, bucket!, fault);
    this.requests.push({ ...described, status: answer.status, sent: answer.body.length });
    await send(response, described.method, answer, fault);
  }

  private decide(
    request: IncomingMessage,
    described: S3Request,
    body: Buffer,
    bucket: string,
    fault: Fault | null,
  ): Answer {
    const problem = findSignatureProblem(request, body);
    if (problem !== null) return failure(403, 'SignatureDoesNotMatch', problem);
    if (bucket !== this.bucket) return failure(404, 'NoSuchBucket', 'The specified bucket does not exist');
    if (fault !== null && fault !== 'lost' && 'status' in fault) {
      return failure(fault.status, fault.code ?? 'InternalError', 'injected');
    }
    return this.perform(request, described, body);
  }

  private perform({ headers }: IncomingMessage, { method, key, query, range }: S3Request, body: Buffer): Answer {
    if (method === 'GET' && key === '') return this.list(query);
    if (method === 'POST' && query.has('uploads')) return this.beginUpload(key, headers);
    const upload = this.uploads.get(query.get('uploadId') ?? '');
    if (query.has('uploadId') && upload === undefined) return failure(404, 'NoSuchUpload', 'no such upload');
    if (upload !== undefined) return this.continueUpload(method, query, upload, body);
    const object = this.objects.get(key);
    switch (method) {
      case 'GET':
      case 'HEAD':
        return read(object, headers, range);
      case 'PUT':
        return this.write(key, object, headers, body);
      case 'DELETE':
        if (object !== undefined && isRefused(headers, object.etag))
          return failure(412, 'PreconditionFailed', 'changed');
        this.objects.delete(key);
        return { status: 204, headers: {}, body: Buffer.alloc(0) };
      default:
        return failure(405, 'MethodNotAllowed', method);
    }
  }

  private write(
    key: string,
    object: StoredObject | undefined,
    headers: IncomingMessage['headers'],
    body: Buffer,
  ): Answer {
    if (this.keepsConditions) {
      if (headers['if-none-match'] === '*' && object !== undefined) return failure(412, 'PreconditionFailed', 'exists');
      if (headers['if-match'] !== undefined && object === undefined) return failure(404, 'NoSuchKey', 'gone');
      const wanted = this.wantsBareTags ? object?.etag.replaceAll('"', '') : object?.etag;
      if (isRefused(headers, wanted)) return failure(412, 'PreconditionFailed', 'changed');
    }
    this.put(key, body, metaOf(headers));
    return { status: 200, headers: { etag: etagOf(body) }, body: Buffer.alloc(0) };
  }

  private list(query: URLSearchParams): Answer {
    const prefix = query.get('prefix') ?? '';
    const delimiter = query.get('delimiter') ?? '';
    const after = query.get('continuation-token') ?? '';
    const maxKeys = 3; // so that every listing of a test has pages
    const names = new Set<string>();
    for (const key of this.listedKeys ?? this.objects.keys()) {
      if (!key.startsWith(prefix)) continue;
      const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      names.add(end < 0 ? key : key.slice(0, end + delimiter.length));
    }
    const rest = [...names].sort().filter((name) => name > after);
    const page = rest.slice(0, maxKeys);
    const isTruncated = rest.length > page.length;
    const xml = page.map((name) =>
      delimiter !== '' && name.endsWith(delimiter)
        ? `<CommonPrefixes><Prefix>${name}</Prefix></CommonPrefixes>`
        : `<Contents><Key>${name}</Key><Size>1</Size></Contents>`,
    );
    const token = isTruncated ? `<NextContinuationToken>${page.at(-1)!}</NextContinuationToken>` : '';
    return xmlAnswer(`<ListBucketResult><IsTruncated>${String(isTruncated)}</IsTruncated>${token}${xml.join('')}</ListBucketResult>`); // prettier-ignore
  }

  private beginUpload(key: string, headers: IncomingMessage['headers']): Answer {
    const id = randomUUID();
    this.uploads.set(id, { key, meta: metaOf(headers), parts: new Map() });
    return xmlAnswer(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
  }

  private continueUpload(method: string, query: URLSearchParams, upload: Upload, body: Buffer): Answer {
    const id = query.get('uploadId')!;
    if (method === 'DELETE') {
      this.uploads.delete(id);
      return { status: 204, headers: {}, body: Buffer.alloc(0) };
    }
    if (method === 'PUT') {
      upload.parts.set(Number(query.get('partNumber')), body);
      return { status: 200, headers: { etag: etagOf(body) }, body: Buffer.alloc(0) };
    }
    const named = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map((match) => Number(match[1]));
    const parts = named.map((number) => upload.parts.get(number));
    if (named.length === 0 || parts.includes(undefined)) return failure(400, 'InvalidPart', 'a part is missing');
    this.uploads.delete(id);
    this.put(upload.key, Buffer.concat(parts as Buffer[]), upload.meta);
    return xmlAnswer('<CompleteMultipartUploadResult></CompleteMultipartUploadResult>');
  }
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

function read(
  object: StoredObject | undefined,
  headers: IncomingMessage['headers'],
  range: S3Request['range'],
): Answer {
  if (object === undefined) return failure(404, 'NoSuchKey', 'The specified key does not exist.');
  const { bytes, etag, meta } = object;
  const described = {
    etag,
    ...Object.fromEntries(Object.entries(meta).map(([name, value]) => [`x-amz-meta-${name}`, value])),
  };
  if (headers['if-none-match'] === etag) return { status: 304, headers: described, body: Buffer.alloc(0) };
  if (range === null) return { status: 200, headers: described, body: bytes };
  if (range.from >= bytes.length) return failure(416, 'InvalidRange', 'The requested range is not satisfiable');
  const part = bytes.subarray(range.from, range.to === null ? undefined : range.to + 1);
  const contentRange = `bytes ${range.from}-${range.from + part.length - 1}/${bytes.length}`;
  return { status: 206, headers: { ...described, 'content-range': contentRange }, body: part };
}

async function send(response: ServerResponse, method: string, answer: Answer, fault: Fault | null): Promise<void> {
  if (fault === 'lost') {
    response.destroy();
    return;
  }
  if (fault !== null && 'slow' in fault) await new Promise((resolve) => setTimeout(resolve, fault.slow).unref());
  const isShort = fault !== null && 'short' in fault;
  let body = isShort ? answer.body.subarray(0, fault.short) : answer.body;
  if (fault !== null && 'flip' in fault && body.length > fault.flip) {
    body = Buffer.from(body);
    body[fault.flip]! ^= 1;
  }
  response.writeHead(answer.status, { ...answer.headers, 'content-length': body.length });
  if (method === 'HEAD') response.end();
  else if (fault !== null && 'cut' in fault && fault.cut < body.length) {
    response.write(body.subarray(0, fault.cut), () => setTimeout(() => response.destroy(), 5));
  } else response.end(body);
}

function xmlAnswer(xml: string): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: Buffer.from(`<?xml version="1.0"?>${xml}`),
  };
}

function failure(status: number, code: string, message: string): Answer {
  return { ...xmlAnswer(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`), status };
}

function isRefused(headers: IncomingMessage['headers'], tag: string | undefined): boolean {
  return headers['if-match'] !== undefined && headers['if-match'] !== tag;
}

function metaOf(headers: IncomingMessage['headers']): Record<string, string> {
  const meta = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'));
  return Object.fromEntries(meta.map(([name, value]) => [name.slice('x-amz-meta-'.length), String(value)]));
}

function etagOf(bytes: Uint8Array): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

function rangeOf(header: string | undefined): S3Request['range'] {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '');
  return match === null ? null : { from: Number(match[1]), to: match[2] === '' ? null : Number(match[2]) };
}

/** AWS Signature Version 4, computed again. Null: it is right. */
function findSignatureProblem(request: IncomingMessage, body: Buffer): string | null {
  const { headers } = request;
  const given = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)$/.exec(headers.authorization ?? ''); // prettier-ignore
  if (given === null) return 'there is no signature';
  const [, credential = '', signedHeaders = '', signature] = given;
  const [accessKey, date = '', region = '', service = ''] = credential.split('/');
  if (accessKey !== ACCESS_KEY) return 'the access key is unknown';
  const payload = sha256(body);
  if (headers['x-amz-content-sha256'] !== payload) return 'the body is not the one that was signed';
  const [path = '', search = ''] = request.url!.split('?');
  const query = search.split('&').filter(Boolean).map((pair) => (pair.includes('=') ? pair : `${pair}=`)).sort().join('&'); // prettier-ignore
  const names = signedHeaders.split(';');
  for (const name of ['host', 'x-amz-date', 'x-amz-content-sha256']) if (!names.includes(name)) return `${name} is not signed`; // prettier-ignore
  const canonicalHeaders = names.map((name) => `${name}:${String(headers[name]).trim()}\n`).join('');
  const canonical = [request.method, path, query, canonicalHeaders, signedHeaders, payload].join('\n');
  const scope = `${date}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n');
  let key: Buffer | string = `AWS4${SECRET_KEY}`;
  for (const step of [date, region, service, 'aws4_request']) key = createHmac('sha256', key).update(step).digest();
  return createHmac('sha256', key).update(toSign).digest('hex') === signature ? null : 'the signature is wrong';
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
