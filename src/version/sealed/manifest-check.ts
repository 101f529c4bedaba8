/** Checks the fields of a manifest, each alone and then against the others. Throws FieldError, naming the field. */
import { MAX_DIM, MAX_SHARD_ROWS, MAX_SHARDS, NAME_PATTERN } from '../../base/limits.js';
import { METRICS } from '../../base/metric.js';
import { contentDigest } from './content-digest.js';
import { FieldError, type Fields } from '../disk/fields.js';
import {
  MANIFEST_FORMATS,
  type AttributeEntry,
  type ColumnEntry,
  type EngineEntry,
  type FileEntry,
  type Manifest,
  type RejectsEntry,
  type Setting,
  type ShardEntry,
  type SourceEntry,
} from './manifest.js';
import { isGraphFile, rowFilesOf, sharedFilesOf } from './shard-files.js';
import { ID_TYPE_PATTERN } from './type-name.js';
import { isVersionName, parseVersionName } from './version-name.js';

const HEX_256 = /^[0-9a-f]{64}$/;
const SEALED_DIGEST = /^sha256:[0-9a-f]{64}$/;
/** Plain names: none leads out of the directory, and none is hidden. */
const FILE_NAME = /^[a-z0-9][a-z0-9._-]{0,127}$/;
const FIGURE_NAME = /^[a-z][a-z0-9_]{0,63}$/;

/** @throws FieldError */
export function checkManifest(fields: Fields): Manifest {
  const manifest: Manifest = {
    format: MANIFEST_FORMATS.find((format) => format === fields.integer('format', 1)) ?? fields.fail('format', 'is not known'), // prettier-ignore
    index: fields.text('index', NAME_PATTERN),
    version: fields.text('version'),
    created_at: fields.instant('created_at'),
    tool_version: fields.text('tool_version'),
    metric: fields.oneOf('metric', METRICS),
    dim: fields.integer('dim', 1, MAX_DIM),
    count: fields.integer('count', 1),
    shards: fields.list('shards', checkShard),
    id: checkIdColumn(fields.object('id')),
    vector: checkColumn(fields.object('vector')),
    attributes: fields.list('attributes', checkAttribute),
    engine: checkEngine(fields.object('engine')),
    seed: fields.integer('seed', Number.MIN_SAFE_INTEGER),
    options: checkSettings(fields, 'options'),
    sources: fields.list('sources', checkSource),
    files: fields.list('files', checkFile),
    content: fields.text('content', SEALED_DIGEST),
    stages: fields.numbers('stages', 'numbers'),
    rejects: checkRejects(fields.object('rejects')),
    duplicates: fields.integer('duplicates'),
    ...checkInputNorm(fields),
  };
  checkTogether(manifest, fields);
  return manifest;
}

function checkInputNorm(fields: Fields): Pick<Manifest, 'input_norm'> {
  if (!Object.hasOwn(fields.all(), 'input_norm')) return {};
  const norm = fields.number('input_norm');
  return Number.isFinite(norm) && norm >= 0 ? { input_norm: norm } : fields.fail('input_norm', 'is not a length');
}

function checkShard(fields: Fields): ShardEntry {
  return {
    files: fields.texts('files'),
    count: fields.integer('count', 0, MAX_SHARD_ROWS),
    figures: checkFigures(fields),
  };
}

/** Names are shown to people, and values must fit into JSON. Manifests of earlier releases have no figures. */
function checkFigures(fields: Fields): Readonly<Record<string, number>> {
  if (!fields.names().includes('figures')) return {};
  const figures = fields.numbers('figures', 'numbers');
  const inner = fields.object('figures');
  for (const [name, value] of Object.entries(figures)) {
    if (!FIGURE_NAME.test(name)) inner.fail(name, `is not named in the form ${FIGURE_NAME.source}`);
    if (!Number.isFinite(value)) inner.fail(name, 'is not a finite number');
  }
  return figures;
}

function checkColumn(fields: Fields): ColumnEntry {
  return { column: fields.text('column'), type: fields.text('type'), label: fields.text('label') };
}

