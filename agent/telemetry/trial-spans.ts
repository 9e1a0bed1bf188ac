import type { Attributes } from '@opentelemetry/api';
import type { ArmRequest } from '../../schemas/messages.ts';
import type { Instance, PhaseStamps, TrialResult } from '../../schemas/result.ts';
import type { SpanName } from '../../schemas/span-names.ts';
import type { EventDraft, SpanDraft } from '../../telemetry/sdk/span-tree.ts';
import type { TracedTrial } from '../device-telemetry.ts';

/** Sandboxes of a trial that get spans of their own; those that failed come first. */
export const INSTANCES_TRACED_MAX = 128;

/** A phase as a span: the stamps that it begins and ends with. */
interface PhaseSpan {
  readonly name: SpanName;
  /** The first of these that was seen. */
  readonly from: readonly (keyof PhaseStamps)[];
  readonly to: keyof PhaseStamps;
}

const PHASE_SPANS: readonly PhaseSpan[] = [
  { name: 'wait', from: ['request'], to: 'spawn' },
  { name: 'spawn', from: ['spawn'], to: 'gateOpen' },
  { name: 'boot', from: ['gateOpen'], to: 'guestEntry' },
  { name: 'load', from: ['guestEntry', 'gateOpen'], to: 'appMain' },
  { name: 'start', from: ['appMain'], to: 'ready' },
  { name: 'first response', from: ['call'], to: 'lastByte' },
  { name: 'teardown', from: ['teardownBegin'], to: 'teardownEnd' },
];

/**
 * The spans of a trial on one device, from its result. A span is there only if both of its stamps
 * are and are in order; each is within the one that it belongs to. At most 128 sandboxes have
 * spans; the outermost says how many have none.
 */
export function trialSpans(trial: TracedTrial): SpanDraft {
  const { request, result, utcMinusMonoNs } = trial;
  const toUtc = (monoNs: bigint): bigint => monoNs + utcMinusMonoNs;
  const traced = tracedInstances(result.instances);
  const sandboxes = traced.flatMap((instance) => sandboxSpan(request, instance, toUtc));
  const prepare = spanBetween(
    'prepare',
    toUtc(trial.armedAtMonoNs),
    result.start === undefined ? undefined : toUtc(result.start.actualMonoNs),
  );
  const children = [...prepare, ...sandboxes];
  return {
    name: 'process trial',
    startUtcNs: least(
      toUtc(trial.armedAtMonoNs),
      children.map(({ startUtcNs }) => startUtcNs),
    ),
    endUtcNs: greatest(
      toUtc(trial.endedAtMonoNs),
      children.map(({ endUtcNs }) => endUtcNs),
    ),
    attributes: {
      ...trialAttributes(request),
      ...resultAttributes(result),
      'lockstep.instances.untraced': result.instances.length - traced.length,
    },
    ...errorOf(result),
    events: result.barriers.map(({ name, actualMonoNs }) => ({
      name: 'barrier',
      atUtcNs: toUtc(actualMonoNs),
      attributes: { 'lockstep.barrier': name },
    })),
    children,
  };
}

function tracedInstances(instances: readonly Instance[]): readonly Instance[] {
  if (instances.length <= INSTANCES_TRACED_MAX) return instances;
  const failed = instances.filter(({ status }) => status === 'failed');
  const ok = instances.filter(({ status }) => status === 'ok');
  return [...failed, ...ok].slice(0, INSTANCES_TRACED_MAX);
}

function trialAttributes(request: ArmRequest): Attributes {
  const { cell } = request;
  return {
    'messaging.system.name': 'nats',
    'messaging.operation.type': 'process',
    'lockstep.run.id': request.runId,
    'lockstep.trial.id': request.trialId,
    'lockstep.trial.attempt': request.attempt,
    'lockstep.procedure': request.procedure,
    'lockstep.cell.id': cell.id,
    'lockstep.sandbox.kind': cell.sandbox,
    'lockstep.function': cell.function,
    'lockstep.instances': cell.instances,
  };
}

