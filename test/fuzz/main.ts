/** npm run test:fuzz -- [COUNT] [SEED] [FROM]: generated requests to a server of their own, each answer judged. Exits 1 where one is wrong. */
import { TestServer } from '../serve/server.js';
import { temporaryFolder } from '../indexes.js';
import { publishCatalogs } from './catalog.js';
import { fuzz } from './run.js';

const [count = 100_000, seed = Date.now() % 2 ** 31, from = 0] = process.argv.slice(2).map(Number);

const root = temporaryFolder();
const catalogs = await publishCatalogs(root);
const server = await TestServer.start(root);
console.log(`${count} requests of seed ${seed}, from ${from}`);
const { counts, failures } = await fuzz({
  port: server.port,
  catalogs,
  count,
  seed,
  from,
  onProgress: (done) => process.stderr.write(`${done}\r`),
});
console.table(Object.fromEntries(Object.entries(counts).sort()));
for (const failure of failures) console.log(failure);
const harm = server.lines.filter(({ level, msg }) => level >= 50 || msg === 'worker died');
for (const line of harm) console.log(JSON.stringify(line));
const exit = await server.stop();
process.exitCode = failures.length === 0 && harm.length === 0 && exit === 0 ? 0 : 1;
