import { z } from 'zod';
import { Device } from './device.ts';
import { Experiment } from './experiment.ts';
import { Failure } from './failure.ts';
import { protocolField } from './protocol.ts';
import { Digest, Identifier } from './units.ts';

/** The states of a run; the last four are ends. */
export const RunState = z
  .enum(['queued', 'preparing', 'running', 'completed', 'cancelled', 'failed', 'interrupted'])
  .meta({
    description:
      'queued: waits for devices. preparing: devices fetch and check. running: trials go on. ' +
      'completed: every trial was done. cancelled: by a person. failed: could not go on. ' +
      'interrupted: the coordinator stopped.',
  });
export type RunState = z.output<typeof RunState>;

/** The record of a run: `run.json` in its folder. */
export const Run = z.object({
  ...protocolField,
  runId: Identifier,
  experiment: Experiment,
  state: RunState,
  failure: Failure.optional().meta({ description: 'Why it ended. Absent unless it ended badly.' }),
  waitingFor: z.array(Identifier).optional().meta({
    description: 'The runs it is queued behind. Absent unless queued.',
  }),
  submittedAtUtcMs: z.int(),
  startedAtUtcMs: z.int().optional().meta({ description: 'Absent until the first trial.' }),
  endedAtUtcMs: z.int().optional().meta({ description: 'Absent until it ended.' }),
  devices: z.array(Device).meta({ description: 'The frozen list, as the devices were then.' }),
  functions: z.array(z.object({ name: Identifier, digest: Digest })),
  guestKernelDigest: Digest.optional(),
  fleetTime: z.string().max(128).optional().meta({
    description: 'The clock that is fleet time. Absent before the first trial.',
  }),
  trialsPlanned: z.int().min(0),
  trialsDone: z.int().min(0),
  coordinatorVersion: z.string().max(64),
});
export type Run = z.output<typeof Run>;

/** True if the run will not change any more. */
export function isEnded(state: RunState): boolean {
  return !['queued', 'preparing', 'running'].includes(state);
}

const eventBase = {
  ...protocolField,
  runId: Identifier,
  atUtcMs: z.int().meta({ description: 'When, ms since 1970, for people.' }),
};
const trialEvent = { trialId: Identifier, attempt: z.int().min(1) };

/** One entry of the run ledger. */
export const LedgerEvent = z.discriminatedUnion('event', [
  z.object({
    ...eventBase,
    event: z.literal('state'),
    state: RunState,
    reason: Failure.optional(),
  }),
  z.object({ ...eventBase, event: z.literal('planned'), trials: z.int().min(0) }),
  z.object({
    ...eventBase,
    ...trialEvent,
    event: z.literal('armed'),
    devices: z.array(Identifier),
  }),
  z.object({ ...eventBase, ...trialEvent, event: z.literal('gone'), startAtFleetNs: z.string() }),
  z.object({ ...eventBase, ...trialEvent, event: z.literal('stood-down'), reason: Failure }),
  z.object({
    ...eventBase,
    ...trialEvent,
    event: z.literal('done'),
    ok: z.int().min(0),
    failed: z.int().min(0),
  }),
]);
export type LedgerEvent = z.output<typeof LedgerEvent>;

/** What people who watch a run are told, as it happens. */
export const Progress = z.object({
  ...protocolField,
  runId: Identifier,
  state: RunState,
  trialsDone: z.int().min(0),
  trialsPlanned: z.int().min(0),
  message: z.string().max(1024).meta({ description: 'What happened, as a line for people.' }),
  failure: Failure.optional().meta({ description: 'Absent unless something failed.' }),
  etaMs: z.number().min(0).optional().meta({
    description: 'Estimated time to the end, ms. Absent if unknown.',
  }),
});
export type Progress = z.output<typeof Progress>;
