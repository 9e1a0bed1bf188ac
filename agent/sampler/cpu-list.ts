/**
 * Parses a list of processors as the kernel writes it, such as `0-2,5` (cpuset(7), "List format").
 *
 * @returns their numbers, ascending, each once; undefined if it is not such a list
 */
export function parseCpuList(text: string): number[] | undefined {
  const found = new Set<number>();
  for (const part of text.trim().split(',')) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim());
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    if (last < first) return undefined;
    for (let cpu = first; cpu <= last; cpu += 1) found.add(cpu);
  }
  return [...found].sort((a, b) => a - b);
}

/** Writes processors as the kernel does. */
export function formatCpuList(cpus: readonly number[]): string {
  const sorted = [...new Set(cpus)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let index = 0; index < sorted.length; index += 1) {
    const first = sorted[index] ?? 0;
    let last = first;
    while (sorted[index + 1] === last + 1) {
      last += 1;
      index += 1;
    }
    parts.push(first === last ? `${first}` : `${first}-${last}`);
  }
  return parts.join(',');
}
