/**
 * Which part of the queries an array job answers. `2/8` is the third of eight parts: they count from 0, as the array
 * tasks of Kubernetes, AWS Batch, Cloud Run and (with --array=0-7) Slurm do. `auto/8` takes the number from their
 * variables.
 */
import { ShortlistError } from '../base/errors.js';
import { TASK_VARIABLES, taskNumber } from './array-task.js';

const MAX_PARTS = 100_000;

/** The queries from `from` on, before `to`. @throws usage */
export function partOf(
  text: string,
  queries: number,
  env: NodeJS.ProcessEnv = process.env,
): { from: number; to: number } {
  const [, given, count] = /^(\d+|auto)\/(\d+)$/.exec(text) ?? [];
  if (given === undefined || count === undefined) throw wrongPart(text, 'give the part and their number, such as 0/8 or auto/8'); // prettier-ignore
  const parts = Number(count);
  if (parts < 1 || parts > MAX_PARTS) throw wrongPart(text, `there can be 1 to ${MAX_PARTS} parts`);
  const part = given === 'auto' ? (taskNumber(env) ?? noTask(text)) : Number(given);
  if (part >= parts) throw wrongPart(text, `parts count from 0, so the last one is ${parts - 1}`);
  const start = (position: number): number => Math.floor((queries * position) / parts);
  return { from: start(part), to: start(part + 1) };
}

function noTask(text: string): never {
  throw wrongPart(text, `none of ${TASK_VARIABLES.join(', ')} has the number of this task`);
}

function wrongPart(text: string, problem: string): ShortlistError {
  return new ShortlistError('usage', `--part is ${text}: ${problem}`, { option: '--part' });
}
