/** What the machine offers: Node, the addon, instructions, processors, memory, open files. */
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { formatBytes } from '../base/byte-size.js';
import { ShortlistError } from '../base/errors.js';
import { availableCores, availableMemoryBytes, memoryLimitBytes } from '../base/machine.js';
import { engineOf } from '../engine/engines.js';
import { fail, pass, warn, type Finding } from './finding.js';

/** The releases of Node that are tested. */
const TESTED_NODES = [20, 22, 24];
const MIN_NODE = '20.19';
/** A server opens some files per version, and a descriptor per connection. */
const MIN_OPEN_FILES = 4096;
const MIN_FREE_BYTES = 2 ** 30;

export function checkMachine(): Finding[] {
  return [checkNode(), checkAddon(), checkCores(), checkMemory(), checkOpenFiles()].flat();
}

function checkNode(): Finding {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const detail = `Node ${node} on ${process.platform}-${process.arch}`;
  if (major < 20 || (major === 20 && minor < 19)) return fail('node', detail, `install Node ${MIN_NODE} or later`);
  if (!TESTED_NODES.includes(major)) return warn('node', detail, `tested are Node ${TESTED_NODES.join(', ')}`);
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return warn('node', detail, 'only Linux on x86-64 is tested');
  return pass('node', detail);
}

function checkAddon(): Finding {
  try {
    const isa = engineOf('native').instructionSet();
    const detail = `the native engine uses ${isa ?? 'no instruction set'}`;
    if (isa !== 'generic') return pass('addon', detail);
    return warn(
      'addon',
      detail,
      'use a processor with AVX2, or unset SHORTLIST_ISA: searches take several times as long',
    );
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
    return fail('addon', error.message, 'run: npm rebuild, or npm run build:native in a clone');
  }
}

function checkCores(): Finding {
  const [cores, machine] = [availableCores(), availableParallelism()];
  const detail = `${cores} of ${machine} processors may be used`;
  return cores < machine ? warn('processors', detail, 'a cgroup limits them; raise its quota if that is not meant') : pass('processors', detail); // prettier-ignore
}

function checkMemory(): Finding {
  const [free, limit] = [availableMemoryBytes(), memoryLimitBytes()];
  const where = limit < totalmem() ? "the cgroup's limit" : 'the machine';
  const detail = `${formatBytes(free)} free of ${formatBytes(limit)} (${where})`;
  if (free >= MIN_FREE_BYTES) return pass('memory', detail);
  return warn('memory', detail, 'stop other programs or raise the limit: builds need memory for all vectors');
}

/** Linux only; elsewhere there is no finding. */
function checkOpenFiles(): Finding[] {
  let limits: string;
  try {
    limits = readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return [];
  }
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  const count = soft === undefined || soft === 'unlimited' ? Infinity : Number(soft);
  const detail = `${soft ?? 'unknown'} open files are allowed`;
  if (count >= MIN_OPEN_FILES) return [pass('open_files', detail)];
  return [warn('open_files', detail, `raise it for servers: ulimit -n ${MIN_OPEN_FILES * 4}`)];
}
