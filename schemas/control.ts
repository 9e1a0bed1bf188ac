import { z } from 'zod';
import { ClockSurvey } from './clock.ts';
import { Device } from './device.ts';
import { Failure } from './failure.ts';
import { Plan } from './plan.ts';
import { protocolField } from './protocol.ts';
import { Run } from './run.ts';
import { Identifier } from './units.ts';

/** submit: start a run of an experiment. The text is checked again by the coordinator. */
const SubmitRequest = z.object({
  ...protocolField,
  experimentYaml: z.string().max(262_144).meta({ description: 'The experiment file.' }),
  repetitions: z.int().min(1).max(100_000).optional().meta({
    description: 'In place of what the file says. Absent: as in the file.',
  }),
});
const SubmitReply = z.object({ ...protocolField, run: Run });

/** Most trials that a plan is shown with: more would not fit into one message. */
export const PLAN_TRIALS_SHOWN_MAX = 5000;

/** plan: what a run would do, without doing it. Same request as submit. */
const PlanReply = z.object({
  ...protocolField,
  plan: Plan.extend({
    trials: Plan.shape.trials.max(PLAN_TRIALS_SHOWN_MAX).meta({
      description: 'The first trials of the plan.',
    }),
  }),
  trialsPlanned: z.int().min(0).meta({ description: 'Number of trials, shown or not.' }),
  devices: z.array(Identifier),
  notTaken: z
    .array(z.object({ deviceId: Identifier, reason: z.string().max(512) }))
    .meta({ description: 'Devices that do not take part, and why.' }),
});

/** devices: what the registry knows. */
const DevicesRequest = z.object({ ...protocolField });
export const DevicesReply = z.object({
  ...protocolField,
  devices: z.array(Device.extend({ online: z.boolean() })),
});

/** clocks: how the clock of every device that is online stands to fleet time now. */
const ClocksRequest = z.object({ ...protocolField });
export const ClocksReply = z.object({
  ...protocolField,
  devices: z.array(
    z.object({
      deviceId: Identifier,
      survey: ClockSurvey.optional().meta({ description: 'Absent if it could not tell.' }),
      failure: Failure.optional().meta({ description: 'Why it could not. Absent if it could.' }),
    }),
  ),
});

/** runs: all runs, newest first, or one. */
const RunsRequest = z.object({ ...protocolField, runId: Identifier.optional() });
const RunsReply = z.object({ ...protocolField, runs: z.array(Run) });

/** cancel: end a run; what was measured is kept. */
const CancelRequest = z.object({ ...protocolField, runId: Identifier });
const CancelReply = z.object({ ...protocolField });

/** Every question that people's tools ask the coordinator. A refusal travels as an error. */
export const CONTROLS = {
  submit: { request: SubmitRequest, reply: SubmitReply },
  plan: { request: SubmitRequest, reply: PlanReply },
  devices: { request: DevicesRequest, reply: DevicesReply },
  clocks: { request: ClocksRequest, reply: ClocksReply },
  runs: { request: RunsRequest, reply: RunsReply },
  cancel: { request: CancelRequest, reply: CancelReply },
} as const;
