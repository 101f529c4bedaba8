/**
 * Ten publishes and rollbacks in a minute of load from autocannon over four connections: no request may fail, and every
 * answer must come from one version that was current when it was asked, or just before.
 */
import autocannon from 'autocannon';
import { expect, it } from 'vitest';
import { publish, rollback } from '../../src/version/state/publish.js';
import { buildVersion, publishVersion, temporaryFolder } from '../indexes.js';
import { TestServer, waitFor } from '../serve/server.js';

const SECONDS = 60;
const CONNECTIONS = 4;
const SWITCHES = 10;

/** From moving CURRENT to the last worker's switch: what a server may take to notice and load. */
const SWITCH_MS = 3_000;

interface Seen {
  readonly at: number;
  readonly status: number;
  readonly version: string;
  readonly generations: number;
}

function readAnswer(status: number, body: string): Seen {
  const answer = JSON.parse(body) as { version?: string; candidates?: { attributes: { generation: string } }[] };
  const generations = new Set((answer.candidates ?? []).map(({ attributes }) => attributes.generation)).size;
  return { at: Date.now(), status, version: answer.version ?? body, generations };
}

it(`serves ${SECONDS} s of load over ${SWITCHES} switches without a failed or mixed answer`, async () => {
  const root = temporaryFolder();
  const first = await publishVersion(root, 'listings', { seed: 1, rows: 3_000, dim: 64 });
  const second = await buildVersion(root, 'listings', { seed: 2, rows: 3_000, dim: 64 });
  const server = await TestServer.start(root, ['--log-level', 'info']);
  const seen: Seen[] = [];
  const load = autocannon({
    url: `${server.url}/v1/indexes/listings/search`,
    connections: CONNECTIONS,
    duration: SECONDS,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: 7, k: 20, include: { attributes: ['generation'] } }),
    setupClient: (client) => client.on('body', (body) => seen.push(readAnswer(200, body.toString()))),
  });
  const current = [{ at: Date.now(), version: first.version }];
  for (let i = 0; i < SWITCHES; i++) {
    await new Promise((resolve) => setTimeout(resolve, (SECONDS * 1000) / (2 * SWITCHES)));
    const published = current.at(-1)!.version === first.version;
    const version = published
      ? (await publish(root, 'listings', second.version), second.version)
      : (await rollback(root, 'listings')).version;
    current.push({ at: Date.now(), version });
    await waitFor('the switch', () => (seen.at(-1)?.version === version ? true : undefined));
  }
  const result = await load;
  expect(await server.stop()).toBe(0);
  expect({
    errors: result.errors,
    timeouts: result.timeouts,
    non2xx: result.non2xx,
    mismatches: result.mismatches,
  }).toEqual({ errors: 0, timeouts: 0, non2xx: 0, mismatches: 0 });
  expect(result['2xx']).toBeGreaterThan(SECONDS * 10);
  expect(seen.filter(({ generations }) => generations !== 1)).toEqual([]);
  for (const { at, version } of seen) {
    const now = current.findLastIndex((one) => one.at <= at);
    const allowed = current.filter(
      (one, position) =>
        position === now ||
        (position === now - 1 && at - current[now]!.at < SWITCH_MS) ||
        (position === now + 1 && one.at - at < SWITCH_MS),
    );
    expect(allowed.map((one) => one.version)).toContain(version);
  }
});
