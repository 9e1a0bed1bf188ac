import { z } from 'zod';

/** How precisely one cell was known when a run was looked at. */
export const CellPrecision = z.object({
  cellId: z.string().max(200),
  n: z.int().min(0).meta({ description: 'Valid values: trials on hosts.' }),
  estimateNs: z.number().optional().meta({
    description: 'The median or 95th percentile, ns. Absent without a value.',
  }),
  halfWidthPercent: z.number().min(0).optional().meta({
    description: 'Half the width of its interval, percent of it. Absent with too few values.',
  }),
  isPrecise: z.boolean(),
  repetitionsNeeded: z.int().min(1).optional().meta({
    description: 'For the wanted precision, as far as the values tell. Absent if they do not.',
  }),
});
export type CellPrecision = z.output<typeof CellPrecision>;

/** What was seen at one look, and what was decided. */
export const Look = z.object({
  look: z.int().min(1).meta({ description: 'Which look, from 1.' }),
  looks: z.int().min(1).meta({ description: 'How many there are at most.' }),
  repetitions: z.int().min(1).meta({ description: 'Whole repetitions done.' }),
  cells: z.array(CellPrecision).max(1024),
  decision: z.enum(['go-on', 'stop']),
});
export type Look = z.output<typeof Look>;

/** Why a run ended by its own rule. */
export const Stopped = z.object({
  rule: z.enum(['precise', 'maximum', 'time-limit']).meta({
    description:
      'precise: every cell is as precise as wanted. maximum: all repetitions are done, and some ' +
      'cell is not. time-limit: the time was over.',
  }),
  repetitions: z.int().min(0).meta({ description: 'Whole repetitions done.' }),
  look: z.int().min(1).optional().meta({ description: 'At which look. Absent if at none.' }),
  reason: z.string().max(2048).meta({ description: 'The same in words for people.' }),
  cells: z.array(CellPrecision).max(1024).meta({
    description: 'As they stood then. Empty if no precision was wanted.',
  }),
});
export type Stopped = z.output<typeof Stopped>;
