import type { Meter } from '@opentelemetry/api';
import type { Presence } from '../../schemas/device.ts';
import { byAttribute, observeHealth, single } from '../../telemetry/sdk/health-instruments.ts';
import { processHealth } from '../../telemetry/sdk/process-health.ts';
import type { EventLoopWatch } from '../../telemetry/sdk/process-health.ts';
import type { Signal } from '../../telemetry/payload.ts';

/** Where an agent's health is read; each is asked every 15 s, and never while a trial runs. */
export interface AgentHealth {
  readonly spool: () => { readonly pendingBytes: number; readonly pendingFiles: number };
  /** Items lost anywhere on the device, since the start. */
  readonly lost: () => Readonly<Record<Signal, number>>;
  /** Messages that wait in the outbox. */
  readonly outboxPending: () => number;
  /** `undefined` before the first burst of clock probes. */
  readonly clockBoundNs: () => bigint | undefined;
  readonly state: () => Presence['state'];
  /** Trials since the start of the agent. */
  readonly trials: () => { readonly ok: number; readonly failed: number };
  /** `undefined` where the device can't tell. */
  readonly isThrottled: () => boolean | undefined | Promise<boolean | undefined>;
}

const STATES: readonly Presence['state'][] = ['probing', 'idle', 'busy', 'leaving'];

/** Registers the instruments of an agent. */
export function observeAgent(meter: Meter, health: AgentHealth, eventLoop: EventLoopWatch): void {
  observeHealth(meter, {
    ...processHealth(eventLoop),
    'lockstep.spool.size': () => single(health.spool().pendingBytes),
    'lockstep.spool.files': () => single(health.spool().pendingFiles),
    'lockstep.telemetry.lost': () => byAttribute('lockstep.telemetry.signal', health.lost()),
    'lockstep.outbox.pending': () => single(health.outboxPending()),
    'lockstep.device.clock.bound': () => {
      const boundNs = health.clockBoundNs();
      return single(boundNs === undefined ? undefined : Number(boundNs) / 1e9);
    },
    'lockstep.device.state': () => {
      const now = health.state();
      const values = STATES.map((state) => [state, state === now ? 1 : 0] as const);
      return byAttribute('lockstep.state', Object.fromEntries(values));
    },
    'lockstep.device.trials': () => byAttribute('lockstep.status', { ...health.trials() }),
    'lockstep.device.throttled': async () => {
      const isThrottled = await health.isThrottled();
      return single(isThrottled === undefined ? undefined : Number(isThrottled));
    },
  });
}
