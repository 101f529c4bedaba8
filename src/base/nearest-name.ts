/** "Did you mean": the known name nearest to an unknown one. */
import { distance } from 'fastest-levenshtein';

/** The nearest name by edit distance, at most a third of its length away; else null, since others would mislead. */
export function nearestName(unknown: string, known: Iterable<string>): string | null {
  let nearest: string | null = null;
  let minEdits = Infinity;
  const wanted = unknown.slice(0, 64).toLowerCase();
  for (const name of known) {
    const edits = distance(wanted, name.slice(0, 128).toLowerCase());
    if (edits < minEdits && edits <= Math.max(1, Math.floor(name.length / 3))) {
      nearest = name;
      minEdits = edits;
    }
  }
  return nearest;
}

/** `; did you mean x?` for the end of a message, or nothing. */
export function didYouMean(unknown: string, known: Iterable<string>): string {
  const name = nearestName(unknown, known);
  return name === null ? '' : `; did you mean ${name}?`;
}
