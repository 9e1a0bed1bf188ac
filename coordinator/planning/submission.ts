import { randomBytes } from 'node:crypto';
import { LockstepError } from '../../schemas/errors.ts';
import type { Experiment } from '../../schemas/experiment.ts';
import type { Plan } from '../../schemas/plan.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import type { Run } from '../../schemas/run.ts';
import { VERSION } from '../../schemas/version.ts';
import { selectDevices } from './device-selection.ts';
import type { DeviceChoice, SelectableDevice } from './device-selection.ts';
import { assertExperiment } from '../experiment/experiment-file.ts';
import type { PlannedFunction } from './cell-obstacles.ts';
import { plan } from './planner.ts';

/** Functions and kernel as they are published now. */
export interface Published {
  readonly functions: readonly (PlannedFunction & { readonly digest: string })[];
  readonly guestKernelDigest: string | undefined;
  /** Programs for devices by name, such as the load generator. */
  readonly tools: Readonly<Record<string, string>>;
}

/** What a person submits. */
export interface Submission {
  readonly experimentYaml: string;
  /** In place of what the file says. */
  readonly repetitions?: number | undefined;
}

/** A submission that can be run: what, in which order, on which devices. */
export interface Proposal {
  readonly experiment: Experiment;
  readonly plan: Plan;
  readonly choice: DeviceChoice;
  /** Taken and awaited devices, by id. */
  readonly devices: readonly SelectableDevice[];
}

/**
 * Checks a submission against the fleet as it is now, and plans it.
 *
 * @throws LockstepError EXPERIMENT_INVALID, NO_DEVICE, SANDBOX_UNAVAILABLE, NOT_FOUND, NO_CELL.
 */
export function propose(
  submission: Submission,
  known: readonly SelectableDevice[],
  published: Published,
): Proposal {
  const parsed = assertExperiment(submission.experimentYaml, 'experiment');
  const experiment = withRepetitions(parsed, submission.repetitions);
  const choice = selectDevices(experiment.devices, known);
  const probing = choice.awaited.filter(({ reason }) => reason === 'probing');
  if (probing.length > 0) {
    throw new LockstepError(
      'DEVICE_PROBING',
      `still finding out what they can run: ${probing.map(({ deviceId }) => deviceId).join(', ')}`,
      { hint: 'Try again in a minute, or watch them with: lockstep devices' },
    );
  }
  const awaitedIds = choice.awaited.map(({ deviceId }) => deviceId);
  const devices = [
    ...choice.taken,
    ...known.filter(({ presence }) => awaitedIds.includes(presence.deviceId)),
  ].toSorted((left, right) => left.presence.deviceId.localeCompare(right.presence.deviceId));
  const planned = plan(
    experiment,
    devices.map(({ presence }) => presence),
    published.functions,
  );
  return { experiment, plan: planned, choice, devices };
}

/** The experiment with another number of repetitions, and the looks that are left of its own. */
export function withRepetitions(
  experiment: Experiment,
  repetitions: number | undefined,
): Experiment {
  if (repetitions === undefined) return experiment;
  const { until } = experiment;
  if (until?.looks === undefined) return { ...experiment, repetitions };
  const looks = [...until.looks.filter((look) => look < repetitions), repetitions];
  return { ...experiment, repetitions, until: { ...until, looks } };
}

/** Kinds of sandbox that boot the published kernel. */
const NEEDS_GUEST_KERNEL: readonly string[] = ['microvm', 'microvm-ext4', 'microvm-restored'];

/** The first record of a run. */
export function newRun(
  proposal: Proposal,
  published: Published,
  waitingFor: readonly string[],
): Run {
  const { experiment, plan: planned, devices } = proposal;
  const used = new Set(planned.cells.map((cell) => cell.function));
  const needsKernel = planned.cells.some((cell) => NEEDS_GUEST_KERNEL.includes(cell.sandbox));
  const { guestKernelDigest } = published;
  const tools = toolsOf(experiment, published);
  return {
    protocol: PROTOCOL_VERSION,
    runId: newRunId(experiment.experiment, new Date()),
    experiment,
    state: 'queued',
    ...(waitingFor.length === 0 ? {} : { waitingFor: [...waitingFor] }),
    submittedAtUtcMs: Date.now(),
    devices: devices.map(({ protocol, presence, lastSeenAtUtcMs }) => ({
      protocol,
      presence,
      lastSeenAtUtcMs,
    })),
    functions: published.functions
      .filter(({ name }) => used.has(name))
      .map(({ name, digest }) => ({ name, digest })),
    ...(needsKernel && guestKernelDigest !== undefined ? { guestKernelDigest } : {}),
    ...(tools.length === 0 ? {} : { tools }),
    trialsPlanned: planned.trials.length,
    trialsDone: 0,
    coordinatorVersion: VERSION,
  };
}

/**
 * The programs that devices need beside the functions.
 *
 * @throws LockstepError ARTEFACT_MISSING if one is not published.
 */
function toolsOf(
  { procedure }: Experiment,
  { tools }: Published,
): { name: string; digest: string }[] {
  return (TOOLS_OF[procedure.kind] ?? []).map((name) => {
    const digest = tools[name];
    if (digest !== undefined) return { name, digest };
    throw new LockstepError('ARTEFACT_MISSING', `procedure ${procedure.kind} needs ${name}`, {
      hint: 'build and publish it: npm run setup, then start the coordinator again',
    });
  });
}

const TOOLS_OF: Partial<Record<Experiment['procedure']['kind'], readonly string[]>> = {
  throughput: ['load-generator'],
  'open-loop': ['load-generator'],
};

/** A run's id: name of the experiment, start in UTC to the second, and four random characters. */
export function newRunId(experimentName: string, now: Date): string {
  const digits = now.toISOString().replaceAll(/\D/g, '');
  const start = `${digits.slice(0, 8)}-${digits.slice(8, 14)}`;
  const name = experimentName.slice(0, 40).replace(/-+$/, '');
  return `${name}-${start}-${randomBytes(2).toString('hex')}`;
}
