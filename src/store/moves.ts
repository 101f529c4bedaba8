/**
 * Publishes and rolls back in an object store, where no lock holds between publishers.
 *
 * Each object is replaced only on the condition that it is still what the publisher has read. A move takes three steps:
 *
 *   1. HISTORY gets the move that CURRENT has, if it lacks it: its publisher died after step 2, or is between the two.
 *   2. CURRENT gets the new move, with the next number. This is the commit point, and only one publisher wins it.
 *   3. HISTORY gets the new move. If that fails, readers complete it in memory, and the next publisher by step 1.
 *
 * So HISTORY has move N before CURRENT has N + 1, nobody adds a move to HISTORY that CURRENT never had, and numbers
 * have no gaps, wherever publishers die. Whoever loses a step begins again with what is there now.
 *
 * The answer to a write may be lost, and the client then repeats it and is refused by its own first write. A publisher
 * that loses step 2 therefore looks whether the move of that number is its own.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ShortlistError } from '../base/errors.js';
import { checkName } from '../version/disk/paths.js';
import { reasonOf } from '../version/state/change.js';
import { marksOf, requirePublished, type Moved, type PublishMarks } from '../version/state/publish.js';
import { publishedStack } from '../version/state/rollback-stack.js';
import { currentDocument, currentPlace, historyDocument, historyPlace, nextMove, withCurrent, type Move, type WantedMove } from '../version/state/state.js'; // prettier-ignore
import { resolveVersion } from '../version/state/catalog.js';
import { readDocument, writeDocument, type StoredDocument } from './documents.js';
import type { ObjectStore } from './objects/object-store.js';
import { storeFiles } from './store-files.js';
import { isWhole, requireWhole } from './whole.js';

export interface MoveOptions {
  readonly dryRun?: boolean | undefined;
  /** Why, and who wants it, for HISTORY. */
  readonly reason?: string | undefined;
  readonly who?: string | undefined;
  readonly now?: (() => Date) | undefined;
  /** Stops the move before CURRENT is written. */
  readonly signal?: AbortSignal | undefined;
}

interface PublishOptions extends MoveOptions, PublishMarks {
  /** The move is made only if this version is published, or none for null; default: whatever is. */
  readonly expects?: string | null | undefined;
}

/** Moves of others that may come first. Each of them is a publish that succeeded. */
const MAX_ATTEMPTS = 50;
/** Longest wait before the next attempt: publishers that wait as long would meet again. */
const MAX_WAIT_MS = 250;

/** @throws index_busy, and the errors of a version that is not whole in the store */
export async function publishInStore(
  store: ObjectStore,
  index: string,
  version: string,
  options: PublishOptions = {},
): Promise<Moved> {
  checkName('index', index);
  await requireWhole(store, index, version, options.signal);
  return makeMove(store, index, options, (state) => {
    const { expects } = options;
    const current = state.current?.value.version ?? null;
    if (expects !== undefined && current !== expects && current !== version)
      throw movedMeanwhile(index, expects, current);
    return Promise.resolve({ wanted: { action: 'publish', version, ...marksOf(options) }, skipped: [] });
  });
}

/** @throws version_not_found if there is nothing to go back to; usage for a version never published; index_busy */
export async function rollbackInStore(
  store: ObjectStore,
  index: string,
  options: MoveOptions & { readonly to?: string | undefined } = {},
): Promise<Moved> {
  checkName('index', index);
  const { to, signal } = options;
  const from = await readDocument(store, currentPlace(store.url, index), signal);
  return makeMove(store, index, options, async (state) => {
    const current = state.current?.value.version ?? null;
    if (current === null) {
      throw new ShortlistError('version_not_found', `index '${index}' has nothing published to roll back`, { index });
    }
    if (to === undefined) {
      // The person saw another version; going back from a newer one is not what they asked for.
      if (current !== from?.value.version) throw movedMeanwhile(index, from?.value.version ?? null, current);
      return findPrevious(store, index, state.moves, current, signal);
    }
    const version = await resolveVersion(store.url, index, to, storeFiles(store));
    requirePublished(index, version, state.moves);
    await requireWhole(store, index, version, signal);
    return { wanted: { action: 'rollback', version }, skipped: [] };
  });
}

interface StoreState {
  readonly current: StoredDocument<Move> | null;
  readonly recorded: StoredDocument<readonly Move[]> | null;
  /** The moves of HISTORY with that of CURRENT. */
  readonly moves: readonly Move[];
}

