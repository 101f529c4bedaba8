/**
 * What a rollback goes back to. Publishing puts a version on a stack, a rollback takes versions off it until its own
 * is on top: after publishing A, B and C the first rollback gives B and the second A, not C again.
 */
import type { Move } from './state.js';

/** Versions that were published and not rolled back from, the current one last. */
export function publishedStack(moves: readonly Move[]): string[] {
  const first = moves[0];
  const stack: string[] = first === undefined || first.previous === null ? [] : [first.previous];
  for (const { action, version } of moves) {
    const depth = action === 'rollback' ? stack.lastIndexOf(version) : -1;
    if (depth >= 0) stack.length = depth + 1;
    else if (stack.at(-1) !== version) stack.push(version);
  }
  return stack;
}
