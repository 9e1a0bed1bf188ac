import type { Procedure, ProcedureOf } from './procedure.ts';

/** What the timed part of a trial of some procedure takes, ms. */
export interface ProcedureDuration {
  /** Waits and loads that the parameters fix, without what the sandboxes take themselves. */
  readonly fixedMs: number;
  /** How often the ready timeout may run out, one after the other, before it must have ended. */
  readonly timeouts: number;
  /** Longest that creating, removing and reading may take on top, all in all. */
  readonly marginMs: number;
}

/** Sandboxes that a device creates or removes at the same time. */
const SET_UP_CONCURRENCY = 4;

/** Longest that so many take to be created, and to be removed, while a trial goes. */
const CREATION_MS = 20_000;
const REMOVAL_MS = 30_000;

/** Longest that the counters of the processor, those of KVM and the page cache are read. */
const COUNTING_MS = 30_000;

/** Longest that the ceiling of a load is looked for. */
const CEILING_MS_MAX = 1000;

/** Longest that a load generator takes to connect, and to end. */
const LOAD_MARGIN_MS = 8000;

/** How long a trial may take, by the parameters of its procedure. */
export function durationOf(procedure: Procedure, instances: number): ProcedureDuration {
  switch (procedure.kind) {
    case 'no-op':
    case 'cold-start':
    case 'burst':
    case 'warm-call':
      return { fixedMs: 0, timeouts: 2, marginMs: 0 };
    case 'startup':
      return { fixedMs: 0, timeouts: 2, marginMs: COUNTING_MS };
    case 'warm':
    case 'compute':
    case 'alloc':
    case 'read':
    case 'unzip':
      return {
        fixedMs: procedure.calls * procedure.pauseMs,
        timeouts: 2 + procedure.calls,
        marginMs: 0,
      };
    case 'idle-cpu':
      return {
        fixedMs: procedure.settleMs + procedure.intervals * procedure.intervalMs,
        timeouts: 2,
        marginMs: COUNTING_MS,
      };
    case 'throughput':
      return durationOfLoads(procedure.connections.length, procedure.durationMs);
    case 'open-loop':
      return durationOfLoads(procedure.ratesPerSecond.length, procedure.durationMs);
    case 'idle-memory':
    case 'density':
    case 'churn':
      return durationOfSteps(procedure, instances);
  }
}

/** Each load has its ceiling before it, which is shorter; the last answers of both may be late. */
function durationOfLoads(loads: number, loadMs: number): ProcedureDuration {
  return {
    fixedMs: loads * (loadMs + Math.min(loadMs, CEILING_MS_MAX)),
    timeouts: 2 + 2 * loads,
    marginMs: 2 * loads * LOAD_MARGIN_MS,
  };
}

/** Of procedures that create sandboxes while they go; each of these may be slow to answer. */
function durationOfSteps(
  procedure: ProcedureOf<'idle-memory' | 'density' | 'churn'>,
  instances: number,
): ProcedureDuration {
  switch (procedure.kind) {
    case 'idle-memory': {
      const steps = Math.min(procedure.steps, instances);
      const batches = steps * batchesOf(Math.ceil(instances / steps));
      return {
        fixedMs: steps * procedure.settleMs,
        timeouts: 2 * steps,
        marginMs: batches * CREATION_MS + COUNTING_MS,
      };
    }
    // In the end all are asked at once whether they are still there.
    case 'density':
      return { fixedMs: 0, timeouts: 2 * instances + 1, marginMs: instances * CREATION_MS };
    case 'churn':
      return {
        fixedMs: 0,
        timeouts: 2 * procedure.cycles,
        marginMs: procedure.cycles * batchesOf(instances) * (CREATION_MS + REMOVAL_MS),
      };
  }
}

function batchesOf(instances: number): number {
  return Math.ceil(instances / SET_UP_CONCURRENCY);
}

/** When a trial must have ended at the latest, ms from its start; without its removal. */
export function deadlineMs(procedure: Procedure, instances: number): number {
  const { fixedMs, timeouts, marginMs } = durationOf(procedure, instances);
  return fixedMs + timeouts * procedure.readyTimeoutMs + marginMs;
}
