/**
 * A program: makes mutants of sealed versions, opens each and searches it. In a process of its own, so that a crash is seen by
 * whoever started it, and only it.
 *
 * node --import tsx program.ts <folder> <versions as JSON> <seed> <from> <to>
 *
 * Mutant i of a seed is the same wherever it is made. Prints a line of JSON for each mutant that broke the promise, and one with counts at
 * the end; <folder>/mutant.txt says which one is in hand.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ShortlistError } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { openIndex, type OpenIndex, type SearchAnswer } from '../../src/retrieve/library/open-index.js';
import { verifyVersion } from '../../src/retrieve/load/verify.js';
import { pick } from '../retrieve/filter/random-filters.js';
import { ENTRIES, MUTATIONS } from './mutations.js';
import { SealedVersion, type Loose } from './sealed-version.js';

const [folder, versions, seed, from, to] = process.argv.slice(2) as [string, string, string, string, string];
const bases = Object.entries(JSON.parse(versions) as Record<string, string>).map(([index, version]) =>
  SealedVersion.read(folder, index, version),
);

/** Of one mutant: refused by its opening, by a search, or answered; and whether `verify` found it sound. */
type Outcome = 'refused' | 'refused by a search' | 'answered, refused by verify' | 'answered';

interface Made {
  readonly what: string;
  readonly index: string;
  readonly version: string;
  readonly random: () => number;
}

function makeMutant(number: number): Made {
  const random = seededRandom(Math.imul(Number(seed) ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(number + 1, 0xc2b2ae35));
  const mutant = pick(random, bases).copy();
  const names: string[] = [];
  const wanted = random() < 0.75 ? 1 : 1 + Math.floor(random() * 3);
  for (let tries = 0; names.length < wanted && tries < 50; tries++) {
    const mutation = pick(random, pick(random, MUTATIONS));
    if (attempt(() => mutation.change(random, mutant))) names.push(mutation.name);
  }
  const entries = random() < 0.02;
  const what = `mutant ${number} of seed ${seed}, ${mutant.index}: ${names.join(', ')}${entries ? ', an entry' : ''}`;
  writeFileSync(join(folder, 'mutant.txt'), what);
  const version = mutant.write(folder, (manifest: Loose) => {
    if (entries) attempt(() => ENTRIES(random, manifest));
  });
  return { what, index: mutant.index, version, random };
}

/** A second change may find that the first has left nothing of what it would change. */
function attempt(change: () => boolean): boolean {
  try {
    return change();
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return false;
    throw error;
  }
}

async function judge({ index, version, random }: Made): Promise<Outcome> {
  const problems = await verifyVersion(folder, index, version);
  let open: OpenIndex;
  try {
    open = await openIndex(folder, index, { version, threads: 1 });
  } catch (error) {
    if (problems.length === 0) throw new Error('opening refused what verify found sound', { cause: error });
    return refusal(error, 'refused');
  }
  try {
    return await searchAll(open, random, problems.length === 0);
  } finally {
    await open.close();
  }
}

async function searchAll(open: OpenIndex, random: () => number, sound: boolean): Promise<Outcome> {
  const { dim, count } = open.manifest;
  let refused = false;
  const searches = makeSearches(open, random);
  for (const search of searches) {
    const query = Float32Array.from({ length: dim }, () => 2 * random() - 1);
    try {
      for (const answer of [await search(query)].flat()) checkAnswer(open, answer, count, sound ? query : null);
    } catch (error) {
      if (sound && !(error instanceof ShortlistError && error.code === 'unknown_id')) throw error;
      refusal(error, 'refused');
      refused = true;
    }
  }
  return refused ? 'refused by a search' : sound ? 'answered' : 'answered, refused by verify';
}

type Search = (query: Float32Array) => SearchAnswer | Promise<SearchAnswer[]>;

function makeSearches(open: OpenIndex, random: () => number): Search[] {
  const { count, attributes } = open.manifest;
  const anId = () => open.ids.text(Math.floor(random() * count));
  const k = 1 + Math.floor(random() * 20);
  const priced = attributes.some(({ name }) => name === 'price')
    ? { price: { $lt: 40 * (1 + random() * 5) } }
    : undefined;
  const scored = (search: Search): Search => search;
  return [
    scored((query) => open.search(query, { k, ef: k })),
    scored((query) => open.search(query, { k: 20, ef: 100 })),
    scored((query) => open.search(query, { k: Math.min(count, 10_000) })),
    scored((query) => open.search(query, { k, exact: true })),
    scored((query) => open.search(query, { k: 60, exact: true })),
    scored((query) => open.search(query, { k, filter: priced ?? {} })),
    scored((query) => open.search(query, { k, excludeIds: [anId(), anId()], minScore: -1e30 })),
    scored((query) => open.search(query, { k, crowding: { attribute: 'generation', limit: 5 } })),
    () => open.searchById(anId(), { k }),
    (query) => open.searchSeeds([{ id: anId(), quota: 3 }, { vector: query, weight: 0.5 }], { k }),
    (query) => open.search(query, { k: 3, whyNot: [anId()], explain: true }),
    (query) => open.searchBatch(query, { k, exact: true }),
  ]; // prettier-ignore
}

function checkAnswer(open: OpenIndex, { ids, ordinals, scores, seedScores }: SearchAnswer, count: number, query: Float32Array | null): void {
  if (ids.length !== scores.length || ids.length !== ordinals.length) throw new Error('lengths differ');
  if (![...scores, ...(seedScores ?? [])].every(Number.isFinite)) throw new Error(`scores ${String(scores)}`);
  if (scores.some((score, i) => i > 0 && score > scores[i - 1]!)) throw new Error(`order ${String(scores)}`);
  if (new Set(ids).size !== ids.length || new Set(ordinals).size !== ordinals.length) throw new Error(`twice: ${String(ids)}`);
  if (ordinals.some((ordinal, i) => ordinal >= count || open.ids.text(ordinal) !== ids[i])) throw new Error('outside');
  if (query === null) return;
  // What verify found sound: each id leads back to its row.
  if (ids.some((id, i) => open.ids.find(id) !== ordinals[i])) throw new Error('an id that leads elsewhere');
} // prettier-ignore

/** A refusal has a code, and is no bug. */
function refusal(error: unknown, outcome: Outcome): Outcome {
  if (!(error instanceof ShortlistError) || error.code === 'internal') throw error;
  return outcome;
}

const counts: Record<string, number> = {};
for (let number = Number(from); number < Number(to); number++) {
  const made = makeMutant(number);
  try {
    const outcome = await judge(made);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  } catch (error) {
    const shown = error instanceof Error ? (error.stack ?? error.message) + (error.cause instanceof Error ? `\ncaused by ${error.cause.message}` : '') : String(error); // prettier-ignore
    console.log(JSON.stringify({ mutant: made.what, error: shown }));
  }
  // Versions are made anew for each: nothing of them is kept.
  rmSync(join(folder, made.index, made.version), { recursive: true, force: true });
}
console.log(JSON.stringify({ counts }));
