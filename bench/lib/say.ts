/** Progress for people, on stderr: stdout is for results. */
const startedMs = performance.now();

export function say(text: string): void {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1).padStart(7);
  process.stderr.write(`${seconds} s  ${text}\n`);
}
