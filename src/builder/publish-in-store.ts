/**
 * Publishes a version of an object store as publish-gated.ts does in a root: the gate, its verdict, then CURRENT. The
 * gate needs the files of the version and of the live one: both are pulled into a folder first, unless they are there.
 *
 * CURRENT moves only if the version that the gate compared with is still the published one. If another publisher was
 * faster, the verdict says nothing about what is live now, and the publish ends with `index_busy`.
 */
import { EXIT, ShortlistError } from '../base/errors.js';
import { runGate, type GateOptions } from '../gate/gate.js';
import { describeRefusal, type GateVerdict } from '../gate/verdict.js';
import { keyOf } from '../store/documents.js';
import { publishInStore } from '../store/moves.js';
import type { ObjectStore } from '../store/objects/object-store.js';
import { pullVersion } from '../store/pull.js';
import { putSmall } from '../store/push.js';
import { refuseInStore } from '../store/refusals.js';
import { storeFiles } from '../store/store-files.js';
import { sealJson } from '../version/disk/sealed-json.js';
import { readCurrent } from '../version/state/catalog.js';
import { notePath } from '../version/state/notes.js';
import type { Published, PublishGatedOptions } from './publish-gated.js';

/** @param folder root of the pulled versions @throws as a pull, the gate and a publish */
export async function publishGatedInStore(
  store: ObjectStore,
  folder: string,
  index: string,
  version: string,
  options: PublishGatedOptions,
): Promise<Published> {
  const { dryRun, reason, who, signal, newEmbedding } = options;
  const current = await readCurrent(store.url, index, storeFiles(store));
  const published = current?.version ?? null;
  const live = published === version ? (current?.previous ?? null) : published;
  await pullVersion(store, folder, index, version, pullOptions(options));
  if (live !== null) await pullVersion(store, folder, index, live, pullOptions(options)).catch(unlessDamaged);
  const gate = await runGateOn(store, folder, index, version, live, options);
  const isSound = gate.checks[0]?.pass === true;
  const forced = !gate.pass && options.force === true && isSound;
  const accepted = gate.pass || forced;
  if (!dryRun)
    await putVerdict(store, index, version, { ...gate, at: new Date().toISOString(), ...(forced && { forced }) });
  const change = { reason, who, signal, newEmbedding };
  if (!accepted) {
    const refusal = { ...change, refusedBy: describeRefusal(gate) };
    const recorded = dryRun || (await refuseInStore(store, index, version, refusal));
    return { version, previous: published, accepted, forced, recorded, changed: false, gate };
  }
  const warned = gate.checks.filter(({ verdict }) => verdict === 'warn').map(({ name }) => name);
  const why = { warned, ...(forced && { forced: describeRefusal(gate) }) };
  const moved = await publishInStore(store, index, version, { ...change, ...why, dryRun, expects: published });
  const { previous, recorded, changed } = moved;
  return { version, previous, accepted, forced, recorded, changed, gate };
}

function pullOptions({ signal, onProgress }: PublishGatedOptions) {
  return { signal, onProgress: (done: number, total: number) => onProgress?.('pull', done, total, 'bytes') };
}

/** A live version that the store no longer has whole is no fault of the new one: the gate reports it. */
function unlessDamaged(error: unknown): null {
  if (error instanceof ShortlistError && error.exit === EXIT.badIndex) return null;
  throw error;
}

/** The limits are those of gate.json in the store, if it has one; else those beside the pulled versions. */
async function runGateOn(
  store: ObjectStore,
  folder: string,
  index: string,
  version: string,
  live: string | null,
  options: GateOptions,
): Promise<GateVerdict> {
  const hasLimits = (await store.head(`${index}/gate.json`, options.signal)) !== null;
  const limitsFrom = hasLimits ? { root: store.url, files: storeFiles(store) } : undefined;
  return runGate(folder, index, version, { ...options, live, limitsFrom });
}

function putVerdict(store: ObjectStore, index: string, version: string, verdict: object): Promise<void> {
  const key = keyOf(store, notePath(store.url, index, version, 'gate', 'json'));
  return putSmall(store, key, Buffer.from(sealJson(verdict)));
}
