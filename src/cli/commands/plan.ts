import { Command, Option } from 'commander';
import { ShortlistError } from '../../base/errors.js';
import { MAX_DIM, MAX_EF_CONSTRUCTION, MAX_M, MAX_SHARDS, MIN_M } from '../../base/limits.js';
import { availableCores, availableMemoryBytes } from '../../base/machine.js';
import { DEFAULT_ID_BYTES, plannedShape } from '../../builder/forecast/foresee.js';
import { forecastMachine, type MachinePlan } from '../../builder/forecast/machine-plan.js';
import { FORECAST_STAGES, type BuildShape } from '../../builder/forecast/model.js';
import { newestShape, readPastBuilds, type PastBuild } from '../../builder/forecast/past-builds.js';
import type { Range } from '../../builder/forecast/forecast.js';
import { ENGINE_NAMES } from '../../engine/engines.js';
import type { EngineName } from '../../engine/engine.js';
import { planIngest } from '../../ingest/plan.js';
import { action, byteSize, wholeNumber, type CommandContext } from '../command.js';
import { formatBytes, formatCount, formatDuration, formatPlural } from '../output/progress.js';
import { formatTable } from '../output/table.js';

interface PlanOptions {
  readonly input?: string[];
  readonly ids?: string[];
  readonly idColumn?: string;
  readonly vectorColumn?: string;
  readonly rows?: number;
  readonly dim?: number;
  readonly m?: number;
  readonly efConstruction?: number;
  readonly shards?: number;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly attributeBytes?: number;
  readonly memory?: number;
  readonly calibrate: boolean;
}

const HELP = `
Sizes come from --rows and --dim, or from the files of --input. With an index,
what is not given is that of its newest version:
  $ shortlist plan --rows 100M --dim 128
  $ shortlist plan listings --input feed/
The numbers rest on the builds under the root, whose manifests say what they took.`;

export function planCommand(): Command {
  return new Command('plan')
    .argument('[index]', 'index whose newest version gives what is not given')
    .description('print the memory, disk, time and shards that a build will need')
    .option('--input <path...>', 'files, folders or globs of a build; their rows are counted')
    .option('--ids <path...>', 'as for build: files of ids, with --input')
    .option('--id-column <name>', 'as for build, with --input (default: id)')
    .option('--vector-column <name>', 'as for build, with --input')
    .option('--rows <n>', 'number of rows, such as 2500000 or 100M', rowCount)
    .option('--dim <n>', 'dimension of the vectors', wholeNumber(1, MAX_DIM))
    .option('--m <n>', 'as for build (default: 16)', wholeNumber(MIN_M, MAX_M))
    .option('--ef-construction <n>', 'as for build (default: 200)', wholeNumber(1, MAX_EF_CONSTRUCTION))
    .option('--shards <n>', 'number of shards (default: the fewest that fit)', wholeNumber(1, MAX_SHARDS))
    .addOption(new Option('--engine <name>', 'as for build (default: native)').choices(ENGINE_NAMES))
    .option('--threads <n>', 'number of threads (default: all cores)', wholeNumber(1, 1024))
    .option('--attribute-bytes <size>', 'mean size of the attributes of a row, such as 120 (default: 0)', byteSize(0))
    .option('--memory <size>', 'memory of the machine, such as 64GiB (default: free memory here)', byteSize(1))
    .option('--no-calibrate', 'plan a build without calibration')
    .addHelpText('after', HELP)
    .action(
      action(async (context, options: PlanOptions, index?: string) => {
        context.refuseWithout(['ids', 'idColumn', 'vectorColumn'], 'input');
        const { calibrate, threads = availableCores() } = options;
        const before = index === undefined ? null : await newestShape(context.root, index, { threads, calibrate });
        const past = await readPastBuilds(context.root);
        const shape = await shapeOf(context, options, before);
        const memoryBytes = options.memory ?? availableMemoryBytes();
        const plan = forecastMachine(shape, options.shards ?? null, past, memoryBytes);
        return { json: toJson(plan, past), text: describe(plan, past) };
      }),
    );
}

