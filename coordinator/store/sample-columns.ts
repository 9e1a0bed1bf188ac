import type { Column } from './column.ts';

/**
 * The columns of samples.parquet: a row per reading, ordered by place of the trial in the plan,
 * trial, attempt, device, instance, source, metric and instant.
 */
export const SAMPLE_COLUMNS: readonly Column[] = [
  { name: 'trial', type: 'VARCHAR' },
  { name: 'attempt', type: 'BIGINT' },
  { name: 'device', type: 'VARCHAR' },
  { name: 'instance', type: 'INTEGER' },
  { name: 'source', type: 'VARCHAR' },
  { name: 'metric', type: 'VARCHAR' },
  { name: 'unit', type: 'VARCHAR' },
  { name: 'atMonoNs', type: 'BIGINT' },
  { name: 'value', type: 'DOUBLE' },
];
