/** `doctor`: what is wrong is named, with what to do; nothing is changed. */
import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/base/errors.js';
import type { Finding } from '../../src/doctor/doctor.js';
import { buildVersion, publishVersion, temporaryFolder } from '../indexes.js';
import { call, callJson } from './call.js';

async function examine(
  root: string,
): Promise<{ code: number | null; findings: Finding[]; loud: Record<string, string> }> {
  const { code, json } = await callJson(['doctor', '--root', root]);
  const findings = json['findings'] as Finding[];
  const loud = Object.fromEntries(findings.filter(({ verdict }) => verdict !== 'pass').map(({ name, verdict }) => [name, verdict])); // prettier-ignore
  return { code, findings, loud };
}

/** Findings that depend on the machine of the test. */
const OF_MACHINE = ['node', 'addon', 'processors', 'memory', 'open_files', 'disk_speed'];
const ofRoot = (loud: Record<string, string>) => Object.fromEntries(Object.entries(loud).filter(([name]) => !OF_MACHINE.includes(name))); // prettier-ignore

describe('doctor', () => {
  it('finds nothing in a root that is well, and leaves nothing there', async () => {
    const root = temporaryFolder();
    const { version } = await publishVersion(root, 'items', { rows: 300 });
    const before = readdirSync(root);
    const { code, findings, loud } = await examine(root);
    expect(code).toBe(EXIT.done);
    expect(ofRoot(loud)).toEqual({ 'items: published': 'warn' }); // tests build without a calibration
    expect(findings.find(({ name }) => name === 'items: newest')?.detail).toContain(version);
    expect(findings.every(({ verdict, fix }) => (verdict === 'pass') === (fix === undefined))).toBe(true);
    expect(readdirSync(root)).toEqual(before);
    const { stdout } = await call(['doctor', '--root', root]);
    expect(stdout).toMatch(/\nwhat to do:\n[^]*items: published /);
    expect(stdout).toMatch(/the largest version has [\d.]+ KiB/);
  });

  it('names a published version that is damaged, a newer one that is not published, and leftovers', async () => {
    const root = temporaryFolder();
    const { version } = await publishVersion(root, 'items', { rows: 300 });
    await buildVersion(root, 'items', { rows: 300, seed: 2 });
    const ids = join(root, 'items', version, 'shard-0000.ids');
    chmodSync(ids, 0o644);
    truncateSync(ids, 10);
    mkdirSync(join(root, 'items', '.staging', 'old'), { recursive: true });
    const { code, loud } = await examine(root);
    expect(code).toBe(EXIT.checkFailed);
    expect(ofRoot(loud)).toEqual({ 'items: published': 'fail', 'items: newest': 'warn', 'items: leftovers': 'warn' });
  });

  it('names a damaged CURRENT and a damaged manifest', async () => {
    const root = temporaryFolder();
    const { version } = await publishVersion(root, 'items', { rows: 300 });
    writeFileSync(join(root, 'items', 'CURRENT'), '{}');
    const manifest = join(root, 'items', version, 'MANIFEST.json');
    chmodSync(manifest, 0o644);
    truncateSync(manifest, 100);
    const { code, loud } = await examine(root);
    expect(code).toBe(EXIT.checkFailed);
    expect(ofRoot(loud)).toMatchObject({ 'items: published': 'fail', [`items: ${version}`]: 'fail' });
  });

  it('says what a root is that is missing or a file', async () => {
    const root = temporaryFolder();
    expect(ofRoot((await examine(join(root, 'nowhere'))).loud)).toEqual({ root: 'warn' });
    writeFileSync(join(root, 'file'), '');
    expect((await examine(join(root, 'file'))).code).toBe(EXIT.checkFailed);
    rmSync(join(root, 'file'));
  });
});