function checkIdColumn(fields: Fields): ColumnEntry {
  return { ...checkColumn(fields), type: fields.text('type', ID_TYPE_PATTERN) };
}

function checkAttribute(fields: Fields): AttributeEntry {
  return {
    name: fields.text('name'),
    type: fields.text('type'),
    label: fields.text('label'),
    nullable: fields.flag('nullable'),
  };
}

function checkEngine(fields: Fields): EngineEntry {
  return { name: fields.text('name', NAME_PATTERN), parameters: checkSettings(fields, 'parameters') };
}

function checkSource(fields: Fields): SourceEntry {
  return {
    path: fields.text('path'),
    bytes: fields.integer('bytes'),
    rows: fields.integer('rows'),
    sha256: fields.text('sha256', HEX_256),
  };
}

function checkFile(fields: Fields): FileEntry {
  return {
    name: fields.text('name', FILE_NAME),
    bytes: fields.integer('bytes'),
    sha256: fields.text('sha256', HEX_256),
  };
}

function checkRejects(fields: Fields): RejectsEntry {
  return { total: fields.integer('total'), kinds: fields.numbers('kinds', 'counts') };
}

function checkSettings(fields: Fields, name: string): Readonly<Record<string, Setting>> {
  const record = fields.record(name);
  for (const [key, value] of Object.entries(record)) {
    if (!isSetting(value)) fields.object(name).fail(key, 'is not a string, number, boolean, null or list of strings');
  }
  return record as Record<string, Setting>;
}

function isSetting(value: unknown): value is Setting {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string');
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

/** Checks that concern several fields. */
function checkTogether(manifest: Manifest, fields: Fields): void {
  const content = contentDigest(manifest.files);
  if (!isVersionName(manifest.version)) fields.fail('version', 'is not the name of a version');
  if (manifest.content !== `sha256:${content}`) fields.fail('content', 'is not the digest of the files');
  if (parseVersionName(manifest.version)?.hash !== content.slice(0, 8)) {
    fields.fail('version', 'does not end with the first digits of the content digest');
  }
  checkCounts(manifest, fields);
  checkFileNames(manifest, fields);
}

function checkCounts(manifest: Manifest, fields: Fields): void {
  const { shards, rejects } = manifest;
  if (shards.length < 1 || shards.length > MAX_SHARDS)
    fields.fail('shards', `does not have 1 to ${MAX_SHARDS} entries`);
  const rows = shards.reduce((sum, shard) => sum + shard.count, 0);
  if (rows !== manifest.count) fields.fail('count', `is not ${rows}, the number of rows in the shards`);
  const rejected = Object.values(rejects.kinds).reduce((sum, count) => sum + count, 0);
  if (rejected !== rejects.total) fields.fail('rejects.total', `is not ${rejected}, the sum of its kinds`);
}

/** Each file belongs to exactly one part of the version, and no part lacks a file. */
function checkFileNames(manifest: Manifest, fields: Fields): void {
  const names = manifest.files.map((file) => file.name);
  names.forEach((name, position) => {
    if (position > 0 && names[position - 1]! >= name) fields.fail('files', `is not sorted, or names ${name} twice`);
  });
  manifest.shards.forEach((shard, position) => {
    const rows = rowFilesOf(manifest, position);
    const foreign = shard.files.slice(rows.length).find((name) => !isGraphFile(position, name));
    if (foreign !== undefined) fields.fail(`shards[${position}].files`, `has ${foreign}, which is no file of a graph`);
    for (const [place, name] of rows.entries()) {
      if (shard.files[place] !== name) fields.fail(`shards[${position}].files`, `does not have ${name} at place ${place}`); // prettier-ignore
    }
  });
  const used = [...sharedFilesOf(manifest), ...manifest.shards.flatMap((shard) => shard.files)].sort();
  if (used.length !== names.length || used.some((name, position) => name !== names[position])) {
    throw new FieldError(fields.path('files'), 'does not list exactly the files of ids, attributes and shards');
  }
}
