import { errorMessageOf } from '../../schemas/errors.ts';
import type { MeasureName } from '../../schemas/measurement.ts';
import type { Cell } from '../../schemas/result.ts';
import { Findings } from './findings.ts';
import { GrowingSandboxes } from './growing-sandboxes.ts';
import { slopeOf } from './least-squares.ts';
import type { Point } from './least-squares.ts';
import { readMemoryAvailableBytes, readPssBytes } from './memory-readings.ts';
import { pause } from './pause.ts';
import { parametersOf } from './procedure.ts';
import type { ArmedProcedure, Procedure, ProcedureContext } from './procedure.ts';

/**
 * Sandboxes that do nothing are started step by step; after each step their memory is read from
 * three sources. The slope over the number of sandboxes is what one more of them takes.
 */
export const idleMemory: Procedure = { kind: 'idle-memory', arm };

/** The sources of memory by their label, with the measure of their sum. */
const SOURCES = {
  cgroup: 'memory.cgroup',
  pss: 'memory.pss',
  available: 'memory.available_drop',
} as const satisfies Record<string, MeasureName>;
type Source = keyof typeof SOURCES;

async function arm(context: ProcedureContext, cell: Cell): Promise<ArmedProcedure> {
  const { steps } = parametersOf(context, 'idle-memory');
  const counts = countsOfSteps(cell.instances, steps);
  const sandboxes = await GrowingSandboxes.open(context, cell.instances);
  const series = new MemorySeries(sandboxes, readMemoryAvailableBytes());
  const standDown = async (): Promise<string[]> => (await sandboxes.remove()).leftovers;
  try {
    await sandboxes.add(counts[0] ?? cell.instances);
  } catch (error) {
    await standDown();
    throw error;
  }
  return {
    targets: sandboxes.targets(),
    start: async (requestAtMonoNs) => {
      try {
        await watch(context, { sandboxes, series, counts }, requestAtMonoNs);
      } catch (error) {
        sandboxes.failAll(error);
      }
      const removed = await sandboxes.remove();
      return { ...removed, ...series.conclude().toOutcome() };
    },
    standDown,
  };
}

/** Divides sandboxes into steps that are as equal as they can be; none is empty. */
export function countsOfSteps(instances: number, steps: number): number[] {
  const used = Math.min(instances, steps);
  return Array.from(
    { length: used },
    (_, step) =>
      Math.floor(((step + 1) * instances) / used) - Math.floor((step * instances) / used),
  );
}

async function watch(
  context: ProcedureContext,
  trial: { sandboxes: GrowingSandboxes; series: MemorySeries; counts: readonly number[] },
  requestAtMonoNs: bigint,
): Promise<void> {
  const { sandboxes, series, counts } = trial;
  const { settleMs } = parametersOf(context, 'idle-memory');
  for (const [step, count] of counts.entries()) {
    const areWell =
      step === 0 ? await sandboxes.startAdded(requestAtMonoNs) : await sandboxes.addAndStart(count);
    if (!areWell) return;
    await pause(settleMs, context.signal);
    // Memory of one that has ended is no memory of an idle sandbox.
    if (!sandboxes.checkAlive()) return;
    await series.read();
  }
}

/** What is read after each step. */
class MemorySeries {
  readonly #sandboxes: GrowingSandboxes;
  readonly #availableBeforeBytes: number;
  readonly #findings = new Findings();
  readonly #points: Record<Source, Point[]> = { cgroup: [], pss: [], available: [] };

  constructor(sandboxes: GrowingSandboxes, availableBeforeBytes: number) {
    this.#sandboxes = sandboxes;
    this.#availableBeforeBytes = availableBeforeBytes;
  }

  async read(): Promise<void> {
    const { lives } = this.#sandboxes;
    this.#note('available', this.#availableBeforeBytes - readMemoryAvailableBytes());
    let charged = 0;
    for (const life of lives) {
      const { memoryBytes, unavailable } = life.usageNow();
      if (memoryBytes === undefined) this.#findings.condition('memory-cgroup', unavailable ?? '');
      charged += memoryBytes ?? Number.NaN;
    }
    this.#note('cgroup', charged);
    try {
      const processIds = lives.map((life) => life.processIds());
      if (processIds.every((ids) => ids.length > 0)) {
        this.#note('pss', await readPssBytes(processIds.flat()));
      } else {
        this.#findings.condition('memory-pss', 'not measured: a sandbox has no process to be seen');
      }
    } catch (error) {
      this.#findings.condition('memory-pss', `not measured: ${errorMessageOf(error)}`);
    }
  }

  conclude(): Findings {
    for (const source of Object.keys(SOURCES) as Source[]) {
      const slope = slopeOf(this.#points[source]);
      if (slope !== undefined) {
        this.#findings.measure('memory.per_sandbox', slope, { labels: { source } });
      }
    }
    if (this.#points.available.length < 2) {
      const text = 'not measured: a slope needs two steps at least';
      this.#findings.condition('memory-per-sandbox', text);
    }
    return this.#findings;
  }

  #note(source: Source, valueBytes: number): void {
    if (Number.isNaN(valueBytes)) return;
    const { length } = this.#sandboxes.lives;
    this.#points[source].push({ x: length, y: valueBytes });
    const labels = { sandboxes: String(length) };
    this.#findings.measure(SOURCES[source], valueBytes, { labels });
  }
}
