import { createHash } from 'node:crypto';
import type { Device } from '../../schemas/device.ts';
import { Experiment } from '../../schemas/experiment.ts';
import type { ProcedureKind } from '../../schemas/procedure.ts';
import type { Plan, PlannedTrial } from '../../schemas/plan.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import type {
  BarrierRecord,
  Cell,
  Instance,
  InvalidMark,
  TrialResult,
} from '../../schemas/result.ts';
import type { Run, RunState } from '../../schemas/run.ts';
import type { SandboxName } from '../../schemas/sandbox.ts';

/** What a generated run looks like; everything has a default. */
export interface RunFixtureOptions {
  readonly seed?: number;
  readonly sandboxes?: readonly SandboxName[];
  readonly functions?: readonly string[];
  /** Default: a burst if it has more than one instance, else a cold-start. */
  readonly kind?: ProcedureKind;
  /** More than [1] makes it a burst, unless the kind is given. */
  readonly instances?: readonly number[];
  readonly repetitions?: number;
  /** How many agents each host has. */
  readonly agentsPerHost?: readonly number[];
  /** Parts that the devices are divided into. */
  readonly waves?: number;
  /** How many devices, from the last, measured without real-time scheduling. Default: 0. */
  readonly ordinary?: number;
  /** 0 to 1, of results. */
  readonly failureRate?: number;
  readonly invalidRate?: number;
  readonly state?: RunState;
  /** How many of the planned trials have results. Default: all. */
  readonly trialsDone?: number;
  readonly order?: Plan['order'];
  /** Cells of this sandbox are skipped. */
  readonly skipped?: SandboxName;
}

/** A run as the coordinator would have recorded it. */
export interface RunFixture {
  readonly run: Run;
  readonly plan: Plan;
  readonly results: TrialResult[];
}

/** Time to first byte, ms, of the order that real sandboxes have. */
const TYPICAL_MS: Readonly<Record<string, number>> = {
  process: 9,
  runc: 42,
  gvisor: 180,
  microvm: 1550,
};

function typicalMs(sandbox: string): number {
  return TYPICAL_MS[sandbox] ?? 100;
}

/** Makes a run from a seed: the same options give the same run, to the last byte. */
export function makeRun(options: RunFixtureOptions = {}): RunFixture {
  const random = randomNumbers(options.seed ?? 1);
  const instances = options.instances ?? [1];
  const experiment = Experiment.parse({
    experiment: 'fixture',
    question: 'How long does a cold start take in each sandbox, and how sure is that?',
    procedure: {
      kind: options.kind ?? (instances.some((count) => count > 1) ? 'burst' : 'cold-start'),
    },
    factors: {
      sandbox: options.sandboxes ?? ['process', 'runc', 'gvisor', 'microvm'],
      function: options.functions ?? ['hello-go', 'hello-node'],
      instances,
    },
    repetitions: options.repetitions ?? 10,
    order: options.order ?? 'randomised-blocks',
    waves: options.waves ?? 1,
  });
  const devices = makeDevices(options.agentsPerHost ?? [3]);
  const plan = makePlan(experiment, random, options.skipped);
  const done = plan.trials.slice(0, options.trialsDone ?? plan.trials.length);
  const results = done.flatMap((trial) =>
    devices.map((device, index) => {
      const isOrdinary = index >= devices.length - (options.ordinary ?? 0);
      const wave = Math.floor((index * (options.waves ?? 1)) / devices.length);
      return makeResult({ trial, device, random, options, isOrdinary, wave });
    }),
  );
  const startedAtUtcMs = Date.UTC(2026, 10, 23, 9);
  const run: Run = {
    protocol: PROTOCOL_VERSION,
    runId: 'run-fixture',
    experiment,
    state: options.state ?? 'completed',
    ...(options.state === 'interrupted'
      ? {
          failure: {
            code: 'COORDINATOR_STOPPED',
            message: 'the coordinator was stopped by SIGTERM',
            hint: 'Run the experiment again.',
          },
        }
      : {}),
    submittedAtUtcMs: startedAtUtcMs - 2000,
    startedAtUtcMs,
    endedAtUtcMs: startedAtUtcMs + 90_000,
    devices,
    functions: experiment.factors.function.map((name) => ({ name, digest: digestOf(name) })),
    guestKernelDigest: digestOf('guest-kernel'),
    fleetTime: 'boot-timekeeper/4026531834',
    trialsPlanned: plan.trials.length,
    trialsDone: done.length,
    coordinatorVersion: '0.1.0',
  };
  return { run, plan, results };
}

/** Seeded numbers from 0 up to 1: an additive counter through a 32-bit mixing function. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e37_79b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** The values in a seeded random order (Fisher and Yates). */
export function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const order = [...values];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

