import { COVERAGE } from '../analysis/statistics/coverage.ts';
import type { MedianRatio } from '../analysis/statistics/ratio-interval.ts';
import { judgeAll, judgeLimit, judgeRatio, judgeSpread } from './claim-rule.ts';
import type { ClaimVerdict, Judgement } from './claim-rule.ts';
import { ratioOf } from './measured-suite.ts';
import type { Asked, MeasuredSuite } from './measured-suite.ts';
import { chooseOne, choosePair, sandboxesFor } from './targets.ts';
import type { Chosen, Target } from './targets.ts';
import { TWELVE_CLAIMS } from './twelve-claims.ts';
import type { Claim, ClaimPart } from './twelve-claims.ts';

/** One part of a claim as it came out here. */
export interface JudgedPart extends Judgement {
  readonly title: string;
  /** What the study says, as text. */
  readonly published: string;
  /** Absent unless the part is a ratio that could be formed. */
  readonly ratio?: MedianRatio;
  /** The sandboxes that it rests on. */
  readonly sandboxes: readonly string[];
  /** Those of them that are not what the study had, and how they differ. */
  readonly standIns: readonly string[];
}

/** A claim as it came out here. */
export interface JudgedClaim {
  readonly id: string;
  readonly claim: string;
  readonly verdict: ClaimVerdict;
  readonly parts: readonly JudgedPart[];
}

/** Judges all twelve claims by what was measured. Pure. */
export function judgeClaims(suite: MeasuredSuite): JudgedClaim[] {
  return TWELVE_CLAIMS.map((claim) => judgeClaim(claim, suite));
}

function judgeClaim({ id, claim, parts }: Claim, suite: MeasuredSuite): JudgedClaim {
  const judged = parts.map((part) => judgePart(part, suite));
  return { id, claim, verdict: judgeAll(judged.map(({ verdict }) => verdict)), parts: judged };
}

function judgePart(part: ClaimPart, suite: MeasuredSuite): JudgedPart {
  const base = { title: part.title, published: part.publishedText };
  if (part.kind === 'never') return unmeasured(base, part.why);
  const unlike = unlikeStudy(part, suite);
  if (unlike !== undefined) return unmeasured(base, unlike);
  switch (part.kind) {
    case 'ratio':
      return { ...base, ...judgePair(part, suite) };
    case 'first-to-later':
      return { ...base, ...judgeCalls(part, suite) };
    case 'spread':
      return { ...base, ...judgeTargets(part, suite) };
    case 'limit':
      return { ...base, ...judgeConnections(part, suite) };
  }
}

type Part<K extends ClaimPart['kind']> = Extract<ClaimPart, { kind: K }>;
type Outcome = Omit<JudgedPart, 'title' | 'published'>;

function unmeasured(base: Pick<JudgedPart, 'title' | 'published'>, why: string): JudgedPart {
  return { ...base, verdict: 'not-measurable', why, sandboxes: [], standIns: [] };
}

/** Why what was done is not what the claim is about. Undefined if it is. */
function unlikeStudy(
  part: Exclude<ClaimPart, { kind: 'never' }>,
  suite: MeasuredSuite,
): string | undefined {
  const { asked } = part;
  const measured = suite.experiment(asked.experiment);
  if (measured === undefined) return `${asked.experiment} is not in this part of the suite`;
  if (measured.state === 'not-run') return `${asked.experiment} was not run`;
  const { procedure } = measured.experiment ?? {};
  if (procedure === undefined) {
    const { code, message } = measured.failure ?? {};
    return `${asked.experiment} did not run: ${code ?? ''} ${message ?? 'nobody told why'}`;
  }
  const unlike = part.unlike?.(procedure);
  if (unlike !== undefined) return unlike;
  const { instances } = asked;
  if (instances === undefined) return undefined;
  if (measured.cells.some(({ cell }) => cell.instances === instances)) return undefined;
  return `${asked.experiment} has no ${instances} sandboxes at once in this arm`;
}

