/**
 * The part of Google Cloud Storage's JSON API that its official client uses here: objects with generations, conditions
 * on them, ranges, listings, and uploads in one request or in pieces.
 */
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface StoredObject {
  readonly bytes: Buffer;
  readonly generation: number;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Upload {
  readonly name: string;
  readonly match: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly pieces: Buffer[];
}

interface Answer {
  readonly status: number;
  readonly body?: Buffer | object;
  readonly headers?: Readonly<Record<string, string>>;
}

export class GsServer {
  readonly objects = new Map<string, StoredObject>();
  /** Statuses of the next requests, which are not done. */
  readonly failures: number[] = [];
  private readonly uploads = new Map<string, Upload>();
  private generation = 1_700_000_000_000_000;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<GsServer> {
    const server = createServer();
    const store = new GsServer(server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      store.answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return store;
  }

  get env(): Record<string, string> {
    return { STORAGE_EMULATOR_HOST: `http://127.0.0.1:${(this.server.address() as AddressInfo).port}` };
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url!, 'http://localhost');
    const failing = this.failures.shift();
    const {
      status,
      body = {},
      headers = {},
    } = failing === undefined ? this.perform(request, url, Buffer.concat(chunks)) : { status: failing, body: {} };
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    const type = Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json';
    response.writeHead(status, { 'content-type': type, 'content-length': bytes.length, ...headers });
    response.end(bytes);
  }

  private perform({ method, headers }: IncomingMessage, url: URL, body: Buffer): Answer {
    const { pathname, searchParams: query } = url;
    if (pathname.startsWith('/upload/')) return this.upload(method!, headers, query, body);
    const [, bucket, object] = /\/b\/([^/]+)\/o(?:\/([^/]*))?$/.exec(pathname) ?? [];
    if (bucket !== 'bucket') return failure(404, 'The specified bucket does not exist.');
    if (object === undefined) return this.list(query);
    const name = decodeURIComponent(object);
    const found = this.objects.get(name);
    if (found === undefined) return failure(404, `No such object: bucket/${name}`);
    const wanted = query.get('generation');
    if (wanted !== null && wanted !== String(found.generation)) return failure(404, 'No such generation');
    if (method === 'DELETE') {
      const match = query.get('ifGenerationMatch');
      if (match !== null && match !== String(found.generation)) return failure(412, 'conditionNotMet');
      this.objects.delete(name);
      return { status: 204 };
    }
    return query.get('alt') === 'media'
      ? readRange(found, headers.range)
      : { status: 200, body: describe(name, found) };
  }

  private list(query: URLSearchParams): Answer {
    const prefix = query.get('prefix') ?? '';
    const delimiter = query.get('delimiter') ?? '';
    const after = query.get('pageToken') ?? '';
    const names = new Set<string>();
    for (const name of this.objects.keys()) {
      if (!name.startsWith(prefix)) continue;
      const end = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
      names.add(end < 0 ? name : name.slice(0, end + 1));
    }
    const rest = [...names].sort().filter((name) => name > after);
    const page = rest.slice(0, 3);
    const isFolder = (name: string): boolean => delimiter !== '' && name.endsWith(delimiter);
    const items = page.filter((name) => !isFolder(name)).map((name) => describe(name, this.objects.get(name)!));
    const more = rest.length > page.length ? { nextPageToken: page.at(-1)! } : {};
    return { status: 200, body: { items, prefixes: page.filter(isFolder), ...more } };
  }

  private upload(method: string, headers: IncomingMessage['headers'], query: URLSearchParams, body: Buffer): Answer {
    const known = this.uploads.get(query.get('upload_id') ?? '');
    if (method === 'PUT' && known !== undefined) return this.continueUpload(known, headers, body);
    const name = query.get('name')!;
    const match = query.get('ifGenerationMatch');
    if (query.get('uploadType') === 'resumable') {
      const { metadata = {} } = JSON.parse(body.toString()) as { metadata?: Record<string, string> };
      const id = randomUUID();
      this.uploads.set(id, { name, match, metadata, pieces: [] });
      return { status: 200, headers: { location: `${this.env['STORAGE_EMULATOR_HOST']!}/upload/storage/v1/b/bucket/o?upload_id=${id}` } }; // prettier-ignore
    }
    const boundary = /boundary=("?)([^";]+)\1/.exec(headers['content-type'] ?? '')![2]!;
    const text = body.toString('latin1');
    const [, described = '', data = ''] = text.split(`--${boundary}`);
    const partOf = (part: string): string => part.slice(part.indexOf('\r\n\r\n') + 4, -2);
    const { metadata = {} } = JSON.parse(partOf(described)) as { metadata?: Record<string, string> };
    return this.store(name, match, metadata, Buffer.from(partOf(data), 'latin1'));
  }

  private continueUpload(upload: Upload, headers: IncomingMessage['headers'], body: Buffer): Answer {
    const [, total] = /^bytes (?:\*|\d+-\d+)\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? [];
    if (body.length > 0) upload.pieces.push(body);
    const bytes = Buffer.concat(upload.pieces);
    if (total !== undefined && total !== '*' && Number(total) === bytes.length) {
      return this.store(upload.name, upload.match, upload.metadata, bytes);
    }
    return { status: 308, headers: bytes.length === 0 ? {} : { range: `bytes=0-${bytes.length - 1}` } };
  }

  private store(name: string, match: string | null, metadata: Readonly<Record<string, string>>, bytes: Buffer): Answer {
    const generation = this.objects.get(name)?.generation ?? 0;
    if (match !== null && match !== String(generation)) return failure(412, 'conditionNotMet');
    const object = { bytes, generation: ++this.generation, metadata };
    this.objects.set(name, object);
    return { status: 200, body: describe(name, object) };
  }
}

function readRange({ bytes }: StoredObject, header: string | undefined): Answer {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(header ?? '') ?? [];
  if (from === undefined) return { status: 200, body: bytes };
  const part = bytes.subarray(Number(from), to === '' ? undefined : Number(to) + 1);
  const range = `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`;
  return { status: 206, body: part, headers: { 'content-range': range } };
}

function describe(name: string, { bytes, generation, metadata }: StoredObject): object {
  const md5Hash = createHash('md5').update(bytes).digest('base64');
  return { kind: 'storage#object', bucket: 'bucket', name, size: String(bytes.length), generation: String(generation), metadata, md5Hash, crc32c: crc32c(bytes) }; // prettier-ignore
}

function failure(code: number, message: string): Answer {
  return { status: code, body: { error: { code, message, errors: [{ message }] } } };
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** CRC-32C in base64, which the client compares with its own. */
function crc32c(bytes: Uint8Array): string {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 255]!;
  const out = Buffer.alloc(4);
  out.writeUInt32BE((crc ^ 0xffffffff) >>> 0);
  return out.toString('base64');
}
