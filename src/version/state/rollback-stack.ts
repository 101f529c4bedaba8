/**
 * Where a rollback goes. A publish puts its version on a stack; a rollback removes versions until its own is on top.
 * After publishing A, B and C, the first rollback goes to B and the second to A, not to C again.
 */
import type { Move } from './state.js';

/** Versions that were published and not rolled back, the current one last. */
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
