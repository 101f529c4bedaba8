/** A root with small real versions, and stores of each kind to put them into. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { FileEntry } from '../../src/version/sealed/manifest.js';
import { readManifest } from '../../src/version/sealed/manifest-file.js';
import { scratchFolder } from '../scratch.js';
import { INDEX, makeVersion, temporaryDirectory } from '../version/versions.js';
import type { StoreUnderTest } from './contract.js';
import { GsServer } from './gs-server.js';
import { S3Server } from './s3-server.js';

/** @returns the root and its versions, oldest first */
export async function makeRoot(count: number, rows = 20): Promise<{ root: string; versions: string[] }> {
  const root = temporaryDirectory();
  const versions: string[] = [];
  for (let seed = 1; seed <= count; seed++) versions.push((await makeVersion(root, { seed, rows })).version);
  return { root, versions };
}

export async function filesOf(root: string, version: string): Promise<readonly FileEntry[]> {
  return (await readManifest(root, INDEX, version)).files;
}

export function startFolder(): Promise<StoreUnderTest & { folder: string }> {
  const folder = mkdtempSync(join(scratchFolder(), 'file-store-'));
  const close = (): Promise<void> => {
    rmSync(folder, { recursive: true });
    return Promise.resolve();
  };
  return Promise.resolve({ url: pathToFileURL(folder).href, env: {}, close, folder });
}

/** The client takes its credentials from the variables of this process. */
export async function startS3(): Promise<StoreUnderTest & { server: S3Server }> {
  const server = await S3Server.start();
  Object.assign(process.env, server.env);
  return { url: 's3://bucket/indexes', env: server.env, close: () => server.close(), server };
}

export async function startGs(): Promise<StoreUnderTest & { server: GsServer }> {
  const server = await GsServer.start();
  return { url: 'gs://bucket/indexes', env: server.env, close: () => server.close(), server };
}

export const STORES: readonly (readonly [string, () => Promise<StoreUnderTest>])[] = [
  ['a folder', startFolder],
  ['S3', startS3],
  ['Google Cloud Storage', startGs],
];
