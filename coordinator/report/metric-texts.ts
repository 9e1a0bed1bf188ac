import type { Metric } from '../analysis/run-summary.ts';
import type { ProcedureKind } from '../analysis/metrics.ts';

/** How a page or table calls what was measured. */
export interface MetricTexts {
  /** What it is, for an axis, without the unit. */
  readonly name: string;
  /** The same from end to end, as the caption of a table of ms. */
  readonly caption: string;
  /** The title of the column of its medians, on a page and in a terminal. */
  readonly median: string;
  readonly shortMedian: string;
}

/** The texts of each metric. */
export const METRIC_TEXTS: Readonly<Record<Metric, MetricTexts>> = {
  'cold-start': {
    name: 'time to first byte',
    caption: 'Cold start: request to the first byte of the first response. ms.',
    median: 'median',
    shortMedian: 'median',
  },
  makespan: {
    name: 'makespan',
    caption: 'Makespan of a burst: request of the trial to the last byte of its last sandbox. ms.',
    median: 'median makespan',
    shortMedian: 'makespan',
  },
  'warm-call': {
    name: 'time of the call',
    caption: 'Warm call: first call of the trial to the last byte of its last sandbox. ms.',
    median: 'median call',
    shortMedian: 'call',
  },
  call: {
    name: 'time of the call',
    caption:
      'Call of a function that is ready, from its beginning to the last byte of the response. ms.',
    median: 'median call',
    shortMedian: 'call',
  },
  elapsed: {
    name: 'duration',
    caption: 'Duration of the trial, from its first request to the end of use. ms.',
    median: 'median duration',
    shortMedian: 'duration',
  },
  lateness: {
    name: 'lateness of the start',
    caption:
      'No-op, which starts no sandbox: lateness of the start, actual minus ordered on the own ' +
      'clock of the device. ms; negative is early.',
    median: 'median lateness',
    shortMedian: 'lateness',
  },
};

/** What a procedure does, as a phrase after its name. */
export const PROCEDURE_TEXTS: Readonly<Record<ProcedureKind, string>> = {
  'cold-start': 'one sandbox on each device, from nothing to its first response',
  burst:
    'several sandboxes are started at once on each device; the batch is the unit, and counts ' +
    'only if all of it answered',
  'warm-call':
    'sandboxes are started, and once they are ready on every device, all functions are called at ' +
    'one instant; the batch of a device is the unit, and counts only if all of it answered',
  startup:
    'one sandbox on each device, from nothing to its first response, with the page cache in the ' +
    'state that is asked for',
  warm: 'one sandbox on each device is started, and called again and again once it is ready',
  compute: 'one sandbox on each device is started, and computes when it is called',
  alloc: 'one sandbox on each device is started, and touches new memory when it is called',
  read: 'one sandbox on each device is started, and reads a file when it is called',
  unzip: 'one sandbox on each device is started, and unpacks an archive when it is called',
  'idle-memory': 'sandboxes are started in steps, and their memory is read while they do nothing',
  'idle-cpu': 'sandboxes are started, and what they use while they do nothing is counted',
  throughput: 'a sandbox is called as often as it goes, over more and more connections',
  'open-loop': 'a sandbox is called at instants that are fixed beforehand, at given rates',
  density: 'sandboxes are added, one after the other, until one fails',
  churn: 'sandboxes are started, called and removed again and again',
  'no-op':
    'nothing but the start itself, to see how well the fleet starts; no sandbox is started, so ' +
    'kind of sandbox and function are names only',
};

/** Between which instants a procedure's time lies. */
export const END_POINT_TEXTS: Readonly<Record<ProcedureKind, string>> = {
  'cold-start': 'from the request to start the sandbox to the first byte of the first response',
  burst: 'from the first request to the last byte of the last first response (makespan)',
  'warm-call':
    'from the first call to the last byte of the last response; the start of the sandboxes ' +
    'before it is not part of the time',
  startup: 'from the request to start the sandbox to the first byte of the first response',
  warm: 'from the beginning of a call to the last byte of its response; the median of the calls',
  compute: 'from the beginning of the first call to the last byte of its response',
  alloc: 'from the beginning of the first call to the last byte of its response',
  read: 'from the beginning of the first call to the last byte of its response',
  unzip: 'from the beginning of the first call to the last byte of its response',
  'idle-memory': 'from the first request to the last reading; what was read stands by itself',
  'idle-cpu': 'from the first request to the last reading; what was read stands by itself',
  throughput: 'from the first request to the end of the last load; its figures stand by themselves',
  'open-loop':
    'from the first request to the end of the last load; its figures stand by themselves',
  density: 'from the first request to the end of the last sandbox added',
  churn: 'from the first request to the end of the last cycle',
  'no-op':
    'from the ordered to the actual instant of the start (lateness); it may be negative, and no ' +
    'sandbox has a part in it',
};
