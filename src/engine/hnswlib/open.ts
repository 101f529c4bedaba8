/**
 * A graph of hnswlib-node behind the engines' interface.
 *
 * Takes a graph file and the shard's vectors; gives answers with canonical scores. hnswlib finds rows by float32
 * distances; they are scored again from the vectors and sorted in the contract's order. Hides the filter: hnswlib's
 * own calls JavaScript for every row and takes 15 ms where a scan takes 0.06. Scans if the graph cannot give a full
 * answer: few allowed rows, a query outside float32's range, or unreachable parts of the graph.
 */
import assert from 'node:assert/strict';
import { Bitset } from '../../base/bitset.js';
import { ioError, ShortlistError } from '../../base/errors.js';
import type { GraphParameters, ShardAnswer, ShardIndex, ShardQuery, ShardVectors } from '../engine.js';
import { allowedRows } from '../exact/allowed-rows.js';
import { scanAllowed, searchSoon } from '../exact/exact.js';
import { rankRows } from '../exact/scan.js';
import { loadGraphClass, releaseGraph, type Graph } from './addon.js';
import { checkFile } from './check.js';
import { estimateHnswlibBytes } from './layout.js';
import { planGraphSearch, type GraphPlan } from './plan.js';
import { largestMagnitudeInTurns, queryFactor, rowFactor } from './scale.js';
import { withoutRows } from './without-rows.js';

/** Components that are scanned on the calling thread: about 0.4 ms in native code and several times that here. */
const SHORT_SCAN = 2 ** 20;

/** @see GraphEngine.open */
export async function openHnswlib(
  path: string,
  vectors: ShardVectors,
  parameters: Pick<GraphParameters, 'm' | 'efConstruction'>,
  without: Uint32Array = new Uint32Array(0),
): Promise<ShardIndex> {
  const { metric, dim, count, values } = vectors;
  const { m, efConstruction } = parameters;
  const largest = metric === 'cosine' ? 0 : await largestMagnitudeInTurns(values);
  const factor = rowFactor(metric, largest);
  await checkFile(path, { metric, dim, count, m, efConstruction }, { values, factor });
  const read = (from: string): Promise<Graph> => readGraph(from, vectors);
  const part = without.length === 0 ? null : without;
  const graph =
    count === 0 ? null : part === null ? await read(path) : await withoutRows(path, { count, dim, m }, part, read);
  return new HnswlibIndex(graph, vectors, largest, factor, m, part);
}

/** Reads into a new object: a failed read into a used one ends the process. */
async function readGraph(path: string, { metric, dim, count }: ShardVectors): Promise<Graph> {
  const HierarchicalNSW = await loadGraphClass();
  const graph = new HierarchicalNSW(metric === 'l2' ? 'l2' : 'ip', dim);
  try {
    await graph.readIndex(path);
  } catch (error) {
    throw ioError('read', path, error);
  }
  if (graph.getCurrentCount() === count) return graph;
  throw new ShortlistError('file_corrupt', `${path} changed while it was opened; open it again`, { file: path });
}

class HnswlibIndex implements ShardIndex {
  readonly vectors: ShardVectors;
  readonly residentBytes: number;
  private graph: Graph | null;
  private closed = false;
  /** The rows that may be found; null if that is every row. */
  private readonly visible: { readonly rows: Bitset; readonly count: number } | null;
  /** The query in the form that hnswlib-node takes, a plain array, reused. */
  private readonly point: number[];

  constructor(
    graph: Graph | null,
    vectors: ShardVectors,
    private readonly largest: number,
    private readonly factor: number,
    m: number,
    without: Uint32Array | null,
  ) {
    this.graph = graph;
    this.vectors = vectors;
    this.visible = without && leaveOut(vectors.count, without);
    this.residentBytes = graph === null ? 0 : estimateHnswlibBytes(vectors.count, vectors.dim, m);
    this.point = new Array<number>(vectors.dim).fill(0);
  }

  search(query: Float32Array, options: ShardQuery): ShardAnswer {
    return this.searchGraph(query, options) ?? this.scanRows(query, options);
  }

  /** There is no other thread, so a scan that would block this one is left to the caller. */
  searchLater(query: Float32Array, options: ShardQuery, signal?: AbortSignal): Promise<ShardAnswer | null> {
    const { count, dim } = this.vectors;
    const isShort = (options.allowCount ?? options.allow?.count() ?? count) * dim <= SHORT_SCAN;
    const search = () => this.searchGraph(query, options) ?? (isShort ? this.scanRows(query, options) : null);
    return searchSoon(search, signal);
  }

  scanRows(query: Float32Array, options: ShardQuery): ShardAnswer {
    const allow = options.allow ?? this.visible?.rows;
    return scanAllowed(this.vectors, query, allow === undefined ? options : { ...options, allow });
  }

  /** Opening has compared all rows with the vectors. */
  verify(): void {
    return;
  }

  searchGraph(query: Float32Array, options: ShardQuery): ShardAnswer | null {
    assert(!this.closed, 'search of a closed index');
    const { dim, metric } = this.vectors;
    assert(query.length === dim, `a query of ${query.length} components for ${dim}`);
    const { count: size } = this.vectors;
    const set = options.allow ?? this.visible?.rows;
    assert(set === undefined || set.size === size, `a set of ${set?.size} rows for a shard of ${size}`);
    const count = this.visible?.count ?? size;
    const { leftOut = [] } = options;
    const passing = options.allow === undefined ? count : (options.allowCount ?? options.allow.count());
    const allowed = passing - leftOut.length;
    const allow = set === undefined ? allowedRows(options, size) : allowedRows({ ...options, allow: set }, size);
    const plan = planGraphSearch(options, count, allowed);
    const factor = plan && queryFactor(metric, query, this.largest, this.factor);
    if (this.graph === null || plan === null || factor === null) return null;
    const found = this.queryGraph(this.graph, query, factor, plan);
    const rows = allow === undefined || allowed === size ? found : found.filter((row) => allow.has(row));
    if (rows.length < Math.min(options.k, allowed)) return null;
    return { ...rankRows(this.vectors, query, rows, options.k), path: 'graph' };
  }

  close(): void {
    if (this.graph !== null) releaseGraph(this.graph);
    this.graph = null;
    this.closed = true;
  }

  private queryGraph(graph: Graph, query: Float32Array, factor: number, { fetch, ef }: GraphPlan): number[] {
    const { point } = this;
    for (let i = 0; i < point.length; i++) point[i] = query[i]! * factor;
    graph.setEf(ef);
    return graph.searchKnn(point, fetch).neighbors;
  }
}

function leaveOut(count: number, without: Uint32Array): { rows: Bitset; count: number } {
  const rows = Bitset.full(count);
  for (const row of without) rows.delete(row);
  return { rows, count: count - without.length };
}
