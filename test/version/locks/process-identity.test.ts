import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { currentProcess, livenessOf, type ProcessIdentity } from '../../../src/version/locks/process-identity.js';

const self = currentProcess();
const identityOf = (pid: number): ProcessIdentity => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return { ...self, pid, started: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]! };
};

describe('the liveness of another process', () => {
  it('is alive for this one and gone for one that ended', async () => {
    expect(livenessOf(self, self)).toBe('alive');
    const child = spawn('sleep', ['60']);
    const identity = identityOf(child.pid!);
    expect(livenessOf(identity, self)).toBe('alive');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(livenessOf(identity, self)).toBe('gone');
  });

  it('is gone for a zombie, which still has its number', async () => {
    // The shell becomes a process that never asks for its child's end.
    const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60']);
    const [text] = (await once(parent.stdout, 'data')) as [Buffer];
    const identity = identityOf(Number(text.toString()));
    expect(livenessOf(identity, self)).toBe('alive');
    while (!readFileSync(`/proc/${identity.pid}/stat`, 'utf8').includes(') Z '))
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(livenessOf(identity, self)).toBe('gone');
    parent.kill('SIGKILL');
  });

  it('is gone where the number belongs to a younger process', () => {
    expect(livenessOf({ ...self, started: '1' }, self)).toBe('gone');
  });

  it('is unknown on another machine, kernel or namespace', () => {
    for (const elsewhere of [{ host: 'other' }, { bootId: 'other' }, { pidNamespace: 'pid:[1]' }]) {
      expect(livenessOf({ ...self, ...elsewhere }, self)).toBe('unknown');
    }
  });
});
