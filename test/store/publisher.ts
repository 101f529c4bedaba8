/**
 * A publisher in a process of its own: publishes the given versions one after the other, as often as it is told, and
 * prints each move that it won as a line of JSON.
 *
 *     node --import tsx test/store/publisher.ts URL INDEX WHO COUNT VERSION...
 */
import { openStore } from '../../src/store/objects/open-store.js';
import { publishInStore } from '../../src/store/moves.js';

const [url = '', index = '', who = '', count = '', ...versions] = process.argv.slice(2);
const store = await openStore(url);
for (let move = 0; move < Number(count); move++) {
  const version = versions[move % versions.length]!;
  const { changed, previous } = await publishInStore(store, index, version, { who, reason: `move ${move}` });
  console.log(JSON.stringify({ version, previous, changed }));
}
store.close();
