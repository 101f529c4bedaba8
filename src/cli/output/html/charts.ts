/** Charts as inline SVG, in the colours of the page (page.ts). A reader without eyes gets the numbers as text. */
import { html, type Markup } from './markup.js';

const WIDTH = 400;
const HEIGHT = 130;
const TOP = 16;
const BOTTOM = 20;

/** A histogram of values from 0 to 1 in bins of equal width, with the count over each bar. */
export function histogram(label: string, counts: readonly number[]): Markup {
  const most = Math.max(1, ...counts);
  const step = WIDTH / counts.length;
  const room = HEIGHT - TOP - BOTTOM;
  const bars = counts.map((count, bin) => {
    if (count === 0) return null;
    const height = Math.max(1, (room * count) / most);
    const [x, y] = [bin * step, HEIGHT - BOTTOM - height];
    const range = `${(bin / counts.length).toFixed(2)} to ${((bin + 1) / counts.length).toFixed(2)}: ${count}`;
    return html`<rect class="new" x="${x + 1}" y="${y.toFixed(1)}" width="${step - 2}" height="${height.toFixed(1)}"><title>${range}</title></rect>
<text x="${x + step / 2}" y="${(y - 3).toFixed(1)}" text-anchor="middle">${shortCount(count)}</text>
`; // prettier-ignore
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((value) => {
    const anchor = value === 0 ? 'start' : value === 1 ? 'end' : 'middle';
    return html`<text x="${value * WIDTH}" y="${HEIGHT - 5}" text-anchor="${anchor}">${value}</text>`;
  });
  const base = HEIGHT - BOTTOM;
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">
${bars}<line class="axis" x1="0" y1="${base}" x2="${WIDTH}" y2="${base}"/>
${ticks}
</svg>
`; // prettier-ignore
}

/** Two bars above each other, as shares of `most`. */
export function barPair(from: number, to: number, most: number): Markup {
  const width = (share: number): string => (most > 0 ? (100 * share) / most : 0).toFixed(2);
  return html`<svg class="bars" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">
    <rect class="old" x="0" y="2" width="${width(from)}" height="7" />
    <rect class="new" x="0" y="11" width="${width(to)}" height="7" />
  </svg>`;
}

/** A bar is too narrow for more digits. */
function shortCount(count: number): string {
  if (count < 1000) return String(count);
  return count < 1e6 ? `${Math.round(count / 1e3)}k` : `${Math.round(count / 1e6)}M`;
}
