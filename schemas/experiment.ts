import { z } from 'zod';
import { Procedure } from './procedure.ts';
import { SandboxLimits, SandboxName } from './sandbox.ts';
import { SourceName, TelemetryPlan } from './telemetry.ts';
import { Identifier } from './units.ts';

/** Checks with `when` run beside other mistakes, so that a reader sees all of them at once. */
const distinct = <T extends z.ZodType>(item: T, most: number) =>
  z
    .array(item)
    .min(1)
    .max(most)
    .superRefine(
      (values, context) => {
        values.forEach((value, index) => {
          if (values.indexOf(value) === index) return;
          context.addIssue({ code: 'custom', path: [index], message: 'name each value once' });
        });
      },
      { when: ({ value }) => Array.isArray(value) },
    );

const InstanceCount = z.int().min(1).max(128);

/** The values that each factor takes; every combination is a cell. */
const Factors = z
  .strictObject({
    sandbox: distinct(SandboxName, 32).meta({ description: 'Kinds of sandbox to compare.' }),
    function: distinct(Identifier, 16).meta({ description: 'Functions to run in each of them.' }),
    instances: distinct(InstanceCount, 16).default([1]).meta({
      description: 'Sandboxes started at once per trial. Must be [1] for a cold-start.',
    }),
  })
  .meta({ description: 'What is varied.' });

const Exclusion = z
  .strictObject({
    sandbox: SandboxName.optional(),
    function: Identifier.optional(),
    instances: InstanceCount.optional(),
  })
  .refine((pattern) => Object.keys(pattern).length > 0, { error: 'name at least one factor' })
  .meta({ description: 'Cells to leave out: all that have every value named here.' });

const Budget = z
  .strictObject({
    latenessMs: z.number().positive().max(60_000).default(50).meta({
      description: 'A start later than this makes the result invalid, ms.',
    }),
    clockBoundMs: z.number().positive().max(60_000).default(10).meta({
      description: 'A clock bound wider than this makes the result invalid, ms.',
    }),
  })
  .meta({ description: 'Limits beyond which a result is marked invalid.' });

/** As {@link TelemetryPlan}, with defaults. */
const Telemetry = z
  .strictObject({
    rateHz: TelemetryPlan.shape.rateHz.default(10),
    sources: distinct(SourceName, 64).optional().meta({
      description: 'The sources to sample. Absent: all that a device has.',
    }),
    live: TelemetryPlan.shape.live.default(false),
  })
  .meta({ description: 'What is sampled of sandboxes and devices while trials run.' });

const DeviceSelection = z
  .strictObject({
    labels: z.record(Identifier, z.string().min(1).max(128)).default({}).meta({
      description: 'Labels that a device must have. Empty selects every device.',
    }),
    minimum: z.int().min(1).max(10_000).default(1).meta({
      description: 'Fewest devices to start with.',
    }),
  })
  .meta({ description: 'Which devices take part.' });

const RepetitionCount = z.int().min(1).max(100_000);

/** When a run may end before its last repetition. */
const Until = z
  .strictObject({
    halfWidthPercent: z
      .number()
      .positive()
      .max(100)
      .optional()
      .meta({
        description:
          'Wanted precision: half the width of the interval, percent of what is estimated. ' +
          'Reached when every cell has it. Absent: only the time ends the run early.',
      }),
    of: z.enum(['median', 'p95']).default('median').meta({
      description: 'What is estimated: the median or the 95th percentile of each cell.',
    }),
    looks: z
      .array(RepetitionCount)
      .min(1)
      .max(20)
      .optional()
      .meta({
        description:
          'After how many repetitions it is looked whether that is reached, ascending; and at ' +
          '"repetitions", always. Each look costs some precision. Absent: at "repetitions" and ' +
          'its halves, four looks at most, none below 10.',
      }),
    timeLimitMinutes: z.number().positive().max(43_200).optional().meta({
      description:
        'No repetition begins after this time from the first trial on, minutes. Absent: no limit.',
    }),
  })
  .refine(
    ({ halfWidthPercent, timeLimitMinutes }) =>
      halfWidthPercent !== undefined || timeLimitMinutes !== undefined,
    {
      error: 'name halfWidthPercent, timeLimitMinutes or both',
      when: ({ issues, value }) => issues.length === 0 && typeof value === 'object',
    },
  )
  .refine(({ halfWidthPercent, looks }) => halfWidthPercent !== undefined || looks === undefined, {
    error: 'looks are of use only with halfWidthPercent',
    path: ['looks'],
    when: ({ issues, value }) => issues.length === 0 && typeof value === 'object',
  })
  .meta({
    description:
      'Ends the run early: once it is precise enough, or out of time. Decided after whole ' +
      'repetitions only, for all cells together; "repetitions" is then the most there can be.',
  });

