import { Command } from 'commander';
import { readCurrent, readNote, resolveVersion } from '../version/catalog.js';
import { readManifest, versionBytes, type Manifest } from '../version/manifest.js';
import { action, parseTarget } from './command.js';
import { formatBytes, formatCount, formatDuration } from './progress.js';

export function inspectCommand(): Command {
  return new Command('inspect')
    .argument('<index[@version]>', 'what to look at; without a version the published one')
    .description('show the manifest of a version, its sizes and its gate verdict')
    .action(
      action(async ({ root }, _options, target: string) => {
        const { index, ref } = parseTarget(target);
        const version = await resolveVersion(root, index, ref);
        const manifest = await readManifest(root, index, version);
        const gate = await readNote(root, index, version, 'gate');
        const current = (await readCurrent(root, index))?.version === version;
        const bytes = versionBytes(manifest);
        return {
          json: { ...manifest, bytes, current, gate, calibration: null },
          text: describe(manifest, bytes, current, gate),
        };
      }),
    );
}

function describe(manifest: Manifest, bytes: number, current: boolean, gate: unknown): string {
  const parameters = Object.entries(manifest.engine.parameters).map(([name, value]) => `${name} ${String(value)}`);
  const stages = Object.entries(manifest.stages).map(([name, seconds]) => `${name} ${formatDuration(seconds)}`);
  const lines: [string, string][] = [
    ['version', `${manifest.index}@${manifest.version}${current ? ' (current)' : ''}`],
    ['created', `${manifest.created_at} by shortlist ${manifest.tool_version}`],
    [
      'vectors',
      `${formatCount(manifest.count)} x ${manifest.dim}, ${manifest.metric}, ${manifest.shards.length} shard${manifest.shards.length === 1 ? '' : 's'}`,
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
    ['rejected', `${formatCount(manifest.rejects.total)} rows`],
    ['build', stages.join(', ')],
    ['gate', describeGate(gate)],
    ['content', manifest.content],
    ['files', formatBytes(bytes)],
  ];
  const files = manifest.files.map(
    (file) => `  ${file.name.padEnd(20)} ${formatBytes(file.bytes).padStart(10)}  sha256 ${file.sha256.slice(0, 16)}…`,
  );
  const sources = manifest.sources.map(
    (file) => `  ${file.path}  ${formatCount(file.rows)} rows  ${formatBytes(file.bytes)}`,
  );
  return [...lines.map(([name, value]) => `${name.padEnd(11)}${value}`), ...files, 'sources', ...sources].join('\n');
}

function describeGate(gate: unknown): string {
  if (gate === null || typeof gate !== 'object' || !('pass' in gate)) return 'not run';
  return gate.pass === true ? 'passed' : 'refused';
}
