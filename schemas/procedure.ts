import { z } from 'zod';

const readyTimeoutMs = z.int().min(100).max(600_000).default(30_000).meta({
  description: 'Longest wait for each sandbox to be ready, and for each answer, ms.',
});

const pauseMs = (preset: number) =>
  z.int().min(0).max(60_000).default(preset).meta({ description: 'Wait before each call, ms.' });

const calls = (preset: number, most: number) =>
  z.int().min(1).max(most).default(preset).meta({
    description: 'Calls of the function, one after the other, in the same sandbox.',
  });

const path = (preset: string) =>
  z
    .string()
    .regex(/^\/[A-Za-z0-9/_.-]{0,100}(?:\?[A-Za-z0-9=&_.-]{0,100})?$/, {
      error: 'a path such as /hello, with a query if need be',
    })
    .default(preset)
    .meta({ description: 'What is asked of the function.' });

const settleMs = (preset: number) =>
  z.int().min(0).max(600_000).default(preset).meta({
    description: 'Wait until what was started has settled, ms.',
  });

const durationMs = z.int().min(100).max(600_000).default(2000).meta({
  description: 'How long each load lasts, ms.',
});

const kinds = {
  'cold-start': z.strictObject({ kind: z.literal('cold-start'), readyTimeoutMs }),
  burst: z.strictObject({ kind: z.literal('burst'), readyTimeoutMs }),
  startup: z.strictObject({
    kind: z.literal('startup'),
    readyTimeoutMs,
    pageCache: z
      .enum(['as-is', 'cached', 'evicted'])
      .default('as-is')
      .meta({
        description:
          'State of the page cache for the files of the sandbox before its start: read once, ' +
          'evicted after a sync, or left alone. Read back before and after; a result outside is ' +
          'invalid.',
      }),
  }),
  'warm-call': z.strictObject({ kind: z.literal('warm-call'), readyTimeoutMs }),
  warm: z.strictObject({
    kind: z.literal('warm'),
    readyTimeoutMs,
    path: path('/hello'),
    calls: calls(20, 2000),
    pauseMs: pauseMs(0),
  }),
  compute: z.strictObject({
    kind: z.literal('compute'),
    readyTimeoutMs,
    work: z.enum(['fib', 'fft', 'matrix']).default('fib').meta({ description: 'What to compute.' }),
    n: z
      .int()
      .min(1)
      .max(10_000_000_000)
      .optional()
      .meta({
        description:
          "Size of the work. Absent: the study's 1000000000 for fib, 1048576 for fft, 1024 for " +
          'matrix.',
      }),
    calls: calls(2, 100),
    pauseMs: pauseMs(500),
  }),
  alloc: z.strictObject({
    kind: z.literal('alloc'),
    readyTimeoutMs,
    mib: z.int().min(1).max(65_536).default(50).meta({ description: 'Memory to touch, MiB.' }),
    calls: calls(2, 100),
    pauseMs: pauseMs(500),
  }),
  read: z.strictObject({
    kind: z.literal('read'),
    readyTimeoutMs,
    calls: calls(2, 100),
    pauseMs: pauseMs(500),
  }),
  unzip: z.strictObject({
    kind: z.literal('unzip'),
    readyTimeoutMs,
    archive: z.enum(['stored', 'compressible']).default('stored').meta({
      description: "stored: random bytes, as the study's. compressible: text that is inflated.",
    }),
    calls: calls(1, 100),
    pauseMs: pauseMs(500),
  }),
  'idle-memory': z.strictObject({
    kind: z.literal('idle-memory'),
    readyTimeoutMs,
    steps: z.int().min(1).max(64).default(5).meta({
      description: 'The sandboxes of the trial are started in so many equal steps.',
    }),
    settleMs: settleMs(2000),
  }),
  'idle-cpu': z.strictObject({
    kind: z.literal('idle-cpu'),
    readyTimeoutMs,
    settleMs: settleMs(3000),
    intervalMs: z.int().min(100).max(60_000).default(1000).meta({
      description: 'Length of an interval, ms.',
    }),
    intervals: z.int().min(1).max(1000).default(10).meta({ description: 'How many intervals.' }),
  }),
  throughput: z.strictObject({
    kind: z.literal('throughput'),
    readyTimeoutMs,
    path: path('/hello'),
    connections: z
      .array(z.int().min(1).max(16_384))
      .min(1)
      .max(20)
      .default([1, 2, 4, 8, 16, 32, 64])
      .meta({ description: 'Connections at once, one load after the other, ascending.' }),
    requests: z.int().min(1).max(10_000_000).optional().meta({
      description: 'Requests per load. Absent: as many as go into durationMs.',
    }),
    durationMs,
    stopAtFailure: z.boolean().default(true).meta({
      description: 'True: no more connections are tried once a request failed.',
    }),
  }),
  'open-loop': z.strictObject({
    kind: z.literal('open-loop'),
    readyTimeoutMs,
    path: path('/hello'),
    ratesPerSecond: z
      .array(z.number().positive().max(1_000_000))
      .min(1)
      .max(20)
      .default([100])
      .meta({
        description:
          'Requests per second, one load after the other. Latency counts from the instant that a ' +
          'request was to be sent at, whether it could be or not.',
      }),
    arrivals: z.enum(['poisson', 'even']).default('poisson').meta({
      description: 'poisson: random gaps, from the seed of the experiment. even: equal gaps.',
    }),
    connectionsMax: z.int().min(1).max(16_384).default(1024).meta({
      description: 'Requests under way at once, at most; more are counted as not sent.',
    }),
    durationMs,
  }),
  density: z.strictObject({
    kind: z.literal('density'),
    readyTimeoutMs,
    stopAtMemoryAvailableMib: z.int().min(64).max(1_048_576).default(1024).meta({
      description: 'No sandbox is added once the host has less memory available than this, MiB.',
    }),
  }),
  churn: z.strictObject({
    kind: z.literal('churn'),
    readyTimeoutMs,
    cycles: z.int().min(1).max(1000).default(20).meta({
      description: 'Each starts, calls and removes as many sandboxes as the cell says.',
    }),
  }),
  'no-op': z.strictObject({ kind: z.literal('no-op'), readyTimeoutMs }),
} as const;