function resultAttributes({ clock, start, invalid }: TrialResult): Attributes {
  const codes = [...new Set(invalid.map(({ code }) => code))];
  return {
    ...(codes.length === 0 ? {} : { 'lockstep.invalid': codes }),
    ...(clock === undefined
      ? {}
      : {
          'lockstep.clock.offset': clock.offsetNs.toString(),
          'lockstep.clock.bound': toSeconds(clock.boundNs),
        }),
    ...(start === undefined
      ? {}
      : {
          'lockstep.start.lateness': toSeconds(start.latenessNs),
          'lockstep.scheduling.class': start.schedulingClass,
        }),
  };
}

/** The span of one sandbox; none if nothing of it was ever seen. */
function sandboxSpan(
  request: ArmRequest,
  instance: Instance,
  toUtc: (monoNs: bigint) => bigint,
): SpanDraft[] {
  const { phases } = instance;
  const stamps = Object.values(phases)
    .filter((monoNs) => monoNs !== undefined)
    .map(toUtc);
  const [first] = stamps;
  if (first === undefined) return [];
  const at = (phase: keyof PhaseStamps): bigint | undefined => {
    const monoNs = phases[phase];
    return monoNs === undefined ? undefined : toUtc(monoNs);
  };
  const children = PHASE_SPANS.flatMap(({ name, from, to }) => {
    const begin = from.find((phase) => phases[phase] !== undefined);
    return begin === undefined ? [] : spanBetween(name, at(begin), at(to));
  }).map((span) => (span.name === 'first response' ? withResponse(span, instance, at) : span));
  return [
    {
      name: 'sandbox',
      startUtcNs: least(first, stamps),
      endUtcNs: greatest(first, stamps),
      attributes: {
        'lockstep.run.id': request.runId,
        'lockstep.trial.id': request.trialId,
        'lockstep.cell.id': request.cell.id,
        'lockstep.instance.index': instance.index,
        'lockstep.sandbox.kind': request.cell.sandbox,
        'lockstep.function': request.cell.function,
      },
      ...errorOf(instance),
      events: eventAt('ready', at('ready')),
      children,
    },
  ];
}

function withResponse(
  span: SpanDraft,
  { address, httpStatus }: Instance,
  at: (phase: keyof PhaseStamps) => bigint | undefined,
): SpanDraft {
  return {
    ...span,
    attributes: {
      'server.address': address,
      ...(httpStatus === undefined ? {} : { 'http.response.status_code': httpStatus }),
    },
    events: eventAt('first byte', at('firstByte')),
  };
}

function eventAt(name: 'ready' | 'first byte', atUtcNs: bigint | undefined): EventDraft[] {
  return atUtcNs === undefined ? [] : [{ name, atUtcNs }];
}

/** A span without attributes; none if an end of it is missing or they are not in order. */
function spanBetween(
  name: SpanName,
  startUtcNs: bigint | undefined,
  endUtcNs: bigint | undefined,
): SpanDraft[] {
  if (startUtcNs === undefined || endUtcNs === undefined || endUtcNs < startUtcNs) return [];
  return [{ name, startUtcNs, endUtcNs, attributes: {} }];
}

function errorOf(failed: Pick<TrialResult, 'status' | 'failure'>): Pick<SpanDraft, 'error'> {
  if (failed.status === 'ok') return {};
  const { code, message } = failed.failure ?? { code: 'INTERNAL', message: 'it failed' };
  return { error: { code, message } };
}

function least(first: bigint, others: readonly bigint[]): bigint {
  return others.reduce((left, right) => (right < left ? right : left), first);
}

function greatest(first: bigint, others: readonly bigint[]): bigint {
  return others.reduce((left, right) => (right > left ? right : left), first);
}

function toSeconds(valueNs: bigint): number {
  return Number(valueNs) / 1e9;
}
