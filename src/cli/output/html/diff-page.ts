/** A comparison of two versions as a page that can be sent: tables and charts of what the JSON output has. */
import type { ChangedQuery } from '../../../evaluate/diff/changed-queries.js';
import type { Change } from '../../../evaluate/diff/id-tally.js';
import type { Mover } from '../../../evaluate/diff/movers.js';
import type { DiffPoint } from '../../../evaluate/diff/point-tally.js';
import type { AttributeShares } from '../../../evaluate/diff/value-shares.js';
import { formatNumber } from '../../../base/number-text.js';
import type { Drift } from '../../../gate/drift.js';
import { describeItem, describeQueries, formatAttributeValue, formatChange, formatEf, formatFigure, formatOverlap, formatPercent, formatQuantile, formatShare, formatShift, formatSignedCount, type DiffReport } from '../diff-report.js'; // prettier-ignore
import { describeAttribute, describeVectors } from '../diff-text.js';
import { formatCount } from '../progress.js';
import { barPair, histogram } from './charts.js';
import { html, type Markup } from './markup.js';
import { htmlPage, pageTable, section, type PageColumn } from './page.js';

/** Ids of one query, and values of one attribute; more are in the JSON output. */
const SHOWN_IDS = 5;
const SHOWN_VALUES = 20;

export function diffPage(report: DiffReport): string {
  const { index, from, to, diff, drift, verdict } = report;
  const k = formatCount(diff.points.at(-1)!.k);
  const body = html`<h1>${index}: what changed between two versions</h1>
<p class="soft">v1 <code>${from}</code> → v2 <code>${to}</code>; ${describeQueries(report)}</p>
<div class="verdict"><p>${verdict.sentence}</p>
${verdict.notes.map((note) => html`<p>${note}</p>\n`)}</div>
${section('Answers', pointTable(diff.points), html`<p class="soft">${LEGEND}</p>\n`, overlapChart(report))}
${section('Ids that entered and left', changeTable(diff.entered, diff.left), html`<p class="soft">At k ${k}. A place is one candidate of one query.</p>\n`, ...changedIds(diff.entered, diff.left))}
${diff.values.length === 0 ? null : section('Candidates by value', html`<p class="soft">Share of all candidates at k ${k}: <span class="key">v1</span><span class="key key-new">v2</span></p>\n`, ...diff.values.map(valueTable))}
${section('Queries that changed most', queryTable(diff.changed_queries))}
${section('Returned less often', moverTable(diff.losers))}
${section('Returned more often', moverTable(diff.winners))}
${section('Contents', driftTable(drift))}`; // prettier-ignore
  return htmlPage(`${index}: ${from} and ${to}`, body);
}

const right = <Row>(title: string, value: (row: Row) => string | Markup): PageColumn<Row> => ({ title, value, align: 'right' }); // prettier-ignore

function pointTable(points: readonly DiffPoint[]): Markup {
  return pageTable<DiffPoint>(
    [
      right('k', ({ k }) => formatCount(k)),
      right('overlap', ({ overlap }) => formatOverlap(overlap)),
      right('p5', (point) => formatQuantile(point.overlap_p5)),
      right('p50', (point) => formatQuantile(point.overlap_p50)),
      right('below half', (point) => formatShare(point.below_half)),
      right('top-heavy', (point) => formatOverlap(point.rank_biased_overlap)),
      right('same order', (point) => formatCount(point.same_order)),
      right('rank shift', ({ rank_shift: shift }) => (shift === null ? '' : formatNumber(shift.mean, 2))),
      right('p95', ({ rank_shift: shift }) => (shift === null ? '' : formatCount(shift.p95))),
      right('score', ({ score_shift: shift }) => formatShift(shift?.mean)),
      right('score at k', ({ last_score_shift: shift }) => formatShift(shift?.mean)),
      right('ef v1', ({ ef }) => formatEf(ef.from)),
      right('ef v2', ({ ef }) => formatEf(ef.to)),
    ],
    points,
  );
}

const LEGEND =
  'Overlap: mean share of candidates that both versions return, with percentiles over queries. Below half: share of ' +
  'queries with an overlap below 0.5. Top-heavy: overlap that counts first ranks more (rank-biased overlap, 0.9). Same ' +
  'order: queries with equal answers. Rank shift: mean change of rank of candidates in both, without its sign. Score: ' +
  'mean of new minus old of candidates in both. Score at k: the same of the last candidates; above 0, the new answers ' +
  'are nearer to their queries.';

function overlapChart({ diff }: DiffReport): Markup {
  const { k, overlap_counts: counts } = diff.points.at(-1)!;
  return html`<h3>Queries by overlap at k ${formatCount(k)}</h3>
${histogram(`Number of queries by overlap at k ${formatCount(k)}`, counts)}`; // prettier-ignore
}

function changeTable(entered: Change, left: Change): Markup {
  const rows = [
    { name: 'entered: new in v2', ...entered.by.catalogue },
    { name: 'entered: was there before', ...entered.by.ranking },
    { name: 'left: gone from v2', ...left.by.catalogue },
    { name: 'left: still there, pushed out', ...left.by.ranking },
  ];
  type Row = (typeof rows)[number];
  return pageTable<Row>(
    [
      { title: 'ids', value: ({ name }) => name },
      right('ids', ({ ids }) => formatCount(ids)),
      right('places', ({ places }) => formatCount(places)),
    ],
    rows,
  );
}

