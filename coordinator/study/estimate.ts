import type { Experiment } from '../../schemas/experiment.ts';
import type { Procedure, ProcedureOf } from '../../schemas/procedure.ts';
import type { Cell } from '../../schemas/result.ts';
import { traitsOf } from '../../schemas/sandbox.ts';
import type { SandboxName } from '../../schemas/sandbox.ts';

/** How long an experiment may take, ms: if it ends as early as it may, and at its longest. */
export interface Estimate {
  readonly leastMs: number;
  readonly mostMs: number;
  readonly leastTrials: number;
  readonly mostTrials: number;
}

/** What is assumed of the device. */
export interface Assumptions {
  /** Processors that sandboxes started at once share. */
  readonly processors: number;
  /** True if virtual machines have KVM; without it they are emulated. */
  readonly hasKvm: boolean;
}

/** From the start to the first answer with nothing else going, ms, measured with hello-go. */
const START_MS: Partial<Record<SandboxName, number>> = {
  process: 10,
  runc: 60,
  docker: 300,
  'docker-gvisor': 600,
  gvisor: 250,
};

/** Of virtual machines, with KVM and emulated. */
const MACHINE_START_MS = { kvm: 300, emulated: 2500 } as const;

/** Node beside Go. */
const NODE_START_FACTOR = 2;

/** Arming, measuring the clock, waiting for quiet, removing, recording. */
const TRIAL_OVERHEAD_MS = 1000;

/** Preparing devices, fetching functions, starting a daemon, writing the report. */
const RUN_OVERHEAD_MS = 8000;

/** How much slower an emulated processor computes. */
const EMULATED_FACTOR = 10;

/** Work of the study's size on a processor of 3 GHz, ms. */
const WORK_MS = { fib: 500, fft: 60, matrix: 1500, alloc: 40, read: 150, unzip: 150 } as const;

/** Sizes of the work in the study. */
export const STUDY_SIZES = { fib: 1_000_000_000, fft: 1_048_576, matrix: 1024 } as const;

/** Setting the page cache, and reading it back. */
const PAGE_CACHE_MS = 1000;

/** Requests per second over many connections, and bytes of files. */
const REQUESTS_PER_SECOND = 10_000;
const FILES_PER_SECOND = 10;

/**
 * Estimates how long an experiment takes: a sum over its cells of what its parameters fix and what
 * sandboxes typically take. A rule of thumb within a factor of two, and said to be one.
 *
 * @param cells that can be measured
 */
export function estimate(
  experiment: Experiment,
  cells: readonly Cell[],
  assumptions: Assumptions,
): Estimate {
  if (cells.length === 0) return { leastMs: 0, mostMs: 0, leastTrials: 0, mostTrials: 0 };
  const { repetitions, until, procedure } = experiment;
  const roundMs = cells.reduce((sum, cell) => sum + trialMs(procedure, cell, assumptions), 0);
  const limitMs = (until?.timeLimitMinutes ?? Number.POSITIVE_INFINITY) * 60_000;
  // The repetition that is under way at the limit is done to its end.
  const most = Math.max(1, Math.min(repetitions, Math.ceil(limitMs / roundMs)));
  const isAdaptive = until?.halfWidthPercent !== undefined;
  const first = isAdaptive ? (until.looks?.[0] ?? Math.min(10, repetitions)) : most;
  const least = Math.min(first, most);
  return {
    leastMs: RUN_OVERHEAD_MS + least * roundMs,
    mostMs: RUN_OVERHEAD_MS + most * roundMs,
    leastTrials: least * cells.length,
    mostTrials: most * cells.length,
  };
}

/** The assumptions in words, for people who know their devices. */
export function assumptionText({ processors, hasKvm }: Assumptions): string {
  return (
    `assumed: ${processors} processors, ` +
    (hasKvm
      ? 'KVM'
      : `no KVM (a virtual machine starts in ${MACHINE_START_MS.emulated / 1000} s and computes ` +
        `${EMULATED_FACTOR} times slower)`) +
    `, ${TRIAL_OVERHEAD_MS / 1000} s around each trial, ${RUN_OVERHEAD_MS / 1000} s around each ` +
    'experiment; a rule of thumb, to be trusted within a factor of two. Finding out what a ' +
    'device can run takes minutes more, once'
  );
}

/** One trial with everything around it. */
function trialMs(procedure: Procedure, cell: Cell, assumptions: Assumptions): number {
  const startMs = singleStartMs(cell, assumptions);
  const { instances } = cell;
  const crowd = Math.max(1, instances / assumptions.processors);
  const isEmulated = isMachine(cell) && !assumptions.hasKvm;
  const factor = isEmulated ? EMULATED_FACTOR : 1;
  return TRIAL_OVERHEAD_MS + useMs(procedure, { startMs, crowd, instances, factor });
}

interface Use {
  readonly startMs: number;
  /** How much longer all together take than one. */
  readonly crowd: number;
  readonly instances: number;
  /** How much slower the processor is. */
  readonly factor: number;
}

function useMs(procedure: Procedure, use: Use): number {
  const allStartMs = use.startMs * use.crowd;
  switch (procedure.kind) {
    case 'no-op':
      return 0;
    case 'cold-start':
    case 'burst':
    case 'warm-call':
      return allStartMs;
    case 'startup':
      return allStartMs + PAGE_CACHE_MS;
    case 'idle-memory':
      return allStartMs + Math.min(procedure.steps, use.instances) * procedure.settleMs;
    case 'idle-cpu':
      return allStartMs + procedure.settleMs + procedure.intervals * procedure.intervalMs;
    case 'density':
      return allStartMs;
    case 'churn':
      return procedure.cycles * (allStartMs + TRIAL_OVERHEAD_MS);
    case 'throughput':
      return allStartMs + procedure.connections.length * loadMs(procedure, use.factor);
    case 'open-loop':
      return allStartMs + 2 * procedure.ratesPerSecond.length * procedure.durationMs;
    default:
      return allStartMs + procedure.calls * (procedure.pauseMs + callMs(procedure) * use.factor);
  }
}

/** One load and its ceiling, which is as fast as the device is. */
function loadMs({ requests, durationMs, path }: ProcedureOf<'throughput'>, factor: number): number {
  if (requests === undefined) return 2 * durationMs;
  const perSecond = path === '/static' ? FILES_PER_SECOND : REQUESTS_PER_SECOND;
  const ownMs = (requests / perSecond) * 1000;
  return Math.min(durationMs, ownMs * factor) + Math.min(durationMs, ownMs);
}

function callMs(procedure: ProcedureOf<'warm' | 'compute' | 'alloc' | 'read' | 'unzip'>): number {
  if (procedure.kind === 'warm') return 1;
  if (procedure.kind !== 'compute') return WORK_MS[procedure.kind];
  const { work, n = STUDY_SIZES[work] } = procedure;
  const size = n / STUDY_SIZES[work];
  // A product of matrices takes the third power of their size.
  return WORK_MS[work] * (work === 'matrix' ? size ** 3 : size);
}

function isMachine({ sandbox }: Cell): boolean {
  return traitsOf(sandbox as SandboxName).isolation === 'machine';
}

function singleStartMs(cell: Cell, { hasKvm }: Assumptions): number {
  const ownMs = isMachine(cell)
    ? MACHINE_START_MS[hasKvm ? 'kvm' : 'emulated']
    : (START_MS[cell.sandbox as SandboxName] ?? START_MS.gvisor ?? 0);
  return ownMs * (cell.function.endsWith('-node') ? NODE_START_FACTOR : 1);
}
