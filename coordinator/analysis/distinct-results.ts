import { resultKey } from '../../schemas/result.ts';
import type { TrialResult } from '../../schemas/result.ts';
import type { RunSummary } from './run-summary.ts';

/** Every result once, and what was left out on the way. */
export interface DistinctResults {
  /** By key, ascending: whatever order the results came in, this is the same. */
  readonly results: readonly TrialResult[];
  readonly counts: RunSummary['results'];
}

/**
 * Keeps one result per key. What the device itself reports supersedes what the coordinator wrote
 * in its place. Exact copies are dropped; where results of one key differ, one is chosen by its
 * content, so that the order of arrival doesn't decide.
 */
export function distinctResults(runId: string, results: readonly TrialResult[]): DistinctResults {
  const byKey = new Map<string, TrialResult[]>();
  let foreign = 0;
  for (const result of results) {
    if (result.runId !== runId) {
      foreign += 1;
      continue;
    }
    const key = resultKey(result);
    const sharing = byKey.get(key);
    if (sharing === undefined) byKey.set(key, [result]);
    else sharing.push(result);
  }
  const kept: TrialResult[] = [];
  const counts = { duplicates: 0, superseded: 0, conflicting: 0 };
  for (const [, sharing] of [...byKey].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const chosen = choose(sharing, counts);
    if (chosen !== undefined) kept.push(chosen);
  }
  return {
    results: kept,
    counts: { read: results.length, distinct: kept.length, foreign, ...counts },
  };
}

interface LeftOut {
  duplicates: number;
  superseded: number;
  conflicting: number;
}

function choose(sharing: readonly TrialResult[], counts: LeftOut): TrialResult | undefined {
  if (sharing.length === 1) return sharing[0];
  const byContent = new Map(sharing.map((result) => [canonical(result), result]));
  counts.duplicates += sharing.length - byContent.size;
  const different = [...byContent].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const own = different.filter(([, result]) => result.reportedBy === 'device');
  const eligible = own.length > 0 ? own : different;
  counts.superseded += different.length - eligible.length;
  counts.conflicting += eligible.length - 1;
  return eligible[0]?.[1];
}

/** One text for one content, whatever the order of the fields. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`;
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
