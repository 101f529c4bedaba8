/**
 * The thread of reader.ts: one HDF5 file, read by the HDF5 library in WebAssembly (h5wasm). It reads the file in place,
 * through Node's file system: only the rows that are asked for come into its memory. That memory never shrinks and
 * belongs to the thread, so that it is free when the thread ends.
 *
 * Takes a ThreadRequest at its start; posts an OpenReply, then a RowsReply for each RowsRequest. It is told which rows
 * exist by the file alone, so it checks what the file says before it reads.
 */
import { openSync } from 'node:fs';
import { devNull } from 'node:os';
import { resolve } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type * as Library from 'h5wasm/node';
import type { Dataset, File } from 'h5wasm/node';
import type { NumberName } from '../flat/value-type.js';

export interface ThreadRequest {
  readonly path: string;
  readonly dataset: string;
  readonly fileBytes: number;
}

interface Opened {
  readonly rows: number;
  readonly dim: number;
  readonly values: NumberName;
  /** Rows of one chunk of the file: it can only be read as a whole. Null if it has no chunks. */
  readonly chunkRows: number | null;
}

/** `missing`: h5wasm is not installed. `no dataset`: the message lists those that are there. */
interface Refused {
  readonly fault: 'missing' | 'no dataset' | 'corrupt' | 'unsupported';
  readonly message: string;
}

export type OpenReply = Opened | Refused;

export interface RowsRequest {
  readonly firstRow: number;
  readonly rows: number;
}

export type RowsReply = { readonly bytes: ArrayBuffer } | Refused;

class Fault extends Error {
  constructor(
    readonly fault: Refused['fault'],
    message: string,
  ) {
    super(message);
  }
}

/** Largest chunk of a file: it is in memory as a whole, also if one row of it is read. */
const MAX_CHUNK_BYTES = 256 * 1024 * 1024;

/** No codec of HDF5 shrinks data further: deflate reaches 1,032. More rows than that have no values in the file. */
const MAX_COMPRESSION = 1_100;

/** deflate, shuffle, fletcher32, szip, nbit, scaleoffset: what the HDF5 library has without plugins. */
const FILTERS = new Set([1, 2, 3, 4, 5, 6]);

const INTEGER = 0;
const FLOAT = 1;

const { path, dataset: wanted, fileBytes } = workerData as ThreadRequest;

function refuse(error: unknown): Refused {
  if (error instanceof Fault) return { fault: error.fault, message: error.message };
  return { fault: 'corrupt', message: `the HDF5 library cannot read it (${error instanceof Error ? error.message.split('\n', 1)[0]! : String(error)})` }; // prettier-ignore
}

type Module = Awaited<typeof Library.ready>;

async function load(): Promise<typeof Library> {
  try {
    return await import('h5wasm/node');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') throw new Fault('missing', error.message); // prettier-ignore
    throw error;
  }
}

async function start(): Promise<void> {
  const library = await load();
  const module = await library.ready;
  silence(module.FS as unknown as Streams);
  const file = new library.File(resolve(path), 'r');
  if (file.file_id < 0n) throw new Fault('corrupt', 'the HDF5 library cannot open it');
  refuseOtherDistances(file);
  const found = file.get(wanted);
  refuseLinks(module, file);
  if (!(found instanceof library.Dataset)) throw new Fault('no dataset', listDatasets(file, library.Dataset));
  const opened = describe(found);
  const rows = new RowReader(module, found, opened.dim);
  parentPort?.on('message', (request: RowsRequest) => {
    try {
      const bytes = rows.read(request);
      parentPort?.postMessage({ bytes } satisfies RowsReply, [bytes]);
    } catch (error) {
      parentPort?.postMessage(refuse(error) satisfies RowsReply);
    }
  });
  parentPort?.postMessage(opened satisfies OpenReply);
}

class RowReader {
  /** In the library's memory, for the largest read so far. */
  private buffer = { at: 0, bytes: 0 };

  constructor(
    private readonly module: Module,
    private readonly dataset: Dataset,
    private readonly dim: number,
  ) {}

  read({ firstRow, rows }: RowsRequest): ArrayBuffer {
    const { module, dataset, dim } = this;
    const bytes = rows * dim * dataset.metadata.size;
    const at = this.reserve(bytes);
    const [count, offset, stride] = [[rows, dim], [firstRow, 0], [1, 1]].map((pair) => pair.map(BigInt)) as [bigint[], bigint[], bigint[]]; // prettier-ignore
    // The data set's own `slice` does not look at the status, and would give what the memory held before.
    const status = module.get_dataset_data(dataset.file_id, dataset.path, count, offset, stride, BigInt(at));
    if (status < 0) throw new Fault('corrupt', `rows ${firstRow} to ${firstRow + rows - 1} cannot be read`);
    return module.HEAPU8.slice(at, at + bytes).buffer;
  }