function makeDevices(agentsPerHost: readonly number[]): Device[] {
  return agentsPerHost.flatMap((agents, host) =>
    Array.from({ length: agents }, (_, agent): Device => {
      const number = agentsPerHost.slice(0, host).reduce((sum, count) => sum + count, agent + 1);
      return {
        protocol: PROTOCOL_VERSION,
        lastSeenAtUtcMs: Date.UTC(2026, 10, 23, 9),
        presence: {
          protocol: PROTOCOL_VERSION,
          deviceId: `agent-${number}`,
          agentVersion: '0.1.0',
          startedAtUtcMs: Date.UTC(2026, 10, 23, 8),
          state: 'idle',
          labels: { site: `lab-${host + 1}` },
          facts: {
            hostname: `edge-${host + 1}`,
            machineId: `machine-${host + 1}`,
            bootId: `boot-${host + 1}`,
            timeNamespace: '4026531834',
            architecture: 'x64',
            model: '',
            cpuModel: 'Example Processor 3.0 GHz',
            cpuCount: 2,
            memoryBytes: 8 * 2 ** 30,
            kernel: '6.1.0-30-amd64',
            os: 'Debian GNU/Linux 12 (bookworm)',
            cgroup: 'v2',
            isRoot: true,
          },
          sandboxes: [
            { available: true, name: 'process', details: {}, probeMs: 12 },
            { available: true, name: 'runc', details: { version: '1.1.5' }, probeMs: 60 },
            { available: true, name: 'gvisor', details: { platform: 'systrap' }, probeMs: 210 },
            {
              available: true,
              name: 'microvm',
              details: { version: '7.2.13', accelerator: 'tcg' },
              probeMs: 1900,
            },
          ],
        },
      };
    }),
  );
}

function makePlan(
  experiment: Experiment,
  random: () => number,
  skippedSandbox: SandboxName | undefined,
): Plan {
  const all = experiment.factors.sandbox.flatMap((sandbox) =>
    experiment.factors.function.flatMap((name) =>
      experiment.factors.instances.map((instances): Cell => ({
        id: `${sandbox}/${name}/${instances}`,
        sandbox,
        function: name,
        instances,
      })),
    ),
  );
  const cells = all.filter(({ sandbox }) => sandbox !== skippedSandbox);
  const trials = Array.from({ length: experiment.repetitions }, (_, repetition) =>
    (experiment.order === 'fixed' ? cells : shuffled(cells, random)).map((cell) => ({
      repetition,
      cell,
    })),
  )
    .flat()
    .map(({ repetition, cell }, position): PlannedTrial => ({
      trialId: `t${String(position).padStart(4, '0')}`,
      position,
      repetition,
      cell,
    }));
  return {
    protocol: PROTOCOL_VERSION,
    seed: experiment.seed,
    order: experiment.order,
    cells,
    skipped: all
      .filter(({ sandbox }) => sandbox === skippedSandbox)
      .map((cell) => ({
        cell,
        failure: {
          code: 'TOOL_MISSING',
          message: `agent-1 cannot run ${cell.sandbox}: its program is not on PATH`,
          hint: 'apt-get install the package that has it, then start the agent again.',
        },
        deviceId: 'agent-1',
      })),
    trials,
  };
}

interface ResultSources {
  readonly trial: PlannedTrial;
  readonly device: Device;
  readonly random: () => number;
  readonly options: RunFixtureOptions;
  readonly isOrdinary: boolean;
  readonly wave: number;
}

/** How long after the wave before it a wave starts. */
const WAVE_DELAY_NS = 500_000_000n;

