/** The checks that need only the manifests of a version and of the live version: schema, rows, rejects, graphs. */
import { formatNumber } from '../base/number-text.js';
import { versionBytes, type Manifest } from '../version/sealed/manifest.js';
import type { Report } from './report.js';

/** What does not need a live version. */
export function checkManifest(manifest: Manifest, live: Manifest | null, report: Report): void {
  const rejected = (of: Manifest): number => of.rejects.total / Math.max(1, of.count + of.rejects.total);
  const kinds = Object.entries(manifest.rejects.kinds).map(([kind, count]) => `${formatNumber(count, 0)} ${kind}`); // prettier-ignore
  report.add('rejected', {
    value: rejected(manifest),
    live: live && rejected(live),
    ...(kinds.length > 0 && { detail: kinds.join(', ') }),
  });
  for (const figure of ['unreachable', 'unfound'] as const) {
    const share = figureShare(manifest, figure);
    if (share !== null) report.add(figure, { value: share, live: live && figureShare(live, figure) });
  }
  report.add('bytes', { value: versionBytes(manifest), live: live && versionBytes(live) });
}

/** Share of the rows that a figure of the graphs counts; null for an engine without it. */
function figureShare({ shards, count }: Manifest, figure: string): number | null {
  const values = shards.map(({ figures }) => figures[figure]).filter((value) => value !== undefined);
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / Math.max(1, count);
}

/** @param repeated a version that was published before and has the same content or input */
export function compareManifests(manifest: Manifest, live: Manifest, repeated: Manifest | null, report: Report): void {
  compareSchema(manifest, live, report);
  compareParameters(manifest, live, report);
  report.add('fresh', freshness(manifest, live, repeated));
  report.add('rows', { value: manifest.count, live: live.count });
}

function compareSchema(manifest: Manifest, live: Manifest, report: Report): void {
  const differs = (what: string, value: string | number, old: string | number) =>
    value === old ? { value: 0 } : { value: 1, detail: `the ${what} is ${value}, in the live version ${old}` };
  if (!report.skips('dimension')) report.add('dimension', differs('dimension', manifest.dim, live.dim));
  if (!report.skips('metric')) report.add('metric', differs('metric', manifest.metric, live.metric));
  report.add('id_type', differs('type of ids', manifest.id.type, live.id.type));
  const types = new Map(manifest.attributes.map(({ name, type }) => [name, type]));
  const problems = live.attributes.flatMap(({ name, type }) => {
    const found = types.get(name);
    if (found === type) return [];
    return found === undefined ? `${name} is gone` : `${name} is ${found}, in the live version ${type}`;
  });
  report.add('attributes', { value: problems.length, ...(problems.length > 0 && { detail: problems.join('; ') }) });
}

function compareParameters(manifest: Manifest, live: Manifest, report: Report): void {
  const parameters = ['m', 'ef_construction'] as const;
  const ratios = parameters.map((name) => {
    const [value, old] = [manifest.engine.parameters[name], live.engine.parameters[name]];
    return typeof value === 'number' && typeof old === 'number' ? { name, value, old, ratio: value / old } : null;
  });
  const known = ratios.filter((ratio) => ratio !== null);
  if (known.length === 0) return;
  const changed = known.filter(({ ratio }) => ratio !== 1);
  const engine =
    manifest.engine.name === live.engine.name ? [] : `engine ${manifest.engine.name}, live ${live.engine.name}`;
  const detail = [changed.map(({ name, value, old }) => `${name} ${value}, live ${old}`), engine].flat();
  report.add('graph_parameters', {
    value: Math.min(...known.map(({ ratio }) => ratio)),
    ...(detail.length > 0 && { detail: detail.join('; ') }),
  });
}

function freshness(manifest: Manifest, live: Manifest, repeated: Manifest | null): { value: number; detail?: string } {
  if (repeated !== null) {
    const is = manifest.content === repeated.content ? 'identical to' : 'built from the same input as';
    return { value: 0, detail: `${is} ${nameOf(repeated)}` };
  }
  return manifest.created_at < live.created_at ? { value: 0, detail: `older than ${nameOf(live)}` } : { value: 1 };
}

function nameOf({ index, version }: Manifest): string {
  return `${index}@${version}`;
}

/** Equal files, or equal inputs: a rebuild that brings nothing new points to a feed that stands still. */
export function isRepeat(manifest: Manifest, live: Manifest): boolean {
  const digests = ({ sources }: Manifest): string => sources.map(({ sha256 }) => sha256).join();
  return manifest.content === live.content || digests(manifest) === digests(live);
}