  private reserve(bytes: number): number {
    if (this.buffer.bytes >= bytes) return this.buffer.at;
    if (this.buffer.at !== 0) this.module._free(this.buffer.at);
    this.buffer = { at: this.module._malloc(bytes), bytes };
    if (this.buffer.at === 0)
      throw new Fault('unsupported', `the HDF5 library has no ${bytes} bytes left for its rows`);
    return this.buffer.at;
  }
}

/** Of Emscripten's file system in Node, of which the types say too little. */
interface Streams {
  getStream(descriptor: number): { nfd: number };
}

/** What the library prints about damaged files goes past process.stderr, to the descriptor; the error says enough. */
function silence(system: Streams): void {
  const nowhere = openSync(devNull, 'w'); // closed with the thread
  for (const descriptor of [1, 2]) system.getStream(descriptor).nfd = nowhere;
}

/** A link can lead out of the file, to one that nobody named and that the manifest would not name. */
function refuseLinks(module: Module, file: File): void {
  let link = '';
  for (const name of wanted.split('/').filter((part) => part !== '')) {
    link += `/${name}`;
    if (file.get_type(link) === -1) return; // there is nothing, or it is in the file of an external link
    const external: { filename?: string } = module.get_external_link(file.file_id, link);
    const target: unknown = module.get_symbolic_link(file.file_id, link); // null: it is no symbolic link
    if (external.filename === undefined && target === null) continue;
    throw new Fault(
      'unsupported',
      `${JSON.stringify(link)} is a link; name the dataset that it leads to, and its file`,
    );
  }
}

/** ann-benchmarks packs the vectors of some distances in ways of its own. */
const OTHER_DISTANCES = ['hamming', 'jaccard', 'bit-hamming', 'bit-jaccard'];

function refuseOtherDistances(file: File): void {
  const { distance, type } = file.attrs;
  const name = distance?.value as unknown;
  if (typeof name === 'string' && OTHER_DISTANCES.includes(name)) throw new Fault('unsupported', `it is a data set for the ${name} distance, which no metric of shortlist is: cosine, ip and l2 are`); // prettier-ignore
  if (type?.value === 'sparse') throw new Fault('unsupported', 'its vectors are sparse; shortlist holds dense ones'); // prettier-ignore
}

function listDatasets(file: File, type: typeof Dataset): string {
  const names = file.keys().filter((name) => {
    const item = file.get(name);
    return item instanceof type && item.shape?.length === 2;
  });
  return names.length === 0 ? 'it has no dataset of two dimensions' : `its datasets of two dimensions are ${names.slice(0, 20).map((name) => JSON.stringify(name)).join(', ')}`; // prettier-ignore
}

function describe(found: Dataset): Opened {
  const { shape, size, chunks, virtual_sources: sources } = found.metadata;
  const label = JSON.stringify(wanted);
  const values = numberOf(found);
  if (values === null) throw new Fault('unsupported', `the dataset ${label} holds ${found.metadata.type === 8 ? 'bools or names' : 'no numbers'} (bit-packed and sparse sets are not read); floats and integers are read`); // prettier-ignore
  if (shape?.length !== 2) throw new Fault('unsupported', `the dataset ${label} has ${shape?.length ?? 0} dimensions; vectors are one of two`); // prettier-ignore
  if (sources !== undefined && sources.length > 0) throw new Fault('unsupported', `the dataset ${label} lies in other files; copy it into one`); // prettier-ignore
  const [rows, dim] = shape as [number, number];
  const bytes = rows * dim * size;
  const limit = chunks === null ? fileBytes : fileBytes * MAX_COMPRESSION;
  if (!(bytes <= limit)) throw new Fault('corrupt', `the dataset ${label} says that it has ${rows} x ${dim} values, more than a file of ${fileBytes} bytes can hold`); // prettier-ignore
  const filter = found.filters.find(({ id }) => !FILTERS.has(id));
  if (filter !== undefined) throw new Fault('unsupported', `the dataset ${label} has the filter ${JSON.stringify(filter.name)} (${filter.id}), which is not read; write it again with gzip: h5repack -f GZIP=4`); // prettier-ignore
  const chunkBytes = (chunks ?? []).reduce((product, length) => product * length, size);
  if (!(chunkBytes <= MAX_CHUNK_BYTES)) throw new Fault('unsupported', `the chunks of the dataset ${label} have ${chunkBytes} bytes; at most ${MAX_CHUNK_BYTES} are read: write smaller ones`); // prettier-ignore
  return { rows, dim, values, chunkRows: chunks?.[0] ?? null };
}

function numberOf({ metadata: { type, size, signed } }: Dataset): NumberName | null {
  if (type === INTEGER && [1, 2, 4, 8].includes(size)) return `${signed ? '' : 'u'}int${8 * size}` as NumberName;
  return type === FLOAT && [2, 4, 8].includes(size) ? (`float${8 * size}` as NumberName) : null;
}

try {
  await start();
} catch (error) {
  parentPort?.postMessage(refuse(error) satisfies OpenReply);
}
