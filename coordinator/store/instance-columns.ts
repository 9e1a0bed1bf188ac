import { PHASES } from '../../schemas/result.ts';
import type { Instance } from '../../schemas/result.ts';
import { columnsOf } from './column.ts';
import type { Column, ColumnValue, FilledColumn } from './column.ts';

type Reads = Readonly<Record<string, (instance: Instance) => ColumnValue>>;

const STATUS: Reads = {
  address: ({ address }) => address,
  instanceStatus: ({ status }) => status,
  instanceFailureCode: ({ failure }) => failure?.code,
  instanceFailureMessage: ({ failure }) => failure?.message,
  instanceFailureHint: ({ failure }) => failure?.hint,
  failedAfter: ({ failedAfter }) => failedAfter,
  logTail: ({ logTail }) => logTail,
};

const STAMPS: Reads = Object.fromEntries(
  PHASES.map((phase) => [`${phase}AtMonoNs`, ({ phases }: Instance) => phases[phase]]),
);

/** The columns that an instance fills, in the order of the file. */
export const INSTANCE_VALUES: readonly FilledColumn<Instance>[] = [
  ...columnsOf<Instance>('INTEGER', { instance: ({ index }) => index }),
  ...columnsOf('VARCHAR', STATUS),
  ...columnsOf<Instance>('BIGINT', {
    httpStatus: ({ httpStatus }) => httpStatus,
    responseBytes: ({ responseBytes }) => responseBytes,
  }),
  ...columnsOf('BIGINT', STAMPS),
  ...columnsOf<Instance>('BOOLEAN', { hasUsage: ({ usage }) => usage !== undefined }),
  ...columnsOf<Instance>('BIGINT', {
    memoryBytes: ({ usage }) => usage?.memoryBytes,
    memoryPeakBytes: ({ usage }) => usage?.memoryPeakBytes,
    cpuNs: ({ usage }) => usage?.cpuNs,
  }),
  ...columnsOf<Instance>('VARCHAR', { usageUnavailable: ({ usage }) => usage?.unavailable }),
];

/** What instances.parquet repeats of the result, so that it can be read alone. */
export const REPEATED_COLUMNS: readonly Column[] = [
  { name: 'run', type: 'VARCHAR' },
  { name: 'trial', type: 'VARCHAR' },
  { name: 'attempt', type: 'BIGINT' },
  { name: 'position', type: 'BIGINT' },
  { name: 'device', type: 'VARCHAR' },
  { name: 'cell', type: 'VARCHAR' },
  { name: 'sandbox', type: 'VARCHAR' },
  { name: 'function', type: 'VARCHAR' },
];

/** The columns of instances.parquet: a row per sandbox. */
export const INSTANCE_COLUMNS: readonly Column[] = [
  { name: 'resultIndex', type: 'BIGINT' },
  { name: 'place', type: 'INTEGER' },
  ...REPEATED_COLUMNS,
  ...INSTANCE_VALUES.map(({ name, type }) => ({ name, type })),
];
