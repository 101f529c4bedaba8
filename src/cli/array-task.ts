/** The number of the array task that this process is, from the variables of the systems that run array jobs. */

/** Each has the number, from 0. */
export const TASK_VARIABLES = ['JOB_COMPLETION_INDEX', 'SLURM_ARRAY_TASK_ID', 'AWS_BATCH_JOB_ARRAY_INDEX', 'CLOUD_RUN_TASK_INDEX']; // prettier-ignore

/** Null if none of the variables is a number. */
export function taskNumber(env: NodeJS.ProcessEnv = process.env): number | null {
  const value = TASK_VARIABLES.map((name) => env[name]).find((found) => found !== undefined);
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : null;
}
