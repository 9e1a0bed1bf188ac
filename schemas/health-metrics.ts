import type { AttributeName } from './telemetry-attributes.ts';
import type { MetricDefinition, MetricKind } from './telemetry-names.ts';

const define = (
  kind: MetricKind,
  unit: string,
  attributes: readonly AttributeName[],
  [source, description]: readonly [source: string, description: string],
): MetricDefinition => ({ kind, unit, attributes, source, description });

const SIGNAL = ['lockstep.telemetry.signal'] as const;
const ENDPOINT = ['lockstep.endpoint'] as const;
const STREAM = ['lockstep.stream'] as const;

/** What agents and the coordinator tell of themselves every 15 s; never while a trial runs. */
export const HEALTH_METRICS = {
  'process.cpu.time': define(
    'counter',
    's',
    ['cpu.mode'],
    ['agent and coordinator: getrusage(2)', 'CPU time of the process, by mode: user, system.'],
  ),
  'process.memory.usage': define(
    'level',
    'By',
    [],
    ['agent and coordinator: /proc/self/statm', 'Memory of the process that is resident.'],
  ),
  'nodejs.eventloop.delay.mean': define(
    'gauge',
    's',
    [],
    ['agent and coordinator: lateness of a timer', 'Mean delay of the event loop since last told.'],
  ),
  'nodejs.eventloop.delay.max': define(
    'gauge',
    's',
    [],
    ['agent and coordinator: lateness of a timer', 'Longest delay since last told.'],
  ),
  'lockstep.telemetry.lost': define('counter', '{item}', SIGNAL, [
    'agent and coordinator: SDK and spool',
    'Spans, points and log records that were dropped as there was no room, or not encoded.',
  ]),
  'lockstep.spool.size': define(
    'level',
    'By',
    [],
    ['agent: spool', 'Telemetry on disk that was not sent yet.'],
  ),
  'lockstep.spool.files': define(
    'level',
    '{file}',
    [],
    ['agent: spool', 'Payloads on disk that were not sent yet.'],
  ),
  'lockstep.outbox.pending': define(
    'level',
    '{message}',
    [],
    ['agent: outbox', 'Results and blocks of samples that were not acknowledged yet.'],
  ),
  'lockstep.device.clock.bound': define(
    'gauge',
    's',
    [],
    ['agent: last burst of clock probes', 'Limit of the error of the clock against fleet time.'],
  ),
  'lockstep.device.state': define(
    'gauge',
    '{state}',
    ['lockstep.state'],
    ['agent', '1 for the state that the device is in, 0 for the others.'],
  ),
  'lockstep.device.trials': define(
    'counter',
    '{trial}',
    ['lockstep.status'],
    ['agent', 'Trials done since the start of the agent.'],
  ),
  'lockstep.device.throttled': define(
    'gauge',
    '{condition}',
    [],
    ['agent: source throttling', '1 if heat or power slows the processor down now, else 0.'],
  ),
  'lockstep.devices': define(
    'level',
    '{device}',
    ['lockstep.state'],
    ['coordinator: registry', 'Devices by state; lost are those not heard for 10 s.'],
  ),
  'lockstep.runs': define(
    'level',
    '{run}',
    ['lockstep.run.state'],
    ['coordinator: queue of runs', 'Runs that wait and that go.'],
  ),
  'lockstep.results.recorded': define(
    'counter',
    '{result}',
    ['lockstep.status'],
    ['coordinator: recorder', 'Results put on disk since the start of the coordinator.'],
  ),
  'lockstep.relay.items': define(
    'counter',
    '{item}',
    ['lockstep.endpoint', 'lockstep.outcome'],
    [
      'coordinator: relay',
      'Spans, points and log records, by what became of them; missed are payloads, as what was ' +
        'in them is not known.',
    ],
  ),
  'lockstep.relay.retries': define('counter', '{attempt}', ENDPOINT, [
    'coordinator: relay',
    'Attempts that failed and are repeated.',
  ]),
  'lockstep.relay.behind': define('level', '{message}', ENDPOINT, [
    'coordinator: relay',
    'Payloads that the endpoint has not got yet.',
  ]),
  'lockstep.stream.size': define('level', 'By', STREAM, [
    'coordinator: JetStream',
    'What a stream holds.',
  ]),
  'lockstep.stream.messages': define('level', '{message}', STREAM, [
    'coordinator: JetStream',
    'Messages that a stream holds.',
  ]),
} as const satisfies Record<string, MetricDefinition>;
export type HealthMetric = keyof typeof HEALTH_METRICS;
