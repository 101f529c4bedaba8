/**
 * Exports a version as files that hnswlib and hnswlib-node load: for each shard with rows, its graph and a table of ids
 * by label, and `export.json`, which says how to open them. Writes a new folder, whole or not at all.
 *
 * First compares every file of the version with its digest. Every written graph is read again and checked, because
 * hnswlib itself does not check what it loads.
 */
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { ArrowWriter } from '../arrow/write/writer.js';
import type { Column, ColumnType } from '../arrow/column.js';
import { ShortlistError } from '../base/errors.js';
import type { IdTable } from '../base/id-table.js';
import type { Metric } from '../base/metric.js';
import type { HnswlibFile } from '../engine/engine.js';
import { engineOf } from '../engine/engines.js';
import { nodeFiles, type FileSystem } from '../version/disk/files.js';
import type { Manifest } from '../version/sealed/manifest.js';
import { checkNewFolder, writeNewFile, writeNewFolder } from '../version/disk/new-folder.js';
import { shardFile } from '../version/disk/paths.js';
import { shardFilesOf } from '../version/sealed/shard-files.js';
import {
  graphPaths,
  openVersionFiles,
  readIds,
  readShard,
  type VersionFiles,
} from '../version/sealed/version-reader.js';
import { engineSettings } from '../retrieve/load/shards.js';

