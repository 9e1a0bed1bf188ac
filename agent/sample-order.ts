import type { ClockEstimate } from '../schemas/clock.ts';
import type { ArmRequest, PrepareRequest } from '../schemas/messages.ts';
import type { Clock } from './clock/clock.ts';
import type { SampleOrder } from './sampler/protocol.ts';

/** What of an order the trial decides; the rest is the same for the whole run. */
export type TrialOrder = Pick<
  SampleOrder,
  'trial' | 'sandboxes' | 'exportAs' | 'sandboxAttributes'
>;

/** What to sample of a trial, and under which names to export it if anybody takes that. */
export function sampleOrder(
  { runId, experiment, exportsTelemetry }: PrepareRequest,
  { trialId, attempt, cell, procedure }: ArmRequest,
  device: {
    readonly deviceId: string;
    readonly telemetry: {
      readonly resource: Readonly<Record<string, string>>;
      readonly exportsDirectly: boolean;
    };
  },
  sandboxes: SampleOrder['sandboxes'],
): TrialOrder {
  const { deviceId, telemetry } = device;
  const trial = { runId, trialId, attempt, deviceId };
  if (exportsTelemetry !== true && !telemetry.exportsDirectly) return { trial, sandboxes };
  const exportAs = {
    'service.name': 'lockstep-agent',
    ...telemetry.resource,
    'lockstep.run.id': runId,
    ...(experiment === undefined ? {} : { 'lockstep.experiment.name': experiment }),
    'lockstep.trial.id': trialId,
    'lockstep.trial.attempt': String(attempt),
    'lockstep.cell.id': cell.id,
    'lockstep.procedure': procedure,
  };
  const sandboxAttributes = {
    'lockstep.sandbox.kind': cell.sandbox,
    'lockstep.function': cell.function,
  };
  return { trial, sandboxes, exportAs, sandboxAttributes };
}

/**
 * UTC minus CLOCK_MONOTONIC for what is exported, ns: on the coordinator's line of UTC if it said
 * which that is, so that what is exported of all devices fits together; else on the device's own.
 */
export function exportedUtcMinusMonoNs(
  clock: Clock,
  estimate: ClockEstimate,
  utcMinusFleetNs: bigint | undefined,
): bigint {
  if (utcMinusFleetNs !== undefined) return utcMinusFleetNs + estimate.offsetNs;
  return clock.utcNs() - clock.monotonicNs();
}
