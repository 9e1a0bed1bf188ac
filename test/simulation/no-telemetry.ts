import { pino } from 'pino';
import type { DeviceTelemetry } from '../../agent/device-telemetry.ts';

/** Of a device that samples nothing and tells nothing. */
export const NO_TELEMETRY: DeviceTelemetry = {
  resource: {},
  exportsDirectly: false,
  startSampler: () => Promise.reject(new Error('a simulated device has no sampler')),
  keepBlocks: () => Promise.resolve(),
  exportMetrics: () => Promise.resolve(),
  traceTrial: () => undefined,
  beginTrial: () => undefined,
  endTrial: () => undefined,
  logger: pino({ level: 'silent' }),
};