interface ExportOptions {
  /** Called with bytes read while the version is verified, then with bytes written. */
  readonly onProgress?: ((stage: 'verify' | 'export', bytesDone: number, bytesTotal: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly files?: FileSystem | undefined;
}

interface ExportedFile {
  readonly path: string;
  readonly bytes: number;
}

interface Exported {
  readonly manifest: Manifest;
  readonly description: ExportDescription;
  readonly files: readonly ExportedFile[];
}

export interface ExportDescription {
  readonly format: 'hnswlib';
  readonly index: string;
  readonly version: string;
  readonly metric: Metric;
  /** The name of the space for hnswlib's bindings. */
  readonly space: Metric;
  readonly dim: number;
  readonly count: number;
  readonly m: number;
  readonly ef_construction: number;
  /** Only shards with rows: hnswlib cannot search an empty index. */
  readonly shards: readonly ExportedShard[];
}

interface ExportedShard {
  readonly graph: string;
  readonly ids: string;
  readonly count: number;
  /** Factor of the vectors in the graph; queries must be multiplied by it too. */
  readonly factor: number;
}

export const DESCRIPTION_FILE = 'export.json';

const BATCH_ROWS = 65_536;

const UINT32: ColumnType = { kind: 'int', bits: 32, signed: false };

interface Source {
  readonly shard: number;
  readonly ordinals: Uint32Array;
  readonly graph: HnswlibFile;
}

/**
 * @param out the folder to create
 * @throws usage if `out` is not empty or inside an index's folder, disk_full, io_error, and every error of the version
 */
export async function exportVersion(
  root: string,
  index: string,
  version: string,
  out: string,
  options: ExportOptions = {},
): Promise<Exported> {
  const files = options.files ?? nodeFiles;
  checkPlace(root, out);
  await checkNewFolder(out, files);
  const from = await openVersionFiles(root, index, version, {
    files,
    signal: options.signal,
    onProgress: (done, total) => options.onProgress?.('verify', done, total),
  });
  const ids = await readIds(from, files);
  const sources: Source[] = [];
  try {
    for (const [shard, { count }] of from.manifest.shards.entries()) {
      options.signal?.throwIfAborted();
      if (count > 0) sources.push(await openSource(from, shard, files));
    }
    const description = describe(from.manifest, sources);
    const written = await writeNewFolder(out, files, (folder) =>
      new Export(from.manifest, ids, folder, files, options).write(sources, description),
    );
    const named = written.map(({ name, bytes }) => ({ path: join(out, name), bytes }));
    return { manifest: from.manifest, description, files: named };
  } finally {
    for (const { graph } of sources) graph.close();
  }
}

/** Refuses to write into an index's folder, which may contain nothing but versions. */
function checkPlace(root: string, out: string): void {
  const inside = relative(resolve(root), resolve(out));
  if (isAbsolute(inside) || inside.startsWith('..') || !inside.includes(sep)) return;
  const message = `${out} is inside the folder of an index, which may contain only versions; export to a folder outside of ${root}`;
  throw new ShortlistError('usage', message, { file: out, root });
}

async function openSource(from: VersionFiles, shard: number, files: FileSystem): Promise<Source> {
  const { manifest, directory } = from;
  const { name, parameters } = engineSettings(manifest);
  const engine = engineOf(name);
  const rows = await readShard(from, shard, files, engine.mapping?.vectors);
  const { metric, dim } = manifest;
  const [path] = graphPaths(from, shard);
  if (path === undefined) {
    const file = join(directory, shardFilesOf(manifest, shard).vectors);
    throw new ShortlistError('manifest_corrupt', `the manifest names no graph for the rows of ${file}`, { file });
  }
  const vectors = { metric, dim, count: rows.count, values: rows.vectors };
  return { shard, ordinals: rows.ordinals, graph: await engine.exportHnswlib(path, vectors, parameters) };
}

const graphName = (shard: number): string => shardFile(shard, 'hnsw');
const idsName = (shard: number): string => shardFile(shard, 'ids.arrow');

function describe(manifest: Manifest, sources: readonly Source[]): ExportDescription {
  const { index, version, metric, dim, count } = manifest;
  const { m, efConstruction } = engineSettings(manifest).parameters;
  const shards = sources.map(({ shard, ordinals, graph }) => ({
    graph: graphName(shard),
    ids: idsName(shard),
    count: ordinals.length,
    factor: graph.factor,
  }));
  // prettier-ignore
  return { format: 'hnswlib', index, version, metric, space: metric, dim, count, m, ef_construction: efConstruction, shards };
}

interface Written {
  readonly name: string;
  readonly bytes: number;
}

class Export {
  private done = 0;
  private total = 0;

  constructor(
    private readonly manifest: Manifest,
    private readonly ids: IdTable,
    private readonly folder: string,
    private readonly files: FileSystem,
    private readonly options: ExportOptions,
  ) {}

  async write(sources: readonly Source[], description: ExportDescription): Promise<Written[]> {
    this.total = sources.reduce((sum, { graph }) => sum + graph.bytes, 0);
    await this.requireRoom();
    const written: Written[] = [];
    for (const source of sources) {
      written.push(await this.writeGraph(source));
      written.push(await this.writeIds(source));
    }
    const text = Buffer.from(`${JSON.stringify(description, null, 2)}\n`);
    written.push(await this.writeFile(DESCRIPTION_FILE, (write) => write(text)));
    return written;
  }

  /** Checks disk space before hours of writing: the graphs' sizes are exact, and ids are small beside them. */
  private async requireRoom(): Promise<void> {
    const free = await this.files.freeBytes(this.folder);
    if (free >= this.total) return;
    const message = `the export needs ${this.total} bytes on disk, but only ${free} are free; free some space or use another --out`;
    const details = { file: this.folder, needed_bytes: this.total, available_bytes: free };
    throw new ShortlistError('disk_full', message, details);
  }

  private async writeGraph({ shard, graph, ordinals }: Source): Promise<Written> {
    const written = await this.writeFile(graphName(shard), async (write) => {
      for await (const block of graph.blocks()) {
        await write(block);
        this.options.onProgress?.('export', (this.done += block.length), this.total);
      }
    });
    const { metric, dim } = this.manifest;
    const { m, efConstruction } = engineSettings(this.manifest).parameters;
    const shape = { metric, dim, count: ordinals.length, m, efConstruction };
    await engineOf('hnswlib').check(join(this.folder, written.name), shape);
    return written;
  }

  /** Columns `label` (uint32) and `id` in its Arrow type; labels ascend from 0. */
  private async writeIds({ shard, ordinals }: Source): Promise<Written> {
    const { index, version } = this.manifest;
    const fields = [
      { name: 'label', type: UINT32, nullable: false },
      { name: 'id', type: this.ids.type, nullable: false },
    ];
    const metadata = new Map([['index', index], ['version', version]]); // prettier-ignore
    return this.writeFile(idsName(shard), async (write) => {
      const writer = new ArrowWriter('file', { fields, metadata }, write);
      for (let label = 0; label < ordinals.length; label += BATCH_ROWS) {
        await writer.write(this.idColumns(label, ordinals.subarray(label, label + BATCH_ROWS)));
      }
      await writer.close();
    });
  }

  private idColumns(firstLabel: number, ordinals: Uint32Array): Column[] {
    const values = Uint32Array.from(ordinals, (_, position) => firstLabel + position);
    const labels: Column = { shape: 'numbers', type: UINT32, rows: ordinals.length, valid: null, values };
    return [labels, this.ids.column(ordinals)];
  }

  private async writeFile(
    name: string,
    fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
  ): Promise<Written> {
    const { signal } = this.options;
    const bytes = await writeNewFile(join(this.folder, name), this.files, (write) =>
      fill(async (part) => {
        signal?.throwIfAborted();
        await write(part);
      }),
    );
    return { name, bytes };
  }
}
