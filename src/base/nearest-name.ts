/** "Did you mean": the known name nearest to an unknown one. */

/** The nearest name within a third of its length in edits, or null: farther ones confuse more than they help. */
export function nearestName(unknown: string, known: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Infinity;
  const wanted = unknown.slice(0, 64).toLowerCase();
  for (const name of known) {
    const distance = editDistance(wanted, name.slice(0, 128).toLowerCase());
    if (distance < bestDistance && distance <= Math.max(1, Math.floor(name.length / 3))) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** `; did you mean x?` or nothing, to end a message with. */
export function didYouMean(unknown: string, known: Iterable<string>): string {
  const name = nearestName(unknown, known);
  return name === null ? '' : `; did you mean ${name}?`;
}

/** Insertions, deletions and replacements from one text to the other (Levenshtein), one row at a time. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
