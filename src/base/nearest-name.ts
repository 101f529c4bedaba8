/** "Did you mean": the known name nearest to an unknown one. */
import { distance } from 'fastest-levenshtein';

/** The nearest name within a third of its length in edits, or null: farther ones confuse more than they help. */
export function nearestName(unknown: string, known: Iterable<string>): string | null {
  let best: string | null = null;
  let fewest = Infinity;
  const wanted = unknown.slice(0, 64).toLowerCase();
  for (const name of known) {
    const edits = distance(wanted, name.slice(0, 128).toLowerCase());
    if (edits < fewest && edits <= Math.max(1, Math.floor(name.length / 3))) {
      best = name;
      fewest = edits;
    }
  }
  return best;
}

/** `; did you mean x?` or nothing, to end a message with. */
export function didYouMean(unknown: string, known: Iterable<string>): string {
  const name = nearestName(unknown, known);
  return name === null ? '' : `; did you mean ${name}?`;
}
