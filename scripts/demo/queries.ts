/** The queries that the demo sends to the server over HTTP, and how the answers are shown. */
import type { ShortlistClient } from '../../src/client/client.js';
import type { Candidate, SearchAnswer } from '../../src/client/client.js';
import { embedText } from '../catalog/embed-text.js';
import { printAnswer } from './print.js';
import type { AnswerRow } from './print.js';

export const INDEX = 'listings';

const TEXTS = ['hand-turned walnut wood salad bowl', 'opal engagement ring', 'lether wallet, gift for him'];

const SHOWN = 5;

/** Size of the comparison with exact search: the default k. */
const COMPARED = 100;

const include = { attributes: ['title', 'category', 'price'] };

/** @returns an id for the reader to try next */
export async function askQueries(client: ShortlistClient): Promise<string> {
  let firstId = '';
  for (const text of TEXTS) {
    const answer = await client.search(INDEX, { vector: embedText(text), k: SHOWN, include });
    printAnswer(`"${text}"${describe(answer)}`, answer.candidates.map(toRow));
    firstId ||= answer.candidates[0]!.id;
  }
  const similar = await client.search(INDEX, { id: firstId, k: SHOWN, include });
  printAnswer(`more like listing ${firstId}${describe(similar)}`, similar.candidates.map(toRow));
  await compareWithExact(client);
  return firstId;
}

/** Sends the same query to the graph and to a scan of every vector. */
async function compareWithExact(client: ShortlistClient): Promise<void> {
  const text = 'scandinavian oak wood coffee table';
  const vector = embedText(text);
  const graph = await client.search(INDEX, { vector, k: COMPARED });
  const exact = await client.search(INDEX, { vector, k: COMPARED, exact: true, include });
  const found = new Set(graph.candidates.map(({ id }) => id));
  const shared = exact.candidates.filter(({ id }) => found.has(id)).length;
  const compared = `the graph found ${shared} of these ${COMPARED} in ${graph.took_ms.toFixed(2)} ms`;
  printAnswer(`"${text}"${describe(exact)}; ${compared}`, exact.candidates.slice(0, SHOWN).map(toRow));
}

function describe({ quality, took_ms: tookMs }: SearchAnswer): string {
  return `  (${quality.path}, ${tookMs.toFixed(2)} ms)`;
}

function toRow({ id, score, attributes = {} }: Candidate): AnswerRow {
  const { title, category, price } = attributes;
  return { id, score, title: String(title), category: String(category), price: Number(price) };
}
