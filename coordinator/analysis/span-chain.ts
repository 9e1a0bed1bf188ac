import { PHASES } from '../../schemas/result.ts';
import type { Phase } from '../../schemas/result.ts';

interface Chain<T> {
  /** Steps from phase to phase that the spans cover. */
  readonly covered: number;
  readonly spans: readonly T[];
}

/**
 * Those of some spans that follow each other without overlap, cover the most of a sandbox's life,
 * and of such choices are the finest: a whole gives way to its parts, but only if all are there.
 */
export function finestChain<T extends { readonly from: Phase; readonly to: Phase }>(
  spans: readonly T[],
): readonly T[] {
  const nothing: Chain<T> = { covered: 0, spans: [] };
  const bestFrom: Chain<T>[] = [];
  for (let place = PHASES.length - 1; place >= 0; place -= 1) {
    let best = bestFrom[place + 1] ?? nothing;
    for (const span of spans) {
      const end = PHASES.indexOf(span.to);
      if (PHASES.indexOf(span.from) !== place || end <= place) continue;
      const rest = bestFrom[end] ?? nothing;
      const chain = { covered: end - place + rest.covered, spans: [span, ...rest.spans] };
      if (isBetter(chain, best)) best = chain;
    }
    bestFrom[place] = best;
  }
  return bestFrom[0]?.spans ?? [];
}

function isBetter<T>(a: Chain<T>, b: Chain<T>): boolean {
  return a.covered === b.covered ? a.spans.length > b.spans.length : a.covered > b.covered;
}
