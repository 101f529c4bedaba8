/** `shortlist diff` as people and programs meet it: the text, the JSON object and the page. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/base/errors.js';
import { buildItems, makeItems, SHOPS } from '../evaluate/diff/shops.js';
import { temporaryFolder } from '../indexes.js';
import { call, callJson } from './call.js';

const root = temporaryFolder();
const at = ['--root', root];
const DIM = 8;
const HOSTILE = `</td><script>alert("1")</script>&amp;<img src=x onerror='x'>\u0007${'long '.repeat(40)}`;
let [v1, v2] = ['', ''];
const report = join(root, '.report.html');

beforeAll(async () => {
  const items = makeItems(300, DIM, 1);
  const hostile = makeItems(80, DIM, 2, 1000).map((item) => ({ ...item, title: HOSTILE, shop: '<script>oak' }));
  v1 = await buildItems(root, 'shops', items);
  v2 = await buildItems(root, 'shops', [...items.slice(30), ...hostile]);
});

/** The elements of a page, each closed in its place. @throws if the page is no well-formed tree */
function readElements(page: string): { name: string; attributes: string }[] {
  const found: { name: string; attributes: string }[] = [];
  const open: string[] = [];
  const rest = page.replace(/<style>[^]*?<\/style>/, '').replace(/^<!DOCTYPE html>/, '');
  for (const [, text, close, name, attributes, self] of rest.matchAll(/([^<]*)(?:<(\/?)([a-z0-9]+)((?:\s+[a-zA-Z][\w-]*="[^"<>]*")*)\s*(\/?)>|$)/g)) {
    expect(text).not.toMatch(/[<>]|&(?!(?:amp|lt|gt|quot|#39);)/);
    if (name === undefined) continue;
    if (close === '/') expect(open.pop()).toBe(name);
    else found.push({ name, attributes: attributes! });
    if (close === '' && self === '' && name !== 'meta') open.push(name);
  } // prettier-ignore
  expect(open).toEqual([]);
  expect(rest.match(/</g)!.length).toBe(rest.match(/<\/?[a-z0-9]+(?:\s[^<>]*)?>/g)!.length);
  return found;
}

describe('the JSON object', () => {
  it('has the fields of earlier releases and the new ones', async () => {
    const { code, json } = await callJson(['diff', 'shops', v1, v2, '--sample', '40', '-k', '10,20', ...at]);
    expect(code).toBe(EXIT.done);
    expect(json).toMatchObject({
      index: 'shops',
      from: v1,
      to: v2,
      queries: 40,
      source: 'sample',
      sampled: { from: 20, to: 20 },
      verdict: { cause: 'catalogue' },
      drift: { rows: { from: 300, to: 350, kept: 270, entered: 80, left: 30 }, categories: ['shop', 'handmade'] },
    });
    expect(Object.keys(json)).toEqual(
      expect.arrayContaining(['points', 'same_first', 'entered', 'left', 'changed_queries', 'winners', 'losers', 'values']), // prettier-ignore
    );
    const { values, winners } = json as { values: { attribute: string }[]; winners: { attributes: object }[] };
    expect(values.map(({ attribute }) => attribute).sort()).toEqual(['handmade', 'shop']);
    expect(winners[0]!.attributes).toEqual({ title: HOSTILE, shop: '<script>oak', price: expect.any(Number) as number, handmade: expect.any(Boolean) as boolean }); // prettier-ignore
  });

  it('counts the attributes and shows those that are named; a filter is that of a search', async () => {
    const args = ['diff', 'shops', v1, v2, '--sample', '20', '-k', '10', ...at];
    const more = ['--attribute', 'price', '--include', 'shop', '--filter', '{"shop": {"$in": ["oak", "elm"]}}'];
    const { json } = await callJson([...args, ...more]);
    const { values, losers } = json as { values: { attribute: string }[]; losers: { attributes: object }[] };
    expect(values.map(({ attribute }) => attribute)).toEqual(['price']);
    for (const { attributes } of losers)
      expect(SHOPS.filter((_, i) => i % 2 === 0)).toContain(Object.values(attributes)[0]);
    expect((json['verdict'] as { notes: string[] }).notes.join()).toContain('With a filter');
    expect(await callJson([...args, '--filter', '{'])).toMatchObject({ json: { error: { code: 'bad_json' } } });
  });

  it.each(['--attribute', '--include'])(
    '%s with a name that neither version has is refused, with the right one',
    async (flag) => {
      // prettier-ignore
      const { code, json } = await callJson(['diff', 'shops', v1, v2, flag, 'shp', ...at]);
      expect(code).not.toBe(EXIT.done);
      expect(json).toMatchObject({ error: { code: 'unknown_attribute', message: expect.stringContaining("did you mean shop?") as string } }); // prettier-ignore
    },
  );

  it('takes own vectors of rows, not of query files', async () => {
    const args = ['diff', 'shops', v1, v2, '--own-vectors', '--sample', '20', ...at];
    expect((await callJson(args)).json).toMatchObject({ own_vectors: true });
    expect(await callJson([...args, '--queries', 'x'])).toMatchObject({ code: EXIT.usage });
  });
});

describe('the text', () => {
  it('begins with the cause, fits 100 columns, and does not control the terminal', async () => {
    const { stdout } = await call(['diff', 'shops', v1, v2, '--sample', '40', ...at]);
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^Changed catalogue: /);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(stdout).not.toContain('\u0007');
    for (const title of [
      'returned less often',
      'returned more often',
      'queries that changed most',
      'contents, v1 → v2',
    ])
      expect(stdout).toContain(title);
    expect(stdout).toMatch(/^\d+ ids left: \d+ gone \(\d+ places?\), \d+ still there \(\d+ places?\)$/m);
  });

  it('shows ids with control characters as text too', async () => {
    const items = makeItems(40, DIM, 1).map((item) => ({ ...item, id: `\u001b[31m${item.id}` }));
    const [old, fresh] = [await buildItems(root, 'odd', items.slice(5)), await buildItems(root, 'odd', items)];
    const { stdout } = await call(['diff', 'odd', old, fresh, '-k', '5', ...at]);
    expect(stdout).toContain('·[31m');
    expect(stdout).not.toContain('\u001b');
  });

  it('is short for a version and itself', async () => {
    const { stdout } = await call(['diff', 'shops', v1, v1, '--sample', '10', ...at]);
    expect(stdout).toMatch(/^Identical answers: .*\n/);
    expect(stdout).toMatch(/^0 ids entered\n0 ids left$/m);
    expect(stdout).not.toContain('returned less often');
  });
});

describe('a filter that no row passes', () => {
  const nothing = ['diff', 'shops', '--filter', '{"shop": "aok"}', '--sample', '20', '-k', '10,20', ...at];
  const args = (): string[] => [...nothing.slice(0, 2), v1, v2, ...nothing.slice(2)];

  it('measures nothing, says so, and fails --min-overlap', async () => {
    const { code, json } = await callJson([...args(), '--min-overlap', '0.9']);
    expect(code).toBe(EXIT.checkFailed);
    expect(json).toMatchObject({ ok: false, verdict: { cause: 'empty' }, same_first: 0, error: { code: 'check_failed' } });
    for (const point of json['points'] as object[])
      expect(point).toMatchObject({ empty: 20, overlap: null, overlap_p5: null, below_half: null, rank_biased_overlap: null, same_order: 0 });
    const { code: without, stdout } = await call(args());
    expect(without).toBe(EXIT.done);
    expect(stdout.replaceAll('\n', ' ')).toMatch(/^Nothing was compared: no row besides a query itself passes the filter in either version/);
    expect(stdout).not.toContain('1.0000');
  }); // prettier-ignore

  it('in one version only, gives an overlap of 0', async () => {
    const filter = ['--filter', '{"shop": "<script>oak"}', '--min-overlap', '0.1'];
    const { code, json } = await callJson(['diff', 'shops', v1, v2, '--sample', '20', '-k', '5', ...filter, ...at]);
    expect([code, json['points']]).toMatchObject([EXIT.checkFailed, [{ empty: 0, overlap: 0 }]]);
  });

  it('for some queries, leaves these out of the figures', async () => {
    const items = makeItems(60, DIM, 3).map((item, i) => ({ ...item, shop: i === 0 ? 'rare' : 'oak' }));
    const version = await buildItems(root, 'rare', items);
    const { json } = await callJson(['diff', 'rare', version, version, '-k', '5', '--filter', '{"shop": "rare"}', ...at]);
    expect(json).toMatchObject({ points: [{ empty: 1, overlap: 1, same_order: 59 }], same_first: 59, verdict: { cause: 'identical' } });
    const { notes } = json['verdict'] as { notes: string[] };
    expect(notes.join()).toContain('For 1 of 60 queries neither version returns a candidate');
  }); // prettier-ignore

  it('since only one version has the attribute, is an error that names the other version', async () => {
    const bare = await buildItems(root, 'shops', makeItems(40, DIM, 4), { attributes: 'none' });
    const { code, json } = await callJson(['diff', 'shops', v1, bare, '--filter', '{"shop": "oak"}', ...at]);
    expect(code).toBe(EXIT.usage);
    expect(json).toMatchObject({ error: { message: expect.stringMatching(`^shops@${bare}: .*no attribute`) as string } });
  }); // prettier-ignore
});

describe('figures', () => {
  it('of small numbers keep four digits, and values that are not seen stand in quotes', async () => {
    const scaled = (factor: number, shop: string) =>
      makeItems(200, DIM, 5).map((item, i) => ({ ...item, price: factor * item.price, shop: i % 4 === 0 ? shop : item.shop, vector: item.vector.map((value) => factor * value) })); // prettier-ignore
    const old = await buildItems(root, 'scaled', scaled(1, 'y'.repeat(500)));
    const fresh = await buildItems(root, 'scaled', scaled(0.001, ' '));
    const { stdout } = await call(['diff', 'scaled', old, fresh, '--sample', '20', ...at]);
    expect(stdout).toMatch(/^mean length +\d\.\d{1,3} → 0\.00\d+$/m);
    expect(stdout.replace(/\s+/g, ' ')).toMatch(/price mean \d+\.\d+ → 0\.0\d+/);
    expect(stdout).toContain('" "');
    expect(stdout).toContain('yyy…');
    expect(stdout).not.toContain('y'.repeat(60));
  });

  it('of ids with another type do not count them as new and removed in the first sentence', async () => {
    const items = makeItems(60, DIM, 6);
    const old = await buildItems(root, 'typed', items);
    const fresh = await buildItems(root, 'typed', items.map((item) => ({ ...item, id: String(item.id) }))); // prettier-ignore
    const { json } = await callJson(['diff', 'typed', old, fresh, '-k', '5', ...at]);
    const { sentence } = json['verdict'] as { sentence: string };
    expect(sentence).toMatch(/^Identical answers: .*; ids of different types \(int64 and utf8\) were matched by their text\.$/); // prettier-ignore
  });

  it('of versions with other dimensions are refused with the option that compares them', async () => {
    const wide = await buildItems(root, 'shops', makeItems(40, DIM + 1, 4));
    const { json } = await callJson(['diff', 'shops', v1, wide, ...at]);
    expect(json).toMatchObject({ error: { code: 'dimension_mismatch', message: expect.stringContaining('--own-vectors') as string } }); // prettier-ignore
  });
});

describe('the report', () => {
  beforeAll(async () => {
    writeFileSync(report, 'an older report');
    const { stdout } = await call(['diff', 'shops', v1, v2, '--sample', '40', '--report', report, ...at]);
    expect(stdout).toContain(`the report is in ${report}`);
  });

  it('is one well-formed page without scripts, and needs nothing from elsewhere', () => {
    const page = readFileSync(report, 'utf8');
    const elements = readElements(page);
    expect(elements.filter(({ name }) => ['script', 'img', 'link', 'iframe', 'a'].includes(name))).toEqual([]);
    expect(elements.filter(({ attributes }) => /\s(?:src|href|on\w+|style)=/i.test(attributes))).toEqual([]);
    expect(page).not.toMatch(/https?:|url\(|@import/);
    expect(page).toContain('prefers-color-scheme: dark');
    expect(elements.filter(({ name }) => name === 'svg').length).toBeGreaterThan(3);
  });

  it('shows hostile values of attributes as text', () => {
    const page = readFileSync(report, 'utf8');
    expect(page).toContain('&lt;script&gt;oak');
    expect(page).toContain('&lt;/td&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;');
    expect(page).not.toContain('\u0007');
    expect(page).not.toContain('<script');
  });

  it('is replaced as a whole, and leaves no other file', () => {
    expect(readFileSync(report, 'utf8')).toMatch(/^<!DOCTYPE html>[^]*<\/html>\n$/);
    expect(readdirSync(root).filter((name) => name.startsWith('.tmp-'))).toEqual([]);
  });

  it('is written also where the overlap is too low', async () => {
    const path = join(root, '.low.html');
    const args = ['diff', 'shops', v1, v2, '--sample', '20', '--min-overlap', '1', '--report', path, ...at];
    expect(await callJson(args)).toMatchObject({ code: EXIT.checkFailed, json: { ok: false, report: path } });
    expect(existsSync(path)).toBe(true);
  });

  it('is refused before the work where its folder is missing or its path is a folder', async () => {
    mkdirSync(join(root, '.folder'));
    for (const [path, problem] of [[join(root, 'no', 'r.html'), 'is not there'], [join(root, '.folder'), 'is a folder']] as const) {
      const { code, json, stderr } = await callJson(['diff', 'shops', v1, v2, '--report', path, ...at]);
      expect([code, json]).toMatchObject([EXIT.io, { error: { code: 'io_error', message: expect.stringContaining(problem) as string } }]);
      expect(stderr).not.toContain('queries');
    } // prettier-ignore
  });
});
