import type { TrialResult } from '../../schemas/result.ts';

/** What a result counts as. */
export type Outcome = 'kept' | 'failed' | 'invalid' | 'unmeasured' | 'stood-down';

const CALLED_OFF: readonly string[] = ['GANG_INCOMPLETE', 'CANCELLED', 'COORDINATOR_STOPPED'];

/**
 * Sorts a result: stood down if its trial was called off; failed if it failed, whatever else;
 * invalid if it carries a mark; unmeasured if it lacks its latency; else
 * kept.
 *
 * @param latencyNs what the result measures, as `measure` says
 */
export function outcomeOf(result: TrialResult, latencyNs: number | undefined): Outcome {
  if (isStoodDown(result)) return 'stood-down';
  if (result.status === 'failed') return 'failed';
  if (result.invalid.length > 0) return 'invalid';
  return latencyNs === undefined ? 'unmeasured' : 'kept';
}

/**
 * True if only calling the trial off made it fail: that says nothing of the sandbox. A decline, a
 * lost device, a late go message or a sandbox that crashed by itself are failures all the same:
 * leaving them out would make the failure rate look better than the fleet was.
 */
function isStoodDown({ status, failure, instances }: TrialResult): boolean {
  const isCalledOff = (code: string | undefined): boolean =>
    code !== undefined && CALLED_OFF.includes(code);
  return (
    status === 'failed' &&
    isCalledOff(failure?.code) &&
    instances.every((instance) => instance.status === 'ok' || isCalledOff(instance.failure?.code))
  );
}
