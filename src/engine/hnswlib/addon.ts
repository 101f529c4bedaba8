/** The only place that loads hnswlib-node, on first use. Everything else works without the addon. */
import type { HierarchicalNSW } from 'hnswlib-node';
import { ShortlistError } from '../../base/errors.js';

export type Graph = HierarchicalNSW;
type GraphClass = typeof HierarchicalNSW;

/** @throws addon_missing if it was not compiled, or compiled for another Node or system */
export async function loadGraphClass(): Promise<GraphClass> {
  try {
    const addon = await import('hnswlib-node');
    return addon.default.HierarchicalNSW;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0]! : String(cause);
    throw new ShortlistError(
      'addon_missing',
      `the addon of hnswlib-node cannot be loaded (${why}); install a C++ compiler, make and python3, then run: npm rebuild hnswlib-node`,
      { package: 'hnswlib-node', command: 'npm rebuild hnswlib-node' },
      { cause },
    );
  }
}

/**
 * Releases a graph's memory now. The garbage collector only sees a small object and may keep it for long, so the
 * graph is replaced by one of a single row.
 */
export function releaseGraph(graph: Graph): void {
  graph.initIndex(1);
}