async function shapeOf(
  { signal }: CommandContext,
  options: PlanOptions,
  before: BuildShape | null,
): Promise<BuildShape> {
  const { calibrate } = options;
  const parameters = {
    engine: options.engine ?? before?.engine ?? ENGINE_NAMES[0]!,
    m: options.m ?? before?.m ?? 16,
    efConstruction: options.efConstruction ?? before?.efConstruction ?? 200,
    shards: options.shards ?? before?.shards ?? 1,
    threads: options.threads ?? availableCores(),
    calibrate,
  };
  const sizes = options.input === undefined ? null : await sizesOf(options.input, options, parameters, before, signal);
  const rows = options.rows ?? sizes?.rows ?? before?.rows;
  const dim = options.dim ?? sizes?.dim ?? before?.dim;
  if (rows === undefined || dim === undefined) {
    throw new ShortlistError('usage', 'give --rows and --dim, or --input, or an index that has a version');
  }
  return {
    ...parameters,
    rows,
    dim,
    idType: sizes?.idType ?? before?.idType ?? { kind: 'utf8' },
    idBytes: sizes?.idBytes ?? before?.idBytes ?? DEFAULT_ID_BYTES,
    attributeBytes: options.attributeBytes ?? sizes?.attributeBytes ?? before?.attributeBytes ?? 0,
  };
}

async function sizesOf(
  paths: readonly string[],
  { ids, idColumn, vectorColumn }: PlanOptions,
  parameters: Parameters<typeof plannedShape>[0],
  before: BuildShape | null,
  signal: AbortSignal,
): Promise<BuildShape> {
  const columns = { ...(ids && { ids }), ...(idColumn !== undefined && { idColumn }), ...(vectorColumn !== undefined && { vectorColumn }) }; // prettier-ignore
  const plan = await planIngest({ paths, attributes: 'all', onBadRow: 'skip', signal, ...columns });
  if (plan.dim === null) throw new ShortlistError('no_rows', `no row of ${paths.join(', ')} has a vector`);
  return plannedShape(parameters, plan, plan.dim, before);
}

/** 2500000, 2,500,000, 2.5M, 100k, 1B. */
function rowCount(text: string): number {
  const plain = /^\d{1,3}(,\d{3})+$/.test(text.trim()) ? text.replaceAll(',', '') : text;
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([kmb]?)$/i.exec(plain.trim()) ?? [];
  const rows = Number(digits) * { '': 1, k: 1e3, m: 1e6, b: 1e9 }[unit.toLowerCase() as '' | 'k' | 'm' | 'b'];
  return wholeNumber(1, 1e12)(String(unit === '' ? rows : Math.round(rows))); // 8.2B is not whole in floats
}

function toJson(plan: MachinePlan, past: readonly PastBuild[]): Record<string, unknown> {
  const { shape, forecast } = plan;
  const bytes = ({ value, low, high }: Range) => ({ value: Math.round(value), low: Math.round(low), high: Math.round(high) }); // prettier-ignore
  const seconds = ({ value, low, high }: Range) => {
    const [v, l, h] = [value, low, high].map((each) => Math.round(10 * each) / 10);
    return { value: v, low: l, high: h };
  };
  return {
    rows: shape.rows,
    dim: shape.dim,
    engine: shape.engine,
    m: shape.m,
    ef_construction: shape.efConstruction,
    threads: shape.threads,
    shards: shape.shards,
    memory_bytes: bytes(forecast.memoryBytes),
    required_memory_bytes: Math.round(plan.requiredBytes),
    serve_memory_bytes: Math.round(plan.serveBytes),
    disk_bytes: bytes(forecast.diskBytes),
    seconds: seconds(forecast.seconds),
    stages: Object.fromEntries(FORECAST_STAGES.map((stage) => [stage, seconds(forecast.stages[stage])])),
    available_memory_bytes: plan.memoryBytes,
    fits: plan.fits,
    past_builds: forecast.builds,
    past_builds_here: forecast.buildsHere,
    past_plans: past.filter(({ planned }) => planned !== null).map((build) => ({ version: `${build.index}@${build.version}`, ...errorOf(build) })), // prettier-ignore
  };
}

/** How many times its plan a past build took. */
function errorOf({ planned, cost }: PastBuild): { memory: number; disk: number; time: number } {
  const round = (ratio: number): number => Math.round(100 * ratio) / 100;
  const seconds = FORECAST_STAGES.reduce((sum, stage) => sum + cost.seconds[stage], 0);
  return {
    memory: round(cost.memoryBytes / planned!.memory_bytes),
    disk: round(cost.diskBytes / planned!.disk_bytes),
    time: round(seconds / planned!.seconds),
  };
}