/** What is done in a trial, with its parameters: the union of all kinds. */
export const Procedure = z
  .discriminatedUnion('kind', [
    kinds['cold-start'],
    kinds.burst,
    kinds.startup,
    kinds['warm-call'],
    kinds.warm,
    kinds.compute,
    kinds.alloc,
    kinds.read,
    kinds.unzip,
    kinds['idle-memory'],
    kinds['idle-cpu'],
    kinds.throughput,
    kinds['open-loop'],
    kinds.density,
    kinds.churn,
    kinds['no-op'],
  ])
  .meta({ description: 'What is done in a trial.' });
export type Procedure = z.output<typeof Procedure>;

/** A procedure of one kind, with its parameters. */
export type ProcedureOf<K extends ProcedureKind> = z.output<(typeof kinds)[K]>;

/** What can be done in a trial. */
export const ProcedureKind = z.enum(Object.keys(kinds) as [keyof typeof kinds]).meta({
  description:
    'cold-start: one sandbox from nothing to its first response. burst: several at once. ' +
    'startup: as cold-start, with the state of the page cache set and what can be counted of the ' +
    'processor. warm-call: sandboxes are started, and once they are ready on every device, all ' +
    'are called at one instant. warm: a sandbox that is ready is called again and again. ' +
    'compute, alloc, read, unzip: the same with work to do. idle-memory, idle-cpu: ' +
    'sandboxes that do nothing are watched. throughput: as many requests as go, over more and ' +
    'more connections. ' +
    'open-loop: requests at instants that are fixed beforehand. density: sandboxes are added ' +
    'until one fails. churn: sandboxes are started and removed again and again. no-op: nothing ' +
    'but the start itself, to see how well the fleet starts.',
});
export type ProcedureKind = keyof typeof kinds;
