/**
 * Compares two versions number by number: below 0 if `a` is older, above 0 if it is newer. What
 * follows the numbers (`-1+b2`, `rc1`) does not count.
 */
export function compareVersions(a, b) {
  const left = numbersOf(a);
  const right = numbersOf(b);
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The first dotted number in a text, such as what `--version` prints; undefined if none. */
export function findVersion(text) {
  return /\d+(?:\.\d+)+/.exec(text)?.[0];
}

function numbersOf(version) {
  return (findVersion(version) ?? version).split('.').map((part) => Number.parseInt(part, 10) || 0);
}
