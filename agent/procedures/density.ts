import { LockstepError } from '../../schemas/errors.ts';
import type { Cell } from '../../schemas/result.ts';
import { Findings } from './findings.ts';
import { GrowingSandboxes } from './growing-sandboxes.ts';
import type { RemovedSandboxes } from './growing-sandboxes.ts';
import { readMemoryAvailableBytes } from './memory-readings.ts';
import { parametersOf } from './procedure.ts';
import type { ArmedProcedure, Procedure, ProcedureContext, ProcedureOutcome } from './procedure.ts';

const BYTES_PER_MIB = 1024 * 1024;

/**
 * Sandboxes are added one after the other until one fails, memory runs short, or there are as many
 * as the cell says. That one fails is what is looked for: the trial fails only if none was well.
 */
export const density: Procedure = { kind: 'density', arm };

async function arm(context: ProcedureContext, cell: Cell): Promise<ArmedProcedure> {
  const sandboxes = await GrowingSandboxes.open(context, cell.instances);
  const standDown = async (): Promise<string[]> => (await sandboxes.remove()).leftovers;
  try {
    await sandboxes.add(1);
  } catch (error) {
    await standDown();
    throw error;
  }
  return {
    targets: sandboxes.targets(),
    start: async (requestAtMonoNs) => {
      const findings = new Findings();
      await sandboxes.startAdded(requestAtMonoNs);
      const reason = await addUntilTheEnd(context, cell, sandboxes);
      findings.condition('density-stopped', reason);
      await askAll(context, sandboxes);
      return outcomeOf(context, await sandboxes.remove(), findings);
    },
    standDown,
  };
}

/** Returns why no more are added. */
async function addUntilTheEnd(
  context: ProcedureContext,
  cell: Cell,
  sandboxes: GrowingSandboxes,
): Promise<string> {
  const { stopAtMemoryAvailableMib: leastMib } = parametersOf(context, 'density');
  for (;;) {
    if (context.signal.aborted) return 'the trial was stood down';
    if (!sandboxes.checkAlive()) return 'a sandbox failed';
    if (sandboxes.lives.length >= cell.instances) {
      return `there are ${cell.instances}, as many as were to be tried`;
    }
    const availableMib = Math.floor(readMemoryAvailableBytes() / BYTES_PER_MIB);
    if (availableMib < leastMib) {
      return `the host has ${availableMib} MiB available, less than ${leastMib} MiB`;
    }
    if (!(await sandboxes.addAndStart(1))) return 'a sandbox failed';
  }
}

/** Those that were well once must still answer. */
async function askAll({ signal }: ProcedureContext, sandboxes: GrowingSandboxes): Promise<void> {
  if (signal.aborted) {
    sandboxes.failAll(new LockstepError('CANCELLED', 'the trial was stood down'));
  }
  await Promise.all(
    sandboxes.lives
      .filter((life) => life.isWell)
      .map(async (life) => {
        try {
          await life.ask('/hello');
        } catch (error) {
          life.fail(error);
        }
      }),
  );
}

function outcomeOf(
  { signal }: ProcedureContext,
  removed: RemovedSandboxes,
  findings: Findings,
): ProcedureOutcome {
  const well = removed.instances.filter(({ status }) => status === 'ok');
  const failed = removed.instances.filter(({ status }) => status === 'failed');
  const [first] = failed;
  if (first?.failure !== undefined) {
    const { code, message } = first.failure;
    const text = `sandbox ${first.index} after ${first.failedAfter ?? 'creation'}: ${code}: `;
    findings.condition('density-failure', `${text}${message}`);
    const log = (first.logTail ?? '').trim();
    if (log !== '') findings.condition('density-log', log.slice(-200));
    findings.condition('density-failed', `${failed.length} of ${removed.instances.length}`);
  }
  if (well.length === 0 || signal.aborted) return { ...removed, ...findings.toOutcome() };
  findings.measure('density.sandboxes', well.length);
  return { ...removed, instances: well, ...findings.toOutcome() };
}
