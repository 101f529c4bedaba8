/**
 * The plan of a build as an array job: a file that `plan-build` writes, and that every task and `assemble` read. It has
 * the options that decide the bytes, the files with their sizes and row counts, and the columns. It says nothing of a
 * machine: a task checks that the files it finds are those of the plan.
 */
import { stat } from 'node:fs/promises';
import type { ArrowField } from '../../arrow/column.js';
import { ShortlistError, ioError } from '../../base/errors.js';
import { TOOL_VERSION } from '../../base/tool-version.js';
import { filesOfIds } from '../../ingest/attached-ids.js';
import { changed, stampFile, type InspectedFile } from '../../ingest/inspect-file.js';
import type { IngestPlan } from '../../ingest/plan.js';
import type { Fields } from '../../version/disk/fields.js';
import type { FileSystem } from '../../version/disk/files.js';
import { readSealed, writeSealed } from '../../version/disk/sealed-json.js';
import { MANIFEST_FORMAT } from '../../version/sealed/manifest.js';
import type { VersionOptions } from '../build-options.js';
import { buildKey } from '../manifest-draft.js';

export interface BuildPlan {
  /** Equal for equal input and options. */
  readonly id: string;
  readonly options: VersionOptions;
  /** As the machine that reads the plan sees it. */
  readonly ingest: IngestPlan;
  /** For each file: the shard that all of its rows belong to; null if they belong to any. */
  readonly partitions: readonly (number | null)[];
}

/** As it is stored: fields once for all files that share them, and stamps that hold on other machines. */
interface StoredPlan extends Omit<BuildPlan, 'ingest'> {
  readonly format: number;
  readonly tool_version: string;
  readonly version_format: number;
  readonly ingest: Omit<IngestPlan, 'files'>;
  readonly schemas: readonly (readonly ArrowField[])[];
  readonly files: readonly StoredFile[];
}

type StoredFile = Omit<IngestPlan['files'][number], 'fields'> & {
  readonly schema: number;
  /** Nanoseconds since 1970, of the file and then of the file of its ids. */
  readonly modified: readonly string[];
};

const PLAN_FORMAT = 1;
/** 100,000 files at 500 bytes. */
const MAX_PLAN_BYTES = 64 * 2 ** 20;

export async function writeBuildPlan(
  path: string,
  options: VersionOptions,
  ingest: IngestPlan,
  partitions: readonly (number | null)[],
  files: FileSystem,
): Promise<BuildPlan> {
  const stored: StoredFile[] = [];
  const schemas: (readonly ArrowField[])[] = [];
  for (const { fields, ...file } of ingest.files) {
    const known = schemas.indexOf(fields);
    const schema = known >= 0 ? known : schemas.push(fields) - 1;
    const modified: string[] = [];
    for (const one of [file, ...filesOfIds(file.ids)]) modified.push(await modifiedAt(one.path));
    stored.push({ ...file, stamp: '', schema, modified });
  }
  const key = { ...ingest, files: ingest.files.map((file, i) => ({ ...file, stamp: stored[i]!.modified.join() })) };
  const id = buildKey(options, key).slice(0, 16);
  const plan = { id, options, partitions };
  const document: StoredPlan = {
    format: PLAN_FORMAT,
    tool_version: TOOL_VERSION,
    version_format: MANIFEST_FORMAT,
    ...plan,
    ingest: { ...ingest, files: undefined } as Omit<IngestPlan, 'files'>,
    schemas,
    files: stored,
  };
  await writeSealed(path, document, files);
  return { ...plan, ingest };
}

/** @throws input_not_found, state_corrupt, format_unsupported, input_corrupt if a file is not that of the plan */
export async function readBuildPlan(path: string, files: FileSystem): Promise<BuildPlan> {
  const place = { path, code: 'state_corrupt', maxBytes: MAX_PLAN_BYTES, remedy: 'run plan-build again' } as const;
  const stored = await readSealed({ ...place, check: checkPlan }, files);
  if (stored === null) throw new ShortlistError('input_not_found', `there is no plan ${path}; make it with: shortlist plan-build`, { file: path }); // prettier-ignore
  const { format, tool_version: release, version_format: versionFormat, schemas, files: all, ...rest } = stored;
  if (format !== PLAN_FORMAT || release !== TOOL_VERSION || versionFormat !== MANIFEST_FORMAT) {
    const message = `${path} was planned by shortlist ${release}, and this is ${TOOL_VERSION}: run plan-build again, and use one release for the plan and all tasks`;
    throw new ShortlistError('format_unsupported', message, { file: path });
  }
  const found: IngestPlan['files'][number][] = [];
  for (const { schema, modified, ...file } of all) found.push({ ...(await restamp(file, modified)), fields: schemas[schema]! }); // prettier-ignore
  return { ...rest, ingest: { ...rest.ingest, files: found } };
}

/** The seal holds, and the release is compared: other members are as `writeBuildPlan` wrote them. */
function checkPlan(fields: Fields): StoredPlan {
  fields.integer('format', 1);
  fields.text('tool_version');
  fields.text('id', /^[0-9a-f]{16}$/);
  return fields.all() as unknown as StoredPlan;
}

type Unstamped = Omit<IngestPlan['files'][number], 'fields'>;

/** The file with the stamp that it has on this machine. */
async function restamp(file: Unstamped, modified: readonly string[]): Promise<Unstamped> {
  const ids = file.ids?.kind === 'file' ? { ...file.ids, file: await restampOne(file.ids.file, modified[1]!) } : file.ids; // prettier-ignore
  return { ...(await restampOne(file, modified[0]!)), ids };
}

async function restampOne<T extends Pick<InspectedFile, 'path' | 'bytes'>>(file: T, modified: string): Promise<T> {
  if ((await modifiedAt(file.path)) !== modified) throw changed(file);
  return { ...file, stamp: await stampFile(file.path) };
}

/** Size and time of the last write: the same wherever a shared file system is mounted. */
async function modifiedAt(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch((error: unknown) => {
    throw ioError('read', path, error);
  });
  return `${found.size}:${found.mtimeNs}`;
}