/** What the rules about looks need to be sound, whatever else is wrong. */
const LooksInUntil = z.object({ until: z.object({ looks: z.array(z.number()) }) });

/** What the rule about instances needs to be sound, whatever else is wrong. */
const KindAndInstances = z.object({
  procedure: z.object({ kind: z.string() }),
  factors: z.object({ instances: z.array(z.number()) }),
});

/** An experiment: what to measure, over which factors, on which devices. Written in YAML. */
export const Experiment = z
  .strictObject({
    experiment: Identifier.meta({ description: 'Name of the experiment.' }),
    question: z.string().min(1).max(500).meta({
      description: 'The question that the report answers, as a sentence.',
    }),
    procedure: Procedure,
    factors: Factors,
    exclude: z.array(Exclusion).max(64).default([]).meta({ description: 'Cells to leave out.' }),
    limits: z
      .strictObject(SandboxLimits.shape)
      .prefault({})
      .meta({ description: 'Limits of each sandbox.' }),
    repetitions: RepetitionCount.meta({
      description: 'Trials per cell; with "until", the most there can be.',
    }),
    until: Until.optional(),
    order: z
      .enum(['randomised-blocks', 'fixed'])
      .default('randomised-blocks')
      .meta({
        description:
          'randomised-blocks: each repetition holds every cell once, in random order. fixed: the ' +
          'order of the factors as written, the same in each repetition.',
      }),
    seed: z.int().min(0).max(0xffff_ffff).default(1).meta({
      description: 'Seed of the order; the same seed gives the same plan.',
    }),
    devices: DeviceSelection.prefault({}),
    gang: z
      .enum(['all', 'available'])
      .default('all')
      .meta({
        description:
          'all: a trial starts only if every device of the run armed. ' +
          'available: with those that did.',
      }),
    waves: z
      .int()
      .min(1)
      .max(1000)
      .default(1)
      .meta({
        description:
          'Parts that the devices are divided into for a fleet that cannot start at once: each ' +
          'trial is done by one part after the other, each simultaneous in itself.',
      }),
    unavailable: z
      .enum(['refuse', 'skip'])
      .default('refuse')
      .meta({
        description:
          'If a device cannot run a sandbox of the experiment: refuse the run, or skip the cell ' +
          'on every device and say so in the report.',
      }),
    budget: Budget.prefault({}),
    telemetry: Telemetry.prefault({}),
  })
  .refine(
    (value) =>
      !['cold-start', 'startup'].includes(value.procedure.kind) ||
      value.factors.instances.every((count) => count === 1),
    {
      error: 'a cold-start has one instance; use procedure kind burst for more',
      path: ['factors', 'instances'],
      when: ({ value }) => KindAndInstances.safeParse(value).success,
    },
  )
  .superRefine(
    ({ repetitions, until }, context) => {
      for (const [index, message] of mistakesOfLooks(until?.looks ?? [], repetitions)) {
        context.addIssue({ code: 'custom', path: ['until', 'looks', index], message });
      }
    },
    { when: ({ value }) => LooksInUntil.safeParse(value).success },
  )
  .meta({ title: 'Lockstep experiment', description: 'What to measure, on which devices.' });
export type Experiment = z.output<typeof Experiment>;

/** By place in the list of looks; repetitions may be missing or of a wrong type. */
function mistakesOfLooks(looks: readonly number[], repetitions: unknown): [number, string][] {
  return looks.flatMap((look, index): [number, string][] => {
    const before = looks[index - 1];
    if (before !== undefined && look <= before) {
      return [[index, `looks ascend, but ${look} follows ${before}`]];
    }
    if (typeof repetitions !== 'number' || look <= repetitions) return [];
    return [[index, `${look} is more than the ${repetitions} repetitions`]];
  });
}
