/** Connections that are closed for their age. */
import { createServer } from 'node:http';
import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { ConnectionAges } from '../../../src/serve/worker/connections.js';

it('connections are old after their time, and not before', () => {
  const server = createServer();
  let now = 0;
  const ages = new ConnectionAges(server, () => now, 1_000);
  const socket = new Socket();
  server.emit('connection', socket);
  expect(ages.isOld(new Socket())).toBe(false);
  now = 874;
  expect(ages.isOld(socket)).toBe(false);
  now = 1_001;
  expect(ages.isOld(socket)).toBe(true);
});
