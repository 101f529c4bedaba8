/** Shows how an answer was found. */
import { formatFixed } from '../../base/number-text.js';
import type { Explain, ShardExplain, WhyNot } from '../../wire/answers.js';
import { formatTable } from './table.js';

export function describeExplain({ filter, shards, stages, why_not: reasons }: Explain): string {
  const passed = filter === null ? '' : `filter: ${filter.passed} rows pass (${percent(filter.selectivity)})\n`;
  const times = `filter ${stages.filter_us} us, search ${stages.search_us} us, merge ${stages.merge_us} us`;
  const table = formatTable<ShardExplain>(
    [
      { title: 'shard', value: ({ shard }) => String(shard), align: 'right' },
      { title: 'plan', value: ({ plan }) => plan },
      { title: 'k', value: ({ k }) => String(k), align: 'right' },
      { title: 'ef', value: ({ ef }) => String(ef), align: 'right' },
      { title: 'rows', value: ({ rows_passed: rows }) => String(rows), align: 'right' },
      { title: 'visited', value: ({ visited }) => String(visited), align: 'right' },
      { title: 'distances', value: ({ computed }) => String(computed), align: 'right' },
      { title: 'us', value: ({ took_us: us }) => String(us), align: 'right' },
    ],
    [...shards],
  );
  const end = (reasons ?? []).map((reason) => `\n${describeReason(reason)}`).join('');
  const legend = 'visited: graph nodes expanded; distances: distances computed; us: microseconds';
  return `${passed}${times}\n${table}\n${legend}${end}`;
}

function describeReason({ id, found, reason, rank, score, removed_by: removed }: WhyNot): string {
  if (reason === 'unknown_id') return `${id}: no such item`;
  const place = `exact rank ${rank}, score ${score === undefined ? '-' : formatFixed(score, 4)}`;
  if (found) return `${id}: found; ${place}`;
  const by = (removed ?? []).map(({ path }) => path).join(', ');
  return `${id}: ${reason}${by === '' ? '' : ` (${by})`}; ${place}`;
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}
