/**
 * The frame of a report as one HTML page: no scripts, nothing from the network, light and dark, readable on a phone and
 * on paper. Takes a title and a body; returns the text of the file.
 */
import { html, Markup } from './markup.js';

/** Values are plain text or markup; `align` is that of the column. */
export interface PageColumn<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | Markup;
  readonly align?: 'right';
}

export function htmlPage(title: string, body: Markup): string {
  const page = html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`; // prettier-ignore
  return page.text;
}

export function section(title: string, ...body: (Markup | string | null)[]): Markup {
  return html`<section>
<h2>${title}</h2>
${body}
</section>
`; // prettier-ignore
}

/** On a narrow screen the table scrolls, not the page. */
export function pageTable<Row>(columns: readonly PageColumn<Row>[], rows: readonly Row[]): Markup {
  const cell = (tag: 'th' | 'td', { align }: PageColumn<Row>, value: string | Markup): Markup => {
    const [open, close] = [new Markup(`<${tag}${align === 'right' ? ' class="n"' : ''}>`), new Markup(`</${tag}>`)];
    return html`${open}${value}${close}`;
  };
  const head = columns.map((column) => cell('th', column, column.title));
  const body = rows.map(
    (row) =>
      html`<tr>
        ${columns.map((column) => cell('td', column, column.value(row)))}
      </tr> `,
  );
  return html`<div class="scroll"><table>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody>
</table></div>
`; // prettier-ignore
}

const STYLE = new Markup(`
:root {
  --back: #fff; --text: #1b1f24; --soft: #59636e; --line: #d8dee4; --fill: #f4f6f8;
  --old: #9aa5b1; --new: #0b6bcb; --up: #137333; --down: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #14171b; --text: #e4e7eb; --soft: #9aa5b1; --line: #343b43; --fill: #1e2329;
    --old: #6b7682; --new: #62aef7; --up: #6fcf8d; --down: #f28b82;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.25rem 0 .5rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
h3 { font-size: .95rem; margin: 1.25rem 0 .25rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.verdict { margin: 1rem 0; padding: .75rem 1rem; background: var(--fill); border-left: 4px solid var(--new); }
.verdict p:first-child { font-size: 1.1rem; font-weight: 600; margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th { text-align: left; font-weight: 600; color: var(--soft); vertical-align: bottom; }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); }
td { vertical-align: top; overflow-wrap: break-word; }
td > div { white-space: nowrap; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.up { color: var(--up); }
.down { color: var(--down); }
.tag { color: var(--soft); border: 1px solid var(--line); border-radius: 3px; padding: 0 .3em; font-size: .85em; white-space: nowrap; }
svg { display: block; width: 100%; max-width: 40rem; height: auto; }
svg.bars { width: 16rem; max-width: 20vw; height: 1.3rem; }
svg text { fill: var(--soft); font: 9px system-ui, sans-serif; }
.old { fill: var(--old); }
.new { fill: var(--new); }
.axis { stroke: var(--line); }
.key::before { content: ""; display: inline-block; width: .7em; height: .7em; margin-right: .35em; background: var(--old); }
.key.key-new::before { background: var(--new); }
.key { margin-right: 1em; white-space: nowrap; }
@media (max-width: 30rem) { svg text { font-size: 12px; } }
@media print {
  :root { --back: #fff; --text: #000; --soft: #444; --line: #bbb; --fill: #f4f4f4; --old: #999; --new: #0b6bcb; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  .scroll { overflow: visible; }
  h2, h3 { break-after: avoid; }
  tr, svg { break-inside: avoid; }
  svg, .key::before { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`);
