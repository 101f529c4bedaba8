/** The one place that loads hnswlib-node, when it is first needed: all else works without the addon. */
import type { HierarchicalNSW } from 'hnswlib-node';
import { ShortlistError } from '../../base/errors.js';

export type Graph = HierarchicalNSW;
type GraphClass = typeof HierarchicalNSW;

/** @throws addon_missing where it was never compiled, or for another Node or system */
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
 * Lets go of a graph's memory now. The collector sees a small object only and may keep it for long, so the graph is
 * replaced by one of a single row.
 */
export function releaseGraph(graph: Graph): void {
  graph.initIndex(1);
}
