import type { Bus } from '../../bus/bus.ts';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Run } from '../../schemas/run.ts';
import type { BarrierDesk } from './barrier-desk.ts';
import { Dispatcher } from './dispatcher.ts';
import { Fleet } from './fleet.ts';
import { writeRunTables } from './run-tables.ts';
import { SampleWait } from './sample-wait.ts';
import type { Recorder } from '../recording/recorder.ts';
import type { SampleRecorder } from '../recording/sample-recorder.ts';
import type { Registry } from '../registry.ts';
import type { RunJournal } from '../recording/run-journal.ts';
import { RunTracer } from '../telemetry/run-tracer.ts';
import type { Tracing } from '../telemetry/run-tracer.ts';

/** Time for devices to end a run, ms. */
const RELEASE_TIMEOUT_MS = 60_000;

/** What carrying out a run needs. */
export interface ExecutionPorts {
  readonly bus: Bus;
  readonly registry: Registry;
  readonly recorder: Recorder;
  readonly samples: SampleRecorder;
  readonly barriers: BarrierDesk;
  /** Makes an artefact available to devices, if it is not yet. */
  readonly publish: (digest: string) => Promise<void>;
  /** True if the relay has an endpoint, so that devices need encode what it would send. */
  readonly exportsTelemetry: () => boolean;
  readonly tracing: Tracing;
}

/**
 * Carries one run out: prepares its devices, runs its trials, releases the devices whatever
 * happened.
 *
 * @throws LockstepError DEVICE_DECLINED if devices can't be prepared, and what
 * {@link Dispatcher.runTrials} throws.
 */
export async function executeRun(
  ports: ExecutionPorts,
  journal: RunJournal,
  plan: Plan,
  signal: AbortSignal,
): Promise<void> {
  const { run } = journal;
  const deviceIds = run.devices.map((device) => device.presence.deviceId);
  const fleet = new Fleet(
    deviceIds,
    {
      runId: run.runId,
      cells: plan.cells,
      functions: run.functions,
      limits: run.experiment.limits,
      ...(run.guestKernelDigest === undefined ? {} : { guestKernelDigest: run.guestKernelDigest }),
      ...(run.tools === undefined ? {} : { tools: run.tools }),
      telemetry: run.experiment.telemetry,
      exportsTelemetry: ports.exportsTelemetry(),
      experiment: run.experiment.experiment,
    },
    ports,
  );
  const { runId } = run;
  const { experiment, telemetry } = run.experiment;
  const traced = { runId, experiment, isLive: telemetry.live };
  const tracer = new RunTracer({ ...traced, devices: deviceIds.length }, ports.tracing);
  const samples = new SampleWait(ports, runId);
  try {
    await tracer.traceRun(async () => {
      await journal.enter('preparing', `preparing ${deviceIds.length} devices`);
      for (const digest of digestsOf(run)) await ports.publish(digest);
      await prepareAll(fleet, journal);
      if (signal.aborted) return;
      await journal.update({ startedAtUtcMs: Date.now() });
      await journal.enter('running', `running ${plan.trials.length} trials`);
      const dispatcher = new Dispatcher({ ...ports, fleet, journal, tracer });
      await dispatcher.runTrials(plan.trials, signal);
    });
  } finally {
    await releaseAll(fleet, journal);
    await samples.settle(journal, signal);
    await writeRunTables(journal, signal);
  }
}

function digestsOf({ functions, guestKernelDigest, tools = [] }: Run): string[] {
  return [
    ...[...functions, ...tools].map(({ digest }) => digest),
    ...(guestKernelDigest === undefined ? [] : [guestKernelDigest]),
  ];
}

async function prepareAll(fleet: Fleet, journal: RunJournal): Promise<void> {
  const { gang, devices } = journal.run.experiment;
  const outcomes = await fleet.prepare(fleet.deviceIds);
  const refusals = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome] : []));
  for (const { deviceId, error } of refusals) {
    journal.tell(`${deviceId} declined: ${error.message}`);
  }
  const [first] = refusals;
  if (first === undefined) return;
  const goesOn = gang === 'available' && outcomes.length - refusals.length >= devices.minimum;
  if (goesOn) return;
  const all = refusals.map(({ deviceId, error }) => `${deviceId}: ${error.message}`).join('; ');
  throw new LockstepError('DEVICE_DECLINED', `not every device could be prepared: ${all}`, {
    cause: first.error,
    ...(first.error.hint === undefined ? {} : { hint: first.error.hint }),
  });
}

async function releaseAll(fleet: Fleet, journal: RunJournal): Promise<void> {
  const outcomes = await fleet.command(
    { deviceIds: fleet.deviceIds, verb: 'release', timeoutMs: RELEASE_TIMEOUT_MS },
    () => ({ runId: journal.run.runId }),
  );
  for (const outcome of outcomes) {
    if (!('error' in outcome)) continue;
    journal.tell(`${outcome.deviceId} was not released: ${errorMessageOf(outcome.error)}`);
  }
}
