import type { MeasureName } from '../../schemas/measurement.ts';

/** Where a quantity of the suite comes from. */
interface QuantityDefinition {
  /** What it is, in the words of the report. */
  readonly title: string;
  readonly unit: 'ns' | 'By' | 'By/s' | '{event}' | '{request}/s' | '{connection}';
  /** `latency` is that of the procedure; `limit` the most connections without a failure. */
  readonly of: 'latency' | 'limit' | MeasureName;
  /** Labels that a measurement must have, as summaries keep them. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What is compared with the study, by name. */
export const QUANTITIES = {
  latency: { title: 'time', unit: 'ns', of: 'latency' },
  available: {
    ...{ title: 'memory per sandbox (MemAvailable)', unit: 'By', of: 'memory.per_sandbox' },
    labels: { source: 'available' },
  },
  cgroup: {
    ...{ title: 'memory per sandbox (cgroup)', unit: 'By', of: 'memory.per_sandbox' },
    labels: { source: 'cgroup' },
  },
  pss: {
    ...{ title: 'memory per sandbox (PSS)', unit: 'By', of: 'memory.per_sandbox' },
    labels: { source: 'pss' },
  },
  instructions: { title: 'instructions', unit: '{event}', of: 'cpu.instructions' },
  'cpu time': { title: 'CPU time per interval', unit: 'ns', of: 'cpu.time' },
  'first call': {
    ...{ title: 'first call', unit: 'ns', of: 'call.duration' },
    labels: { call: 'first' },
  },
  'later calls': {
    ...{ title: 'later calls', unit: 'ns', of: 'call.duration' },
    labels: { call: 'later' },
  },
  'first work': {
    ...{ title: 'first call, work alone', unit: 'ns', of: 'call.guest_duration' },
    labels: { call: 'first' },
  },
  'later work': {
    ...{ title: 'later calls, work alone', unit: 'ns', of: 'call.guest_duration' },
    labels: { call: 'later' },
  },
  'connection limit': {
    ...{ title: 'most connections without a failure', unit: '{connection}', of: 'limit' },
  },
  'requests at 1': {
    ...{ title: 'requests, 1 connection', unit: '{request}/s', of: 'load.request_rate' },
    labels: { connections: '1' },
  },
  'requests at 32': {
    ...{ title: 'requests, 32 connections', unit: '{request}/s', of: 'load.request_rate' },
    labels: { connections: '32' },
  },
  'bytes at 4': {
    ...{ title: 'file bytes, 4 connections', unit: 'By/s', of: 'load.byte_rate' },
    labels: { connections: '4' },
  },
} as const satisfies Record<string, QuantityDefinition>;
export type QuantityName = keyof typeof QUANTITIES;

/** The definition of a quantity, with the parts that only some have. */
export function quantityOf(name: QuantityName): QuantityDefinition {
  return QUANTITIES[name];
}
