import { z } from 'zod';

/** What a measure is. */
interface MeasureDefinition {
  /** By UCUM, as in OpenTelemetry. */
  readonly unit: 'ns' | 'By' | 'By/s' | '{request}' | '{request}/s' | '{sandbox}' | '{event}';
  readonly description: string;
  /** Which way is good, for comparisons; absent where neither is. */
  readonly better?: 'lower' | 'higher';
}

/**
 * All that procedures measure beside the phases of their sandboxes. What tells measurements of one
 * measure apart stands in their labels, see {@link MEASUREMENT_LABELS}.
 */
export const MEASURES = {
  'call.duration': {
    unit: 'ns',
    description: 'From the beginning of a call to the last byte of its response, on the device.',
    better: 'lower',
  },
  'call.guest_duration': {
    unit: 'ns',
    description: "The work alone, by the function's own monotonic clock.",
    better: 'lower',
  },
  'call.response_size': { unit: 'By', description: 'Body of the response.' },
  'memory.cgroup': {
    unit: 'By',
    description: 'Memory charged to the cgroups of all sandboxes of the trial.',
    better: 'lower',
  },
  'memory.pss': {
    unit: 'By',
    description: 'Proportional set size of all processes of the sandboxes (smaps_rollup).',
    better: 'lower',
  },
  'memory.available_drop': {
    unit: 'By',
    description: "By how much the host's MemAvailable fell since before the first sandbox.",
    better: 'lower',
  },
  'memory.per_sandbox': {
    unit: 'By',
    description: 'Slope of memory over the number of sandboxes, by least squares.',
    better: 'lower',
  },
  'cpu.time': { unit: 'ns', description: 'CPU time used in an interval.', better: 'lower' },
  'cpu.instructions': {
    unit: '{event}',
    description: 'Instructions that the processor retired for the sandbox.',
    better: 'lower',
  },
  'cpu.cycles': { unit: '{event}', description: 'Cycles of the processor.', better: 'lower' },
  'guest.exits': { unit: '{event}', description: 'Exits of the virtual machine.', better: 'lower' },
  'load.requests': { unit: '{request}', description: 'Requests answered as they should be.' },
  'load.failures': { unit: '{request}', description: 'Requests that failed.', better: 'lower' },
  'load.not_sent': {
    unit: '{request}',
    description: 'Requests of an open loop for which no connection was free.',
    better: 'lower',
  },
  'load.request_rate': {
    unit: '{request}/s',
    description: 'Requests answered per second.',
    better: 'higher',
  },
  'load.byte_rate': { unit: 'By/s', description: 'Bodies received per second.', better: 'higher' },
  'load.latency': {
    unit: 'ns',
    description:
      'Of the requests answered, by quantile: from sending, or in an open loop from the instant ' +
      'that it was to be sent at, to the last byte.',
    better: 'lower',
  },
  'load.ceiling_request_rate': {
    unit: '{request}/s',
    description: 'What the load generator gets from a server that does nothing, just before.',
  },
  'load.ceiling_byte_rate': { unit: 'By/s', description: 'The same in bytes.' },
  'density.sandboxes': {
    unit: '{sandbox}',
    description: 'Sandboxes that were well at once.',
    better: 'higher',
  },
  'churn.cycle_duration': {
    unit: 'ns',
    description: 'One cycle: start, first response, removal.',
    better: 'lower',
  },
  'churn.failures': { unit: '{sandbox}', description: 'Sandboxes that failed.', better: 'lower' },
} as const satisfies Record<string, MeasureDefinition>;
export type MeasureName = keyof typeof MEASURES;

/** What may tell measurements of one measure apart. */
export const MEASUREMENT_LABELS = {
  call: 'Number of the call, from 1.',
  work: 'What was computed.',
  sandboxes: 'How many sandboxes there were.',
  source: 'Of which memory the slope is: cgroup, pss or available.',
  interval: 'Number of the interval, from 1.',
  connections: 'Connections at once.',
  rate: 'Requests per second that were to be sent.',
  quantile: 'Quantile, 0 to 1.',
  cycle: 'Number of the cycle, from 1.',
} as const;
type MeasurementLabel = keyof typeof MEASUREMENT_LABELS;

const measureNames = Object.keys(MEASURES) as [MeasureName, ...MeasureName[]];
const labelNames = Object.keys(MEASUREMENT_LABELS) as [MeasurementLabel, ...MeasurementLabel[]];

/** One figure of a trial. What could not be measured is absent, never 0. */
export const Measurement = z.object({
  measure: z.enum(measureNames),
  value: z.number().meta({ description: 'In the unit of the measure.' }),
  instance: z.int().min(0).max(4095).exactOptional().meta({
    description: 'The sandbox that it is of. Absent: of the whole trial on the device.',
  }),
  labels: z.partialRecord(z.enum(labelNames), z.string().max(64)).exactOptional().meta({
    description: 'What tells it from others of the same measure.',
  }),
});
export type Measurement = z.output<typeof Measurement>;

/** Measurements of one trial on one device, at most. */
export const MEASUREMENTS_MAX = 8192;
