import { Procedure } from '../../schemas/procedure.ts';
import { traitsOf } from '../../schemas/sandbox.ts';
import type { SandboxName } from '../../schemas/sandbox.ts';
import { HELLO_FUNCTIONS } from './stage-process.ts';

/** A procedure with small parameters. */
export interface PlannedTrial {
  readonly procedure: Procedure;
  readonly instances: number;
  readonly functionName: string;
}

/** Longest wait for a sandbox to be ready, and for an answer, ms. */
const readyTimeoutMs = 30_000;

// Every function answers at /hello.
const FOR_ALL = [
  { kind: 'burst', instances: 2 },
  { kind: 'startup' },
  { kind: 'warm', calls: 5 },
  { kind: 'idle-cpu', settleMs: 100, intervalMs: 200, intervals: 2 },
  { kind: 'idle-memory', steps: 1, settleMs: 200, instances: 2 },
  { kind: 'churn', cycles: 2 },
];

const FOR_PROGRAMS = [
  { kind: 'compute', n: 1_000_000, calls: 1, pauseMs: 0 },
  { kind: 'alloc', mib: 8, calls: 1, pauseMs: 0 },
];

const WITH_LOAD_GENERATOR = [
  { kind: 'throughput', connections: [2], durationMs: 200 },
  { kind: 'open-loop', ratesPerSecond: [50], durationMs: 200 },
];

/** One cold start, which is repeated. */
export function coldStartIn(sandbox: SandboxName): PlannedTrial {
  return plan(sandbox, { kind: 'cold-start' });
}

/** Every other procedure that one device can carry, once each. */
export function furtherTrialsIn(
  sandbox: SandboxName,
  { hasLoadGenerator }: { readonly hasLoadGenerator: boolean },
): PlannedTrial[] {
  const { runs } = traitsOf(sandbox);
  const runsPrograms = runs === 'program' || runs === 'static-program';
  return [
    ...FOR_ALL,
    ...(runsPrograms ? FOR_PROGRAMS : []),
    ...(hasLoadGenerator ? WITH_LOAD_GENERATOR : []),
  ].map((parameters) => plan(sandbox, parameters));
}

function plan(
  sandbox: SandboxName,
  { instances = 1, ...parameters }: { readonly kind: string; readonly instances?: number },
): PlannedTrial {
  return {
    procedure: Procedure.parse({ readyTimeoutMs, ...parameters }),
    instances,
    functionName: HELLO_FUNCTIONS[traitsOf(sandbox).runs],
  };
}
