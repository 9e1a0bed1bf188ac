import type { Findings } from './findings.ts';
import type { InstanceLife } from './instance-life.ts';
import { pause } from './pause.ts';
import { parametersOf } from './procedure.ts';
import type { Procedure, ProcedureContext } from './procedure.ts';
import { PROCESSOR_EVENTS, ProcessorCounters, whyNoCounters } from './processor-counters.ts';
import { armTogether } from './together.ts';

/**
 * Sandboxes that do nothing are watched: the CPU time that each uses in intervals, from its cgroup,
 * and where perf counts them the instructions and cycles of all together.
 */
export const idleCpu: Procedure = {
  kind: 'idle-cpu',
  arm: (context, cell) =>
    armTogether(context, cell.instances, 'own-ready', {
      use: async (lives, findings) => {
        const { settleMs } = parametersOf(context, 'idle-cpu');
        await pause(settleMs, context.signal);
        const counters = await beginCounting(context, lives, findings);
        try {
          await watch(context, lives, findings);
          await endCounting(context, counters, findings);
        } finally {
          await counters?.stop();
        }
      },
    }),
};

async function watch(
  context: ProcedureContext,
  lives: readonly InstanceLife[],
  findings: Findings,
): Promise<void> {
  const { intervals, intervalMs } = parametersOf(context, 'idle-cpu');
  const beginMs = performance.now();
  const before = lives.map((life) => readCpu(life, findings));
  for (let interval = 1; interval <= intervals; interval += 1) {
    // From the beginning on, so that what one interval is late does not add up.
    const dueMs = beginMs + interval * intervalMs;
    await pause(Math.max(0, dueMs - performance.now()), context.signal);
    const labels = { interval: String(interval) };
    for (const [instance, life] of lives.entries()) {
      const cpuNs = readCpu(life, findings);
      const earlierNs = before[instance];
      before[instance] = cpuNs;
      if (!life.checkAlive() || cpuNs === undefined || earlierNs === undefined) continue;
      findings.measure('cpu.time', Number(cpuNs - earlierNs), { instance, labels });
    }
    if (lives.every((life) => !life.isWell)) return;
  }
}

function readCpu(life: InstanceLife, findings: Findings): bigint | undefined {
  const { cpuNs, unavailable } = life.usageNow();
  if (cpuNs === undefined) {
    findings.condition('cpu-time', `not measured: ${unavailable ?? 'its cgroup does not tell it'}`);
  }
  return cpuNs;
}

async function beginCounting(
  context: ProcedureContext,
  lives: readonly InstanceLife[],
  findings: Findings,
): Promise<ProcessorCounters | undefined> {
  const { intervalMs } = parametersOf(context, 'idle-cpu');
  const reason = await whyNoCounters();
  if (reason !== undefined) {
    findings.condition('instructions', `not measured: ${reason}`);
    return undefined;
  }
  try {
    const processIds = lives.flatMap((life) => life.processIds());
    return await ProcessorCounters.begin({ processIds, events: PROCESSOR_EVENTS, intervalMs });
  } catch (error) {
    findings.unmeasured('instructions', error);
    return undefined;
  }
}

async function endCounting(
  context: ProcedureContext,
  counters: ProcessorCounters | undefined,
  findings: Findings,
): Promise<void> {
  const { intervals } = parametersOf(context, 'idle-cpu');
  for (const { event, interval = 0, value } of (await counters?.end()) ?? []) {
    // The last one was cut off by the end.
    if (interval > intervals) continue;
    const measure = event === 'cycles' ? 'cpu.cycles' : 'cpu.instructions';
    findings.measure(measure, value, { labels: { interval: String(interval) } });
  }
}
