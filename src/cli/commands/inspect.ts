import { Command } from 'commander';
import { instructionSetOf } from '../../engine/engines.js';
import { readCurrent, readNote, resolveVersion } from '../../version/state/catalog.js';
import { readCalibration } from '../../retrieve/load/calibration.js';
import { versionBytes, type Manifest } from '../../version/sealed/manifest.js';
import { readManifest } from '../../version/sealed/manifest-file.js';
import { calibrationLines } from '../output/calibration-table.js';
import { action, parseTarget } from '../command.js';
import { describeRefusal, type GateVerdict } from '../../gate/verdict.js';
import { explainFigures, formatFigureTable } from '../output/figures.js';
import { formatBytes, formatCount, formatDuration, formatPlural } from '../output/progress.js';
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
      `id ${manifest.id.column} (${manifest.id.type}), vector ${manifest.vector.column} (${manifest.vector.type})`,
    ],
    [
      'attributes',
      manifest.attributes.map((attribute) => `${attribute.name} (${attribute.type})`).join(', ') || 'none',
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

/** The verdict, and the checks that failed or warned. */
function describeGate(gate: Readonly<Record<string, unknown>> | null): string {
  if (gate === null) return 'not run';
  const verdict = gate as unknown as GateVerdict;
  const warned = verdict.checks.filter((check) => check.verdict === 'warn').map(({ name }) => name);
  if (verdict.pass) return warned.length === 0 ? 'passed' : `passed, with a warning of ${warned.join(', ')}`;
  return `${gate['forced'] === true ? 'refused, but published by force' : 'refused'}: ${describeRefusal(verdict)}`;
}