function describe(plan: MachinePlan, past: readonly PastBuild[]): string {
  const { shape, fits, memoryBytes } = plan;
  const table = formatTable<PlanRow>(
    [
      { title: '', value: ({ name }) => name },
      { title: 'expected', value: ({ value }) => value, align: 'right' },
      { title: 'from', value: ({ low }) => low, align: 'right' },
      { title: 'to', value: ({ high }) => high, align: 'right' },
      { title: '', value: ({ note }) => note },
    ],
    rowsOf(plan),
  );
  const title = `${formatPlural(shape.rows, 'vector')} of ${shape.dim}, ${shape.engine}, m ${shape.m}, ef-construction ${shape.efConstruction}, ${formatPlural(shape.shards, 'shard')}, ${formatPlural(shape.threads, 'thread')}`; // prettier-ignore
  const verdict = fits
    ? describeFit(plan)
    : [`the build does not fit into ${formatBytes(memoryBytes)} of memory: use a larger machine, fewer --threads with more --shards, or a smaller --m`]; // prettier-ignore
  return [title, '', table, '', ...verdict, ...describeServer(plan), describeBasis(plan), ...describePast(past)].join('\n'); // prettier-ignore
}

function describeFit({ shape, forecast, memoryBytes }: MachinePlan): string[] {
  const fit = `the build fits into ${formatBytes(memoryBytes)} of memory with ${formatPlural(shape.shards, 'shard')}`;
  if (forecast.memoryBytes.value <= memoryBytes) return [fit];
  return [`${fit}, but not all files that it maps do: the kernel drops and reads them again, so that it takes longer`];
}

function describeServer({ serveBytes, memoryBytes }: MachinePlan): string[] {
  const memory = formatBytes(memoryBytes);
  if (serveBytes > memoryBytes) return [`a server needs ${formatBytes(serveBytes)}, more than ${memory}: serve the index on a larger machine`]; // prettier-ignore
  if (2 * serveBytes > memoryBytes) return [`a server fits into ${memory}, but not with two versions, which it has during a swap`]; // prettier-ignore
  return [];
}

interface PlanRow {
  readonly name: string;
  readonly value: string;
  readonly low: string;
  readonly high: string;
  readonly note: string;
}

function rowsOf({ forecast, requiredBytes, serveBytes, shape }: MachinePlan): PlanRow[] {
  const range = (name: string, { value, low, high }: Range, form: (value: number) => string, note = ''): PlanRow => {
    return { name, value: form(value), low: form(low), high: form(high), note };
  };
  const single = (name: string, value: number, note: string): PlanRow => {
    return { name, value: formatBytes(value), low: '', high: '', note };
  };
  const mapped = Math.max(0, forecast.memoryBytes.value - requiredBytes);
  const stages = FORECAST_STAGES.filter((stage) => stage !== 'calibrate' || shape.calibrate);
  return [
    range('time', forecast.seconds, formatDuration),
    ...stages.map((stage) => range(`  ${stage}`, forecast.stages[stage], formatDuration)),
    range('memory of the build', forecast.memoryBytes, formatBytes, 'resident, with the files that it maps'),
    ...(mapped > 0 ? [single('  of it mapped', mapped, 'the kernel drops these files if memory is short')] : []),
    single('free at the start', requiredBytes, 'with less, a build refuses to start; a cautious estimate'),
    range('size on disk', forecast.diskBytes, formatBytes, 'one version; while it is built there are two'),
    single('memory of a server', serveBytes, 'one version; during a swap there are two'),
  ];
}

function describeBasis({ forecast: { builds, buildsHere } }: MachinePlan): string {
  if (builds === 0) return 'no build under this root says what it took: these are numbers of another machine';
  const here = buildsHere === 0 ? 'none of them on this processor' : `${formatCount(buildsHere)} of them on this processor`; // prettier-ignore
  return `based on ${formatPlural(builds, 'past build')}, ${here}`;
}

/** Newest plans that are shown. */
const SHOWN_PLANS = 5;

function describePast(past: readonly PastBuild[]): string[] {
  const planned = past.filter((build) => build.planned !== null).sort((a, b) => a.version.localeCompare(b.version));
  return planned.slice(-SHOWN_PLANS).map((build) => {
    const { memory, disk, time } = errorOf(build);
    return `${build.index}@${build.version} took ${time} times the planned time, ${memory} times the memory, ${disk} times the disk`;
  });
}