function judgePair(part: Part<'ratio'>, suite: MeasuredSuite): Outcome {
  const { asked, numerator, denominator, published } = part;
  const pair = choosePair(numerator, denominator, suite.has(asked));
  if (pair === undefined) {
    return without(suite, asked, [numerator, denominator]);
  }
  const [upper, lower] = pair;
  const ratio = ratioOf(suite.values(asked, upper.sandbox), suite.values(asked, lower.sandbox));
  return {
    ...judgeRatio(published, ratio),
    ...(ratio === undefined ? {} : { ratio }),
    ...named(suite, asked, pair),
  };
}

function judgeCalls(part: Part<'first-to-later'>, suite: MeasuredSuite): Outcome {
  const { asked, later, target, published } = part;
  const chosen = chooseOne(target, suite.has(asked));
  if (chosen === undefined) return without(suite, asked, [target]);
  const ratio = ratioOf(
    suite.values(asked, chosen.sandbox),
    suite.values({ ...asked, quantity: later }, chosen.sandbox),
  );
  return {
    ...judgeRatio(published, ratio),
    ...(ratio === undefined ? {} : { ratio }),
    ...named(suite, asked, [chosen]),
  };
}

function judgeTargets(part: Part<'spread'>, suite: MeasuredSuite): Outcome {
  const { asked, targets } = part;
  const chosen = targets.map((target) => chooseOne(target, suite.has(asked)));
  const found = chosen.filter((one) => one !== undefined);
  const missing = targets
    .filter((_, index) => chosen[index] === undefined)
    .map((target) => suite.lacks(asked, target, sandboxesFor(target)));
  const couples = found.flatMap((first, index) =>
    found.slice(index + 1).map((second) => [first, second] as const),
  );
  // All pairs together shall keep the coverage (Bonferroni).
  const coverage = 1 - (1 - COVERAGE) / Math.max(1, couples.length);
  const pairs = couples.map(([first, second]) => ({
    names: [first.sandbox, second.sandbox] as const,
    ratio: ratioOf(
      suite.values(asked, first.sandbox),
      suite.values(asked, second.sandbox),
      coverage,
    ),
  }));
  return { ...judgeSpread(pairs, missing), ...named(suite, asked, found) };
}

function judgeConnections(part: Part<'limit'>, suite: MeasuredSuite): Outcome {
  const { asked, target, published } = part;
  const chosen = chooseOne(target, suite.has(asked));
  if (chosen === undefined) return without(suite, asked, [target]);
  const found = suite.values(asked, chosen.sandbox).map(({ valueNs }) => valueNs);
  return { ...judgeLimit(published, found), ...named(suite, asked, [chosen]) };
}

/** A part that nobody can be found for: which targets, and why each. */
function without(suite: MeasuredSuite, asked: Asked, targets: readonly Target[]): Outcome {
  const isMeasured = suite.has(asked);
  const reasons = targets.flatMap((target) => {
    // One sandbox can not be both sides of a ratio.
    const others = targets.filter((other) => other !== target).flatMap(sandboxesFor);
    const own = sandboxesFor(target).filter((sandbox) => !others.includes(sandbox));
    const left = own.length === 0 ? sandboxesFor(target) : own;
    return left.some(isMeasured) ? [] : [suite.lacks(asked, target, left)];
  });
  const why = `no values for ${reasons.join('; ')}`;
  return { verdict: 'not-measurable', why, sandboxes: [], standIns: [] };
}

function named(
  suite: MeasuredSuite,
  asked: Asked,
  chosen: readonly Chosen[],
): Pick<JudgedPart, 'sandboxes' | 'standIns'> {
  return {
    sandboxes: chosen.map(({ sandbox }) => sandbox),
    standIns: chosen.map((one) => suite.standIn(asked, one)).filter((text) => text !== undefined),
  };
}