function changedIds(entered: Change, left: Change): Markup[] {
  const list = (verb: string, catalogue: string, { ids }: Change): Markup[] => {
    if (ids.length === 0) return [];
    const parts = ids.map(({ id, queries, cause }, i) => html`${i === 0 ? '' : ', '}<code>${id}</code> (${formatCount(queries)}${cause === 'catalogue' ? `, ${catalogue}` : ''})`); // prettier-ignore
    return [html`<p>Most frequent that ${verb}, with their number of queries: ${parts}</p> `];
  };
  return [...list('entered', 'new', entered), ...list('left', 'gone', left)];
}

function valueTable({ attribute, total, values }: AttributeShares): Markup {
  const shown = values.slice(0, SHOWN_VALUES);
  const most = Math.max(...shown.map(({ from, to }) => Math.max(from, to)));
  const more = total > shown.length ? html`<p class="soft">${formatCount(total - shown.length)} more values changed less.</p>\n` : null; // prettier-ignore
  const table = pageTable<(typeof shown)[number]>(
    [
      {
        title: 'value',
        value: ({ value }) => (value === null ? html`<span class="soft">no value</span>` : formatAttributeValue(value)),
      },
      { title: '', value: ({ from, to }) => barPair(from, to, most) },
      right('v1', ({ from }) => formatPercent(from)),
      right('v2', ({ to }) => formatPercent(to)),
      right('change', ({ change }) => coloured(change, formatChange(change))),
    ],
    shown,
  );
  return html`<h3>${attribute}</h3>
    ${table}${more}`;
}

function coloured(change: number, text: string): Markup {
  if (change === 0) return html`${text}`;
  return change > 0 ? html`<span class="up">${text}</span>` : html`<span class="down">${text}</span>`;
}

function queryTable(queries: readonly ChangedQuery[]): Markup {
  if (queries.length === 0) return html`<p>None.</p> `;
  return pageTable<ChangedQuery>(
    [
      queries[0]!.id === undefined
        ? right('query', ({ position }) => formatCount(position))
        : { title: 'query (id of a row)', value: ({ id }) => html`<code>${id!}</code>` },
      right('overlap', ({ overlap }) => formatOverlap(overlap)),
      { title: 'entered: rank, score', value: ({ entered }) => candidates(entered, 'new') },
      { title: 'left: rank, score', value: ({ left }) => candidates(left, 'gone') },
    ],
    queries,
  );
}

function candidates({ total, ids }: ChangedQuery['entered'], catalogue: string): Markup {
  const shown = ids.slice(0, SHOWN_IDS);
  const lines = shown.map(({ id, rank, score, cause }) => {
    const tag = cause === 'catalogue' ? html` <span class="tag">${catalogue}</span>` : null;
    return html`<div><code>${id}</code> <span class="soft">#${rank}, ${formatNumber(score, 4)}</span>${tag}</div>`;
  });
  const more = total > shown.length ? html`<div class="soft">and ${formatCount(total - shown.length)} more</div>` : null; // prettier-ignore
  return html`${lines}${more}`;
}

function moverTable(movers: readonly Mover[]): Markup {
  if (movers.length === 0) return html`<p>None.</p> `;
  return pageTable<Mover>(
    [
      { title: 'id', value: ({ id, state }) => html`<code>${id}</code>${state === 'kept' ? null : html` <span class="tag">${state}</span>`}` }, // prettier-ignore
      { title: 'item', value: describeItem },
      right('queries, v1', ({ queries }) => formatCount(queries.from)),
      right('v2', ({ queries }) => formatCount(queries.to)),
      right('change', ({ change }) => coloured(change, formatSignedCount(change))),
      right(
        'sum of 1/rank',
        ({ reciprocal_rank: sums }) => `${formatNumber(sums.from, 2)} → ${formatNumber(sums.to, 2)}`,
      ),
    ],
    movers,
  );
}

function driftTable(drift: Drift): Markup {
  const { rows, vectors, settings, attributes } = drift;
  const number = (value: number | null): string => (value === null ? 'not known' : formatFigure(value));
  const entries = [
    { name: 'rows', text: `${formatCount(rows.from)} → ${formatCount(rows.to)}: ${formatCount(rows.kept)} kept, ${formatCount(rows.entered)} new, ${formatCount(rows.left)} gone` }, // prettier-ignore
    { name: 'vectors', text: describeVectors(drift) },
    { name: 'mean length of vectors', text: `${number(vectors.norm.from)} → ${number(vectors.norm.to)}` },
    ...settings.map(({ name, from, to }) => ({ name: `setting ${name}`, text: `${String(from)} → ${String(to)}` })),
    ...attributes.map((attribute) => ({ name: attribute.name, text: describeAttribute(attribute) ?? 'as before' })),
  ];
  return pageTable<(typeof entries)[number]>(
    [
      { title: 'what', value: ({ name }) => name },
      { title: 'v1 → v2', value: ({ text }) => text },
    ],
    entries,
  );
}
