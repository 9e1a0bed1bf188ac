import { LockstepError } from '../../schemas/errors.ts';
import type { Findings } from './findings.ts';
import type { InstanceLife } from './instance-life.ts';
import type { Invocation } from './invoke.ts';
import { pause } from './pause.ts';
import type { ArmedProcedure, ProcedureContext } from './procedure.ts';
import { armTogether } from './together.ts';

/** How a function that is ready is called again and again. */
export interface RepeatedCalls {
  /** With a query if need be. */
  readonly path: string;
  readonly calls: number;
  /** Wait before each call. */
  readonly pauseMs: number;
  /** What was computed; a label of the measurements. Absent: nothing by name. */
  readonly work?: string;
  /** Says what is wrong with an answer of status 200; undefined if nothing is. */
  readonly mistakeIn?: (invocation: Invocation) => string | undefined;
}

/**
 * Arms sandboxes that are started and called once as in a burst, and then called one call after
 * the other. Several sandboxes are called at the same time, each by its own sequence. A call that
 * fails ends the sequence of its sandbox; what was measured before is kept.
 */
export function armRepeatedCalls(
  context: ProcedureContext,
  instances: number,
  plan: RepeatedCalls,
): Promise<ArmedProcedure> {
  return armTogether(context, instances, 'own-ready', {
    use: async (lives, findings) => {
      await Promise.all(
        lives.map(async (life, instance) => {
          try {
            await callInTurn({ life, instance, findings, signal: context.signal }, plan);
          } catch (error) {
            life.fail(error);
          }
        }),
      );
    },
  });
}

interface Turn {
  readonly life: InstanceLife;
  readonly instance: number;
  readonly findings: Findings;
  readonly signal: AbortSignal;
}

async function callInTurn(turn: Turn, plan: RepeatedCalls): Promise<void> {
  const { life, instance, findings, signal } = turn;
  let sizeBefore: number | undefined;
  for (let call = 1; call <= plan.calls; call += 1) {
    await pause(plan.pauseMs, signal);
    const invocation = await life.ask(plan.path);
    const mistake = plan.mistakeIn?.(invocation);
    if (mistake !== undefined) throw wrongAnswer(plan.path, mistake);
    const labels = {
      call: String(call),
      ...(plan.work === undefined ? {} : { work: plan.work }),
    };
    const { callAtMonoNs, lastByteAtMonoNs, guestDurationNs, responseBytes } = invocation;
    const place = { instance, labels };
    findings.measure('call.duration', Number(lastByteAtMonoNs - callAtMonoNs), place);
    if (guestDurationNs !== undefined) {
      findings.measure('call.guest_duration', guestDurationNs, place);
    }
    // A result has room for so many figures, and this one seldom changes.
    if (responseBytes !== sizeBefore) findings.measure('call.response_size', responseBytes, place);
    sizeBefore = responseBytes;
  }
}

function wrongAnswer(path: string, mistake: string): LockstepError {
  return new LockstepError(
    'FUNCTION_ANSWERED_WRONG',
    `the function answered ${path} wrong: ${mistake}`,
    { hint: 'Look at the log of the sandbox, and at the function and its files.' },
  );
}
