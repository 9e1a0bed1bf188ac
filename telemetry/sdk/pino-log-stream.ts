import { ROOT_CONTEXT, SeverityNumber, trace } from '@opentelemetry/api';
import type { Attributes, Logger as LogRecorder, SpanContext } from '@opentelemetry/api';
import type { Logger } from 'pino';

/** Characters of a body and of an attribute; what is longer is cut. */
const BODY_CHARACTERS_MAX = 4096;
const VALUE_CHARACTERS_MAX = 1024;

/** Attributes of one record; further ones are left out. */
const ATTRIBUTES_MAX = 32;

/** A longer line is not parsed, characters: its beginning is the body. */
const LINE_CHARACTERS_MAX = 65_536;

/** Records of one minute, at most: further ones are dropped and counted. */
const RECORDS_PER_MINUTE_MAX = 6000;
const MINUTE_MS = 60_000;

/** The field that marks lines about telemetry itself: they go to the console only. */
const OWN_FIELD = 'isAboutTelemetry';

/** Levels of pino from the highest, with what OpenTelemetry calls them. */
const SEVERITIES = [
  [60, SeverityNumber.FATAL, 'FATAL'],
  [50, SeverityNumber.ERROR, 'ERROR'],
  [40, SeverityNumber.WARN, 'WARN'],
  [30, SeverityNumber.INFO, 'INFO'],
  [20, SeverityNumber.DEBUG, 'DEBUG'],
  [Number.NEGATIVE_INFINITY, SeverityNumber.TRACE, 'TRACE'],
] as const;

/** Fields of Lockstep's lines that telemetry has a name for. */
const ATTRIBUTE_OF_FIELD: Readonly<Record<string, string>> = {
  runId: 'lockstep.run.id',
  trialId: 'lockstep.trial.id',
  deviceId: 'device.id',
};

/** Fields that are told elsewhere: in the record itself or in its resource. */
const LEFT_OUT = new Set(['level', 'time', 'msg', 'pid', 'hostname']);

/** Takes lines of pino, beside the stream that goes to the console. */
export interface LogStream {
  /** Never throws. */
  write(line: string): void;
  /** Lines that were dropped as there were too many. */
  readonly dropped: number;
}

/**
 * A logger for the parts that export: what it says goes to the console and not into telemetry,
 * where a failure to export would make more to export, without end.
 */
export function telemetryLogger(logger: Logger): Logger {
  return logger.child({ [OWN_FIELD]: true });
}

/**
 * Turns each line into a log record: severity, time, the message as body, the other fields as
 * attributes, and the ids of the span that is current. At most 6000 records a minute.
 *
 * @param currentSpan what the process works on, if anything.
 */
export function logStream(
  recorder: LogRecorder,
  currentSpan: () => SpanContext | undefined,
): LogStream {
  let dropped = 0;
  let windowBeganMs = performance.now();
  let inWindow = 0;
  const mayRecord = (): boolean => {
    const nowMs = performance.now();
    if (nowMs - windowBeganMs >= MINUTE_MS) [windowBeganMs, inWindow] = [nowMs, 0];
    inWindow += 1;
    return inWindow <= RECORDS_PER_MINUTE_MAX;
  };
  return {
    get dropped() {
      return dropped;
    },
    write: (line) => {
      try {
        const fields = parseLine(line);
        if (fields[OWN_FIELD] === true) return;
        if (mayRecord()) emit(recorder, fields, currentSpan());
        else dropped += 1;
      } catch {
        dropped += 1;
      }
    },
  };
}

function emit(
  recorder: LogRecorder,
  fields: Readonly<Record<string, unknown>>,
  span: SpanContext | undefined,
): void {
  const { level, time, msg } = fields;
  const levelNumber = typeof level === 'number' ? level : 30;
  const [, severityNumber, severityText] =
    SEVERITIES.find(([least]) => levelNumber >= least) ?? SEVERITIES[3];
  recorder.emit({
    severityNumber,
    severityText,
    body: (typeof msg === 'string' ? msg : '').slice(0, BODY_CHARACTERS_MAX),
    attributes: attributesOf(fields),
    ...(typeof time === 'number' && Number.isFinite(time) ? { timestamp: new Date(time) } : {}),
    context: span === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, span),
  });
}

function parseLine(line: string): Record<string, unknown> {
  if (line.length > LINE_CHARACTERS_MAX) return { msg: line };
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // A line that is not pino's is told as it is.
  }
  return { msg: line.trimEnd() };
}

function attributesOf(fields: Readonly<Record<string, unknown>>): Attributes {
  const attributes: Attributes = {};
  for (const [field, value] of Object.entries(fields)) {
    if (LEFT_OUT.has(field) || value === undefined || value === null) continue;
    if (Object.keys(attributes).length >= ATTRIBUTES_MAX) break;
    const name = Object.hasOwn(ATTRIBUTE_OF_FIELD, field) ? ATTRIBUTE_OF_FIELD[field] : field;
    attributes[name ?? field] = attributeValue(value);
  }
  return attributes;
}

function attributeValue(value: unknown): string | number | boolean {
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.slice(0, VALUE_CHARACTERS_MAX);
}
