import { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';

const Count = z.int().min(0);
const Ns = z.int().min(0);

const Durations = z.strictObject({
  count: Count,
  leastNs: Ns,
  meanNs: Ns,
  quantiles: z.array(z.strictObject({ quantile: z.number().min(0).max(1), ns: Ns })).max(16),
});

/**
 * What the load generator says of one load, as it stands on its standard output. Durations are in
 * ns; quantiles are within 0.4 % of the exact ones, the least and the greatest are exact.
 */
export const LoadReport = z.strictObject({
  version: z.literal(1),
  mode: z.enum(['closed', 'open']),
  /** complete: to its end. deadline, signal: what there was by then. */
  ended: z.enum(['complete', 'deadline', 'signal']),
  /** When the first requests were sent, CLOCK_MONOTONIC, ns. */
  beganMonoNs: z.string().regex(/^\d{1,19}$/),
  /** The window that answers are counted in: to its end or to the last answer. */
  elapsedNs: Ns,
  threads: Count,
  requests: z.strictObject({
    /** Instants of an open loop. */
    planned: Count,
    attempted: Count,
    answered: Count,
    answeredInWindow: Count,
    failed: Count,
    notSent: Count,
    /** Under way when all had to end. */
    unfinished: Count,
  }),
  body: z.strictObject({ bytes: Count, bytesInWindow: Count }),
  failures: z.strictObject({
    byClass: z.record(z.string().max(32), Count),
    /** The earliest one; atNs counts from the beginning. */
    first: z
      .strictObject({ class: z.string().max(32), atNs: Ns, text: z.string().max(256) })
      .nullable(),
  }),
  /** Of what was answered. Null if nothing was. */
  latency: Durations.nullable(),
  /** By how much the generator itself sent too late. Null in a closed loop. */
  lateness: Durations.nullable(),
  connections: z.strictObject({
    opened: Count,
    mostOpen: Count,
    mostUnderWay: Count,
    slowestConnectNs: Ns,
    /** Connections over which nothing was answered. */
    unanswered: Count,
    /** The other connections, by what was answered over each. */
    leastAnswered: Count,
    mostAnswered: Count,
    leastMedianNs: Ns,
    mostMedianNs: Ns,
  }),
  /** CPU time of the generator. */
  cpu: z.strictObject({ userNs: Ns, systemNs: Ns }),
});
export type LoadReport = z.output<typeof LoadReport>;

/**
 * Reads the report of the load generator.
 *
 * @throws LockstepError MESSAGE_INVALID if it is none.
 */
export function parseLoadReport(text: string): LoadReport {
  try {
    return LoadReport.parse(JSON.parse(text));
  } catch (cause) {
    throw new LockstepError(
      'MESSAGE_INVALID',
      `the load generator printed no report: ${text.slice(0, 200)}`,
      { cause, hint: 'The agent and its load generator must be of one release.' },
    );
  }
}

/** Requests per second that were answered. */
export function requestRate({ requests, elapsedNs }: LoadReport): number {
  return elapsedNs === 0 ? 0 : (requests.answeredInWindow / elapsedNs) * 1e9;
}

/** Bytes of bodies per second. */
export function byteRate({ body, elapsedNs }: LoadReport): number {
  return elapsedNs === 0 ? 0 : (body.bytesInWindow / elapsedNs) * 1e9;
}

/** Requests without a good answer, of those that were tried. */
export function failuresOf({ requests }: LoadReport): number {
  return requests.failed + requests.unfinished;
}