interface Choice {
  readonly wanted: WantedMove;
  readonly skipped: readonly string[];
}

/** @param choose is asked again for each state that the store is found in */
async function makeMove(
  store: ObjectStore,
  index: string,
  options: MoveOptions,
  choose: (state: StoreState) => Promise<Choice>,
): Promise<Moved> {
  const { signal } = options;
  let tried: Move | null = null;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    signal?.throwIfAborted();
    const state = await readState(store, index, signal);
    if (tried !== null && hasMove(state.moves, tried)) return finish(store, index, tried, []);
    const { wanted, skipped } = await choose(state);
    const current = state.current?.value ?? null;
    const { version } = wanted;
    if (current?.version === version) {
      return { index, version, previous: current.previous, changed: false, recorded: true, skipped };
    }
    const at = (options.now?.() ?? new Date()).toISOString();
    const next = nextMove(current, state.moves, wanted, { at, ...reasonOf(options) });
    if (options.dryRun === true) {
      return { index, version, previous: next.previous, changed: true, recorded: true, skipped };
    }
    if (await commit(store, index, state, next)) return finish(store, index, next, skipped);
    tried = next;
    await sleep(Math.random() * Math.min(MAX_WAIT_MS, 10 * 2 ** attempt));
  }
  const message = `other publishers moved what index '${index}' publishes ${MAX_ATTEMPTS} times meanwhile; try again`;
  throw new ShortlistError('index_busy', message, { index, store: store.url });
}

async function readState(store: ObjectStore, index: string, signal?: AbortSignal): Promise<StoreState> {
  const current = await readDocument(store, currentPlace(store.url, index), signal);
  const recorded = await readDocument(store, historyPlace(store.url, index), signal);
  return { current, recorded, moves: withCurrent(recorded?.value ?? [], current?.value ?? null) };
}

/** Steps 1 and 2. False if somebody else was faster. */
async function commit(store: ObjectStore, index: string, state: StoreState, next: Move): Promise<boolean> {
  const { current, recorded, moves } = state;
  const history = historyPlace(store.url, index).path;
  if (moves.length > (recorded?.value.length ?? 0)) {
    if (!(await writeDocument(store, history, historyDocument(index, moves), recorded?.tag ?? null))) return false;
  }
  const document = currentDocument(index, next);
  return writeDocument(store, currentPlace(store.url, index).path, document, current?.tag ?? null);
}

/** Step 3. What others add meanwhile includes this move. */
async function finish(store: ObjectStore, index: string, next: Move, skipped: readonly string[]): Promise<Moved> {
  const { version, previous } = next;
  const moved = { index, version, previous, changed: true, skipped };
  const place = historyPlace(store.url, index);
  try {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const recorded = await readDocument(store, place);
      const moves = withCurrent(recorded?.value ?? [], next);
      const isThere = moves.length === (recorded?.value.length ?? 0);
      if (isThere || (await writeDocument(store, place.path, historyDocument(index, moves), recorded?.tag ?? null))) {
        return { ...moved, recorded: true };
      }
    }
  } catch {
    // CURRENT has moved: the next move completes HISTORY.
  }
  return { ...moved, recorded: false };
}

/** Times and users tell the moves of two publishers apart. */
function hasMove(moves: readonly Move[], wanted: Move): boolean {
  const found = moves.find(({ sequence }) => sequence === wanted.sequence);
  return found !== undefined && found.version === wanted.version && found.at === wanted.at && found.who === wanted.who;
}

async function findPrevious(
  store: ObjectStore,
  index: string,
  moves: readonly Move[],
  current: string,
  signal: AbortSignal | undefined,
): Promise<Choice> {
  const skipped: string[] = [];
  for (const version of publishedStack(moves).reverse()) {
    if (version === current || skipped.includes(version)) continue;
    if (await isWhole(store, index, version, signal)) return { wanted: { action: 'rollback', version }, skipped };
    skipped.push(version);
  }
  const gone = skipped.length === 0 ? '' : ` except ${skipped.join(', ')}, which the store no longer has completely`;
  const message = `index '${index}' has no version to roll back to: none was published before ${current}${gone}`;
  throw new ShortlistError('version_not_found', message, { index, current, skipped });
}

function movedMeanwhile(index: string, expected: string | null, found: string | null): ShortlistError {
  const message = `${found ?? 'nothing'} is published now, and no longer ${expected ?? 'nothing'}: another publisher has moved index '${index}' meanwhile; look at it with shortlist history, and run the command again`;
  return new ShortlistError('index_busy', message, { index, expected, found });
}
