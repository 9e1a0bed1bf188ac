/** What kind of work a span is, as OpenTelemetry has it. */
type SpanKindName = 'internal' | 'producer' | 'consumer' | 'client';

/** What is known of the spans of one name. */
export interface SpanDefinition {
  readonly kind: SpanKindName;
  readonly service: 'lockstep-agent' | 'lockstep-coordinator';
  /** The name of the span that it is in. Absent: the outermost of its service. */
  readonly within?: string;
  readonly description: string;
}

const define = (
  service: SpanDefinition['service'],
  kind: SpanKindName,
  within: string | undefined,
  description: string,
): SpanDefinition => ({
  service,
  kind,
  ...(within === undefined ? {} : { within }),
  description,
});
const agent = define.bind(undefined, 'lockstep-agent');
const coordinator = define.bind(undefined, 'lockstep-coordinator');

/** The names of all spans. They are few: what tells trials apart is in attributes. */
export const SPAN_NAMES = {
  run: coordinator('internal', undefined, 'A run that has ended; linked to its trials.'),
  'run trials': coordinator('internal', 'run', 'Further links of a run, 128 in a span.'),
  'dispatch trial': coordinator('producer', undefined, 'A trial, until all its results are in.'),
  'arm devices': coordinator('internal', 'dispatch trial', 'arm, until all have answered.'),
  'go devices': coordinator('internal', 'dispatch trial', 'go, until all have answered.'),
  'await results': coordinator('internal', 'dispatch trial', 'From then to the last result.'),
  'process trial': agent('consumer', undefined, 'A trial on a device, from arm to the result.'),
  prepare: agent('internal', 'process trial', 'From arm to the start: all that is not timed.'),
  sandbox: agent('internal', 'process trial', 'One sandbox, from request to the end of teardown.'),
  wait: agent('internal', 'sandbox', 'request to spawn: it is not its turn yet.'),
  spawn: agent('internal', 'sandbox', 'spawn to gateOpen: the waiting child is let go.'),
  boot: agent('internal', 'sandbox', 'gateOpen to guestEntry: VMM and guest kernel; microVM only.'),
  load: agent(
    'internal',
    'sandbox',
    "guestEntry, else gateOpen, to appMain: up to function's main.",
  ),
  start: agent('internal', 'sandbox', 'appMain to ready: the function starts to listen.'),
  'first response': agent('client', 'sandbox', 'call to lastByte: the function is called once.'),
  teardown: agent('internal', 'sandbox', 'teardownBegin to teardownEnd: it is removed.'),
} as const satisfies Record<string, SpanDefinition>;
export type SpanName = keyof typeof SPAN_NAMES;

/** The names of events within spans. */
export const EVENT_NAMES = {
  exception: 'A device failed; in its place the coordinator wrote the result.',
  ready: 'The function said that it listens.',
  'first byte': 'The first byte of the first response arrived.',
  barrier: 'The device went on from a barrier.',
} as const;
export type EventName = keyof typeof EVENT_NAMES;
