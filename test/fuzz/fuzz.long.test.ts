import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../indexes.js';
import { TestServer } from '../serve/server.js';
import { publishCatalogs, type Catalog } from './catalog.js';
import { fuzz } from './run.js';

const COUNT = 2_000;
const SEED = 2026;

describe('generated requests, sound ones and bent ones', () => {
  let server: TestServer;
  let catalogs: Catalog[];
  beforeAll(async () => {
    const root = temporaryFolder();
    catalogs = await publishCatalogs(root);
    server = await TestServer.start(root, ['--workers', '1']);
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  it(`get right answers or refusals that say why (${COUNT} of seed ${SEED})`, async () => {
    const { counts, failures } = await fuzz({ port: server.port, catalogs, count: COUNT, seed: SEED });
    expect(failures.join('\n')).toBe('');
    expect(counts['200']).toBeGreaterThan(COUNT / 4);
    expect(Object.keys(counts).length).toBeGreaterThan(15);
    expect(server.lines.filter(({ level, msg }) => level >= 50 || msg === 'worker died')).toEqual([]);
  });
});
