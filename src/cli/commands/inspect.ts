import { Command } from 'commander';
import { instructionSetOf } from '../../engine/engines.js';
import { readCurrent, readNote, resolveVersion } from '../../version/state/catalog.js';
import { readCalibration } from '../../retrieve/load/calibration.js';
import { versionBytes, type Manifest } from '../../version/sealed/manifest.js';
import { readManifest } from '../../version/sealed/manifest-file.js';
import { calibrationLines } from '../output/calibration-table.js';
import { action, parseTarget } from '../command.js';
import type { Published } from '../../builder/publish-gated.js';
import { explainFigures, formatFigureTable } from '../output/figures.js';
import { formatBytes, formatCount, formatDuration, formatPlural } from '../output/progress.js';
import { gateError } from './publish.js';
import { formatPairs } from '../output/table.js';

export function inspectCommand(): Command {
  return new Command('inspect')
    .argument('<index[@version]>', 'version to show (default: the published one)')
    .description('show the manifest, sizes, gate verdict and calibration of a version')
    .action(
      action(async ({ root }, _options, target: string) => {
        const { index, ref } = parseTarget(target);
        const version = await resolveVersion(root, index, ref);
        const manifest = await readManifest(root, index, version);
        const gate = await readNote(root, index, version, 'gate');
        const calibration = await readCalibration(root, index, version);
        const current = (await readCurrent(root, index))?.version === version;
        const bytes = versionBytes(manifest);
        const isa = instructionSetOf('native');
        return {
          json: { ...manifest, bytes, current, gate, calibration, isa },
          text: [
            describe(manifest, bytes, current, gate, isa),
            ...(calibration === null ? [] : calibrationLines(calibration)),
          ].join('\n'),
        };
      }),
    );
}

function describe(
  manifest: Manifest,
  bytes: number,
  current: boolean,
  gate: Readonly<Record<string, unknown>> | null,
  isa: string | null,
): string {
  const parameters = Object.entries(manifest.engine.parameters).map(([name, value]) => `${name} ${String(value)}`);
  const stages = Object.entries(manifest.stages).map(([name, seconds]) => `${name} ${formatDuration(seconds)}`);
  const lines: [string, string][] = [
    ['version', `${manifest.index}@${manifest.version}${current ? ' (current)' : ''}`],
    ['created', `${manifest.created_at} by shortlist ${manifest.tool_version}`],
    [
      'vectors',
      `${formatCount(manifest.count)} x ${manifest.dim}, ${manifest.metric}, ${formatPlural(manifest.shards.length, 'shard')}`,
    ],
    ['engine', `${manifest.engine.name}: ${parameters.join(', ')}, seed ${manifest.seed}`],
    [
      'columns',
      `id ${manifest.id.column} (${manifest.id.label}), vector ${manifest.vector.column} (${manifest.vector.label})`,
    ],
    [
      'attributes',
      manifest.attributes.map((attribute) => `${attribute.name} (${attribute.label})`).join(', ') || 'none',
    ],
    ['rejected', formatPlural(manifest.rejects.total, 'row')],
    ['build', stages.join(', ')],
    ['gate', describeGate(gate)],
    ['content', manifest.content],
    ['machine', isa === null ? 'the native engine is not installed here' : `the native engine uses ${isa} here`],
    ['files', formatBytes(bytes)],
  ];
  const files = manifest.files.map(
    (file) => `  ${file.name.padEnd(20)} ${formatBytes(file.bytes).padStart(10)}  sha256 ${file.sha256.slice(0, 16)}…`,
  );
  const sources = manifest.sources.map(
    (file) => `  ${file.path}  ${formatCount(file.rows)} rows  ${formatBytes(file.bytes)}`,
  );
  const figures = formatFigureTable(manifest.shards);
  return [
    formatPairs(lines),
    ...files,
    'sources',
    ...sources,
    ...(figures === null ? [] : ['graphs', indent(figures), indent(explainFigures(manifest.shards))]),
  ].join('\n');
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}

/** The verdict, and the failed check of a refusal. */
function describeGate(gate: Readonly<Record<string, unknown>> | null): string {
  if (gate === null) return 'not run';
  if (gate['pass'] === true) return 'passed';
  const failed = (gate['checks'] as Published['gate']['checks']).find((check) => !check.pass);
  return failed === undefined ? 'refused' : `refused: ${gateError({ pass: false, checks: [failed] }).error!.message}`;
}
