/**
 * The words of `valid` a person most likely meant by `word`, best first: few edits apart, or one the beginning of
 * the other. Empty when nothing is close.
 */
export function nearest(word: string, valid: Iterable<string>, limit = 3): string[] {
  const asked = word.slice(0, maxWordLength).toLowerCase();
  const allowed = Math.max(1, Math.ceil(asked.length * 0.4));
  const found: { name: string; distance: number }[] = [];
  for (const name of valid) {
    const candidate = name.slice(0, maxWordLength).toLowerCase();
    const distance = editDistance(asked, candidate);
    const isPart = asked.length >= 3 && (candidate.includes(asked) || asked.includes(candidate));
    if (distance <= allowed) found.push({ name, distance });
    else if (isPart) found.push({ name, distance: allowed + 1 });
  }
  found.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return found.slice(0, limit).map(({ name }) => name);
}

/** `; did you mean "a" or "b"?`, or nothing when no word is near. */
export function didYouMean(word: string, valid: Iterable<string>): string {
  const names = nearest(word, valid).map((name) => `"${name}"`);
  return names.length === 0 ? "" : `; did you mean ${names.join(" or ")}?`;
}

/** Names longer than this are compared by their beginning: the work is quadratic, and a client chooses the word. */
const maxWordLength = 80;

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      const cheapest = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (beforePrevious[column - 2] ?? 0) + 1 : Infinity,
      );
      current.push(cheapest);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? a.length;
}
