import { describeColdness } from '../conditions/coldness.ts';
import { PageCacheWatch } from '../conditions/page-cache-watch.ts';
import type { MeasureName } from '../../schemas/measurement.ts';
import type { Findings } from './findings.ts';
import { measureGuestExits } from './guest-exits.ts';
import { parametersOf } from './procedure.ts';
import type { ArmedProcedure, Procedure, ProcedureContext } from './procedure.ts';
import {
  PROCESSOR_EVENTS,
  ProcessorCounters,
  findGateProcesses,
  whyNoCounters,
} from './processor-counters.ts';
import { armTogether } from './together.ts';

/**
 * A cold start with the state of the page cache set before and read back, and with what can be
 * counted from the gate to the first response: instructions and cycles of the processor where perf
 * counts them, exits of the guest where KVM does.
 */
export const startup: Procedure = {
  kind: 'startup',
  arm: (context, cell) => arm(context, cell.instances),
};

async function arm(context: ProcedureContext, instances: number): Promise<ArmedProcedure> {
  const { pageCache } = parametersOf(context, 'startup');
  const watch = new PageCacheWatch(context, pageCache);
  let counters: ProcessorCounters | undefined;
  const armed = await armTogether(context, instances, 'own-ready', {
    prepare: async (_lives, findings) => {
      await watch.before(findings);
      counters = await beginCounting(findings);
    },
    use: async (lives, findings) => {
      await endCounting(counters, findings);
      await measureGuestExits(lives, findings);
      await watch.after(findings);
    },
    conclude: (findings, records) => {
      findings.condition('coldness', describeColdness(records));
    },
  });
  const stopping = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } finally {
      await counters?.stop();
    }
  };
  return {
    targets: armed.targets,
    start: (requestAtMonoNs) => stopping(armed.start(requestAtMonoNs)),
    standDown: () => stopping(armed.standDown()),
  };
}

async function beginCounting(findings: Findings): Promise<ProcessorCounters | undefined> {
  const reason = await whyNoCounters();
  if (reason !== undefined) {
    findings.condition('instructions', `not measured: ${reason}`);
    return undefined;
  }
  try {
    // What a runtime starts is counted with the command that waits for it at the gate.
    const processIds = findGateProcesses();
    return await ProcessorCounters.begin({ processIds, events: PROCESSOR_EVENTS });
  } catch (error) {
    findings.unmeasured('instructions', error);
    return undefined;
  }
}

const MEASURE_OF: Readonly<Record<string, MeasureName>> = {
  instructions: 'cpu.instructions',
  cycles: 'cpu.cycles',
};

async function endCounting(
  counters: ProcessorCounters | undefined,
  findings: Findings,
): Promise<void> {
  for (const { event, value } of (await counters?.end()) ?? []) {
    const measure = MEASURE_OF[event];
    if (measure !== undefined) findings.measure(measure, value);
  }
}