function makeResult({
  trial,
  device,
  random,
  options,
  isOrdinary,
  wave,
}: ResultSources): TrialResult {
  const { cell, trialId, position } = trial;
  const { deviceId, facts } = device.presence;
  const host = Number(facts.bootId.replace('boot-', ''));
  // Each host has a clock of its own; fleet time is host 1's.
  const offsetNs = BigInt(host - 1) * 7_000_000_000_000n;
  const targetMonoNs =
    1_000_000_000_000n +
    BigInt(position) * 2_000_000_000n -
    offsetNs +
    BigInt(wave) * WAVE_DELAY_NS;
  const latenessNs = BigInt(Math.floor(20_000 + 60_000 * random() ** 3)) * (isOrdinary ? 10n : 1n);
  const isFailed = random() < (options.failureRate ?? 0);
  const barriers =
    options.kind === 'warm-call' ? [readyBarrier(cell, targetMonoNs, latenessNs)] : [];
  const goOnNs = barriers[0]?.actualMonoNs;
  const count = options.kind === 'no-op' ? 0 : cell.instances;
  const instances = Array.from({ length: count }, (_, index) =>
    makeInstance({ cell, index, random, requestNs: targetMonoNs + latenessNs, host, goOnNs }),
  );
  const broken = isFailed ? instances.map(breakInstance) : instances;
  const invalid: InvalidMark[] =
    random() < (options.invalidRate ?? 0)
      ? [{ code: 'late-start', message: 'started 61.2 ms late; the budget is 50 ms' }]
      : [];
  return {
    protocol: PROTOCOL_VERSION,
    runId: 'run-fixture',
    trialId,
    attempt: 1,
    deviceId,
    cell,
    reportedBy: 'device',
    status: isFailed ? 'failed' : 'ok',
    ...(isFailed && broken[0]?.failure !== undefined ? { failure: broken[0].failure } : {}),
    invalid,
    clock: {
      fleetTime: 'boot-timekeeper/4026531834',
      offsetNs: offsetNs + BigInt(Math.floor(40_000 * (random() - 0.5))),
      boundNs: BigInt(Math.floor(60_000 + 90_000 * random())),
      ageNs: 40_000_000n,
      probes: 16,
      roundTripMinNs: 110_000n,
      bracketed: true,
      driftPpb: 1500 * host,
    },
    start: {
      targetFleetNs: targetMonoNs + offsetNs,
      targetMonoNs,
      actualMonoNs: targetMonoNs + latenessNs,
      latenessNs,
      schedulingClass: isOrdinary ? 'SCHED_OTHER 0' : 'SCHED_FIFO 10',
      ...(isOrdinary ? { schedulingReason: 'no real-time scheduling: not permitted' } : {}),
      wave,
      startedAtUtcNs: 1_795_424_400_000_000_000n + BigInt(position) * 2_000_000_000n,
    },
    barriers,
    instances: broken,
    functionDigest: digestOf(cell.function),
    sandboxDetails:
      cell.sandbox === 'microvm' ? { version: '7.2.13', accelerator: 'tcg' } : { version: '1.0' },
  };
}

interface InstanceSources {
  readonly cell: Cell;
  readonly index: number;
  readonly random: () => number;
  readonly requestNs: bigint;
  readonly host: number;
  /** When it went on from the barrier before the call. Undefined if there is none. */
  readonly goOnNs: bigint | undefined;
}

/** All devices go on at one instant, long after the slowest sandbox is ready. */
function readyBarrier(cell: Cell, startNs: bigint, latenessNs: bigint): BarrierRecord {
  const targetMonoNs = startNs + BigInt(500 + 8 * typicalMs(cell.sandbox)) * 1_000_000n;
  return {
    name: 'ready',
    arrivedMonoNs: targetMonoNs - 30_000_000n,
    targetMonoNs,
    actualMonoNs: targetMonoNs + latenessNs / 4n,
  };
}

function makeInstance({ cell, index, random, requestNs, host, goOnNs }: InstanceSources): Instance {
  const factor = cell.function === 'hello-node' ? 1.15 : 1;
  const crowd = 1 + 0.25 * (cell.instances - 1);
  const extraMs = cell.function === 'hello-node' ? 45 : 0;
  const skew = 1 + 0.25 * -Math.log(1 - 0.999 * random());
  const totalMs = (typicalMs(cell.sandbox) * factor * skew + extraMs) * crowd * (1 + 0.1 * host);
  const at = (share: number): bigint => requestNs + BigInt(Math.floor(totalMs * share * 1e6));
  const waitNs = goOnNs === undefined ? 0n : goOnNs - at(0.91);
  return {
    index,
    address: `10.77.${index + 1}.2`,
    status: 'ok',
    httpStatus: 200,
    responseBytes: 15,
    phases: {
      request: requestNs,
      spawn: at(0.04),
      gateOpen: at(0.05),
      ...(cell.sandbox === 'microvm' ? { guestEntry: at(0.6) } : {}),
      appMain: at(0.75),
      ready: at(0.9),
      call: at(0.91) + waitNs,
      firstByte: at(1) + waitNs,
      lastByte: at(1) + waitNs + 21_000n,
      teardownBegin: at(1) + waitNs + 5_000_000n,
      teardownEnd: at(1) + waitNs + 25_000_000n,
    },
    usage: { memoryBytes: 8_400_000, memoryPeakBytes: 9_100_000, cpuNs: at(0.5) - requestNs },
  };
}

function breakInstance(instance: Instance): Instance {
  const { request, spawn, appMain } = instance.phases;
  return {
    index: instance.index,
    address: instance.address,
    status: 'failed',
    failure: {
      code: 'FUNCTION_CRASHED',
      message: 'the function ended with exit code 2 <script>alert(1)</script>',
      hint: 'See the log of the sandbox.',
    },
    failedAfter: 'appMain',
    logTail: 'lockstep:main\npanic: "a & b" <b>bold</b>\n\u001b[31mgoroutine 1\u001b[0m\n',
    phases: {
      ...(request === undefined ? {} : { request }),
      ...(spawn === undefined ? {} : { spawn }),
      ...(appMain === undefined ? {} : { appMain }),
    },
  };
}
