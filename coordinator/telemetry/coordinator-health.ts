import type { Meter } from '@opentelemetry/api';
import type { StreamSize } from '../../bus/stream-size.ts';
import { byAttribute, observeHealth } from '../../telemetry/sdk/health-instruments.ts';
import type { HealthPoint } from '../../telemetry/sdk/health-instruments.ts';
import { processHealth } from '../../telemetry/sdk/process-health.ts';
import type { EventLoopWatch } from '../../telemetry/sdk/process-health.ts';
import type { Signal } from '../../telemetry/payload.ts';
import type { EndpointHealth } from '../relay/endpoint-feed.ts';

const OUTCOMES = ['accepted', 'rejected', 'refused', 'missed'] as const;

/** What the relay knows of an endpoint, as far as it is told. */
type RelayedEndpoint = Pick<
  EndpointHealth,
  'endpoint' | 'retries' | 'behind' | (typeof OUTCOMES)[number]
>;

/** Where a coordinator's health is read; each is asked every 15 s. */
export interface CoordinatorHealth {
  readonly lost: () => Readonly<Record<Signal, number>>;
  /** Devices by state; `lost` are those that were not heard lately. */
  readonly devices: () => Readonly<Record<string, number>>;
  readonly runs: () => { readonly queued: number; readonly going: number };
  /** Results since the start of the coordinator. */
  readonly results: () => { readonly ok: number; readonly failed: number };
  readonly relay: () => readonly RelayedEndpoint[];
  readonly streams: () => Promise<readonly StreamSize[]>;
}

/** Registers the instruments of a coordinator. */
export function observeCoordinator(
  meter: Meter,
  health: CoordinatorHealth,
  eventLoop: EventLoopWatch,
): void {
  const endpoints = (value: 'retries' | 'behind'): HealthPoint[] =>
    health.relay().map((endpoint) => ({
      value: endpoint[value],
      attributes: { 'lockstep.endpoint': endpoint.endpoint },
    }));
  const streams = async (value: 'bytes' | 'messages'): Promise<HealthPoint[]> =>
    (await health.streams()).map((stream) => ({
      value: stream[value],
      attributes: { 'lockstep.stream': stream.stream },
    }));
  observeHealth(meter, {
    ...processHealth(eventLoop),
    'lockstep.telemetry.lost': () => byAttribute('lockstep.telemetry.signal', health.lost()),
    'lockstep.devices': () => byAttribute('lockstep.state', health.devices()),
    'lockstep.runs': () => byAttribute('lockstep.run.state', { ...health.runs() }),
    'lockstep.results.recorded': () => byAttribute('lockstep.status', { ...health.results() }),
    'lockstep.relay.items': () =>
      health.relay().flatMap((endpoint) =>
        OUTCOMES.map((outcome) => ({
          value: endpoint[outcome],
          attributes: { 'lockstep.endpoint': endpoint.endpoint, 'lockstep.outcome': outcome },
        })),
      ),
    'lockstep.relay.retries': () => endpoints('retries'),
    'lockstep.relay.behind': () => endpoints('behind'),
    'lockstep.stream.size': () => streams('bytes'),
    'lockstep.stream.messages': () => streams('messages'),
  });
}
