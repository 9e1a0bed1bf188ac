import type {
  HostCollector,
  Reading,
  SandboxCollector,
  SeriesIdentity,
} from '../../../../agent/collectors/collector.ts';
import type { Collectors } from '../../../../agent/sampler/open-sources.ts';

// Sources whose readings a test knows beforehand, for what no real source does when it is asked to.

/** Values per reading of the wide source. */
export const WIDE_SERIES = 200;

/** Counts its readings: the value tells which of them it was, from 1. */
const counting: HostCollector = {
  source: 'host-cpu',
  open: () => {
    let count = 0;
    return {
      pace: 'fast',
      series: [
        { metric: 'lockstep.host.context_switches' },
        { metric: 'lockstep.host.runnable' },
        { metric: 'system.cpu.time', attributes: { 'cpu.mode': 'never there' } },
      ],
      read: (row) => {
        count += 1;
        row.set([count, -count / 4, Number.NaN]);
        return 'read';
      },
      close: () => undefined,
    };
  },
};

const limited: HostCollector = {
  source: 'energy',
  open: () => ({
    pace: 'fast',
    series: [{ metric: 'hw.energy', attributes: { 'hw.id': 'x', 'hw.name': 'y' } }],
    limit: { hz: 25, reason: 'the sensor is no faster' },
    read: (row) => {
      row[0] = 1;
      return 'read';
    },
    close: () => undefined,
  }),
};

const wide: HostCollector = {
  source: 'host-disk',
  open: () => ({
    pace: 'fast',
    series: Array.from({ length: WIDE_SERIES }, (_, index): SeriesIdentity => ({
      metric: 'system.disk.io',
      attributes: { 'system.device.name': `d${index}`, 'disk.io.direction': 'read' },
    })),
    read: (row) => {
      row.fill(7.25);
      return 'read';
    },
    close: () => undefined,
  }),
};

const missing: HostCollector = {
  source: 'throttling',
  open: () => ({ unavailable: 'there is no such hardware', remedy: 'buy some' }),
};

const throwing: HostCollector = {
  source: 'frequency',
  open: () => {
    let count = 0;
    return {
      pace: 'fast',
      series: [{ metric: 'system.cpu.frequency', attributes: { 'cpu.logical_number': '0' } }],
      read: (row) => {
        count += 1;
        if (count > 3) throw new Error('the fourth reading failed');
        row[0] = count;
        return 'read';
      },
      close: () => undefined,
    };
  },
};

const throwingAtOnce: HostCollector = {
  source: 'host-memory',
  open: () => {
    throw new Error('a mistake in the collector');
  },
};

/** Slow, and each reading has one series more, up to 5. */
const growing: HostCollector = {
  source: 'temperature',
  open: () => {
    let count = 0;
    return {
      pace: 'slow',
      limit: { hz: 10, reason: 'a forked program' },
      read: async () => {
        await new Promise((resolve) => setTimeout(resolve, 3));
        count += 1;
        return Array.from({ length: Math.min(count, 5) }, (_, index): Reading => {
          const attributes = { 'hw.id': `zone${index}`, 'hw.name': 'cpu' };
          return { metric: 'hw.temperature', attributes, value: count };
        });
      },
      close: () => Promise.resolve(),
    };
  },
};

const failing: HostCollector = {
  source: 'host-network',
  open: () => ({
    pace: 'slow',
    limit: { hz: 5, reason: 'slow' },
    read: () => Promise.reject(new Error('the socket is closed')),
    close: () => Promise.resolve(),
  }),
};

/** Has nothing to read at first, then three readings, and then it is gone. */
const passing: SandboxCollector = {
  source: 'cgroup-cpu',
  open: ({ index }) => {
    let count = 0;
    return {
      pace: 'fast',
      series: [{ metric: 'container.cpu.time' }],
      read: (row) => {
        count += 1;
        if (count <= 2) return 'absent';
        if (count > 5) return 'ended';
        row[0] = index * 100 + count;
        return 'read';
      },
      close: () => undefined,
    };
  },
};

const never: SandboxCollector = {
  source: 'guest-exits',
  open: () => ({
    pace: 'fast',
    series: [{ metric: 'lockstep.sandbox.guest.time' }],
    read: () => 'absent',
    close: () => undefined,
  }),
};

/** All of them. */
export const SCRIPTED: Collectors = {
  host: [counting, limited, wide, missing, throwing, throwingAtOnce, growing, failing],
  sandbox: [passing, never],
};
