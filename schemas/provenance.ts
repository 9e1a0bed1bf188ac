import { z } from 'zod';
import { Digest } from './units.ts';

/** The one device of imported results: their sources name none. */
export const IMPORTED_DEVICE_ID = 'imported';

/** What the data of an imported run can't support. The texts are in words, with numbers. */
export const LIMITATION_CODES = {
  'end-point': 'The times begin or end elsewhere than those of own runs.',
  'one-host': 'The source tells of one host only, or of none.',
  'no-failures': 'The source has no place for failures.',
  'failures-missing': 'Some cells have fewer rows than the others: what failed may be left out.',
  'order-lost': 'The order of the trials is not known.',
  'single-batch': 'A cell was measured once: no replication.',
  'dependent-rows': 'Rows of one cell are not independent of each other.',
  'typed-zeros': 'All values of a cell are 0, which no measurement gives.',
  'constant-values': 'All values of a cell are the same.',
  'duplicated-rows': 'Rows repeat others, as if pasted.',
  'coarse-resolution': 'The step of the values is not small against their spread.',
  'mixed-units': 'Some values look as if they were in another unit.',
  'no-latency': 'The values are no times.',
  'makespan-only': 'Only the end of a batch is known, not that of each sandbox.',
} as const;
export type LimitationCode = keyof typeof LIMITATION_CODES;
const limitationCodes = Object.keys(LIMITATION_CODES) as [LimitationCode, ...LimitationCode[]];

/** Something that the data of an imported run can't support. */
export const Limitation = z.object({
  code: z.enum(limitationCodes).meta({ description: 'Which kind.' }),
  message: z.string().max(2048).meta({ description: 'What was seen, with numbers.' }),
});
export type Limitation = z.output<typeof Limitation>;

/** Where an imported run comes from. */
export const Provenance = z.object({
  source: z.string().max(64).meta({ description: 'The kind of file, e.g. hyperfine.' }),
  fileName: z.string().max(255).meta({ description: 'Its name, without folders.' }),
  digest: Digest.meta({ description: 'SHA-256 of the file.' }),
  sizeBytes: z.int().min(0),
  rows: z.int().min(0).meta({ description: 'Measurements in it.' }),
  value: z.string().max(1024).meta({
    description: "What the source's value is: where it begins and ends, in words.",
  }),
  unit: z.enum(['s', 'ms', 'MiB']).meta({ description: 'Unit of the values in the source.' }),
  resolution: z.number().positive().optional().meta({
    description: 'Largest step that all values are multiples of, in that unit. Absent if unknown.',
  }),
  importedAtUtcMs: z.int().meta({ description: 'When, ms since 1970.' }),
  importedByVersion: z.string().max(64).meta({ description: 'The release that imported it.' }),
  limitations: z.array(Limitation).max(64),
});
export type Provenance = z.output<typeof Provenance>;
