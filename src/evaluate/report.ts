/** Formats measurements for people. */
import type { GridPoint } from './grid.js';

/** Recall with four places, never rounded up to 1. */
export function formatRecall(recall: number): string {
  return recall === 1 ? '1.0000' : Math.min(0.9999, recall).toFixed(4);
}

export const GRID_HEADER: readonly string[] = ['k', 'ef', 'recall', 'by id', 'worst', 'QPS', 'p50 ms', 'p99 ms'];

export function gridRow(point: GridPoint): string[] {
  return [
    String(point.k),
    `${point.is_default ? '* ' : ''}${point.ef_used === point.ef ? '' : `${point.ef} → `}${point.ef_used}`,
    formatRecall(point.recall),
    formatRecall(point.recall_by_id),
    formatRecall(point.recall_worst),
    Math.round(point.qps).toLocaleString('en-US'),
    point.p50_ms.toFixed(3),
    point.p99_ms.toFixed(3),
  ];
}
