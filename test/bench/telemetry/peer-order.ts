import { z } from 'zod';

/** What the process of a peer is to do. */
export const PeerOrder = z.object({
  kind: z.enum(['systeminformation', 'server']),
  /** What to fetch from a server. */
  url: z.url().optional(),
  /** Path of its socket, if it has no port. */
  socketPath: z.string().optional(),
  /** Processes whose CPU time counts as well. */
  serverPids: z.array(z.int()),
  samples: z.int().min(1),
  /** From one sample to the next. */
  periodMs: z.number().positive(),
  /** Samples before those that count. */
  warmUp: z.int().min(0),
});
export type PeerOrder = z.output<typeof PeerOrder>;

/** What that came to. */
export const PeerOutcome = z.object({
  samples: z.int(),
  seconds: z.number(),
  /** Of the process that asks, and of programs that it starts. */
  clientCpuNs: z.number(),
  serverCpuNs: z.number(),
});
