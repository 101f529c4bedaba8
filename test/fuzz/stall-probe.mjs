/**
 * Preloaded into a server's processes (`node --import`): how long the event loop was held up at most, in time of the main
 * thread on a processor, which other programs on the machine do not add to, and by the clock. On SIGUSR2 it writes both, in
 * milliseconds, to `$STALL_PROBE/<pid>.json` and begins anew.
 */
import { openSync, readSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

const folder = process.env.STALL_PROBE;

if (folder !== undefined && isMainThread && process.platform === 'linux') {
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const buffer = Buffer.alloc(128);
  const cell = new Int32Array(new SharedArrayBuffer(4));
  /** Nanoseconds of the main thread on a processor. They are counted when it leaves one, else only at ticks 4 ms apart: it leaves. */
  const onProcessor = () => {
    Atomics.wait(cell, 0, 0, 0.05);
    return Number(buffer.toString('latin1', 0, readSync(file, buffer, 0, 128, 0)).split(' ')[0]);
  };
  let last = { cpu: onProcessor(), clock: performance.now() };
  let worst = { cpuMs: 0, clockMs: 0 };
  const look = () => {
    const now = { cpu: onProcessor(), clock: performance.now() };
    worst = {
      cpuMs: Math.max(worst.cpuMs, (now.cpu - last.cpu) / 1e6),
      clockMs: Math.max(worst.clockMs, now.clock - last.clock),
    };
    last = now;
  };
  setInterval(look, 1).unref();
  process.on('SIGUSR2', () => {
    look();
    const path = join(folder, `${process.pid}.json`);
    writeFileSync(`${path}.tmp`, JSON.stringify(worst));
    renameSync(`${path}.tmp`, path);
    worst = { cpuMs: 0, clockMs: 0 };
  });
}
