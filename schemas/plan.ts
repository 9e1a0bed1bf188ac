import { z } from 'zod';
import { protocolField } from './protocol.ts';
import { Cell } from './result.ts';
import { Failure } from './failure.ts';
import { Identifier } from './units.ts';

/** One trial of a plan. */
export const PlannedTrial = z.object({
  trialId: Identifier,
  position: z.int().min(0).meta({ description: 'Place in the order, from 0.' }),
  repetition: z.int().min(0).meta({ description: 'Which repetition (block) it belongs to.' }),
  cell: Cell,
});
export type PlannedTrial = z.output<typeof PlannedTrial>;

/** The ordered trials of a run: a pure function of experiment, usable sandboxes and seed. */
export const Plan = z.object({
  ...protocolField,
  seed: z.int().min(0),
  order: z.enum(['randomised-blocks', 'fixed', 'unknown']).meta({
    description:
      'unknown: the source of an imported run does not tell it; positions are then places in ' +
      'the source and say nothing about time.',
  }),
  cells: z.array(Cell),
  skipped: z
    .array(z.object({ cell: Cell, failure: Failure, deviceId: Identifier.optional() }))
    .meta({ description: 'Cells that were left out because a device cannot run them.' }),
  trials: z.array(PlannedTrial),
});
export type Plan = z.output<typeof Plan>;
