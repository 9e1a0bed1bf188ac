import { request } from 'node:http';
import { LockstepError } from '../../schemas/errors.ts';

/** A response of a function, with stamps on CLOCK_MONOTONIC, ns. */
export interface Invocation {
  readonly status: number;
  readonly responseBytes: number;
  /** The first characters of the body, 256 at most. */
  readonly bodyStart: string;
  /** The work alone by the function's own clock, ns. Absent if the function did not tell. */
  readonly guestDurationNs?: number;
  /** When the call began. */
  readonly callAtMonoNs: bigint;
  readonly firstByteAtMonoNs: bigint;
  readonly lastByteAtMonoNs: bigint;
}

/** Where and how long to ask. */
export interface InvocationTarget {
  readonly address: string;
  readonly port: number;
  readonly path: string;
  readonly timeoutMs: number;
}

/** Largest response that is read, bytes. */
const RESPONSE_BYTES_MAX = 64 * 1024 * 1024;

const BODY_START_BYTES = 256;

/** The header in which a function tells how long its work took, ns. */
const DURATION_HEADER = 'lockstep-duration-ns';

/**
 * Calls the function once over a connection of its own.
 *
 * @throws LockstepError FUNCTION_CRASHED if the connection fails, DEADLINE_EXCEEDED if the answer
 * is not complete in time.
 */
export function invoke(target: InvocationTarget, signal: AbortSignal): Promise<Invocation> {
  return new Promise((resolve, reject) => {
    const deadline = AbortSignal.timeout(target.timeoutMs);
    const callAtMonoNs = process.hrtime.bigint();
    const fail = (cause: unknown): void => {
      reject(invocationError(target, cause, deadline.aborted));
    };
    const call = request({
      host: target.address,
      port: target.port,
      path: target.path,
      agent: false,
      signal: AbortSignal.any([signal, deadline]),
    });
    call.once('error', fail);
    call.once('response', (response) => {
      const firstByteAtMonoNs = process.hrtime.bigint();
      let responseBytes = 0;
      let bodyStart = '';
      response.on('data', (chunk: Buffer) => {
        if (responseBytes < BODY_START_BYTES) {
          bodyStart += chunk.toString('latin1', 0, BODY_START_BYTES - responseBytes);
        }
        responseBytes += chunk.length;
        if (responseBytes > RESPONSE_BYTES_MAX) response.destroy(new Error('response too large'));
      });
      response.once('error', fail);
      response.once('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          responseBytes,
          bodyStart,
          ...parseGuestDuration(response.headers[DURATION_HEADER]),
          callAtMonoNs,
          firstByteAtMonoNs,
          lastByteAtMonoNs: process.hrtime.bigint(),
        });
      });
    });
    call.end();
  });
}

function parseGuestDuration(value: unknown): { guestDurationNs?: number } {
  if (typeof value !== 'string' || !/^\d{1,18}$/.test(value)) return {};
  return { guestDurationNs: Number(value) };
}

function invocationError(target: InvocationTarget, cause: unknown, late: boolean): LockstepError {
  const url = `http://${target.address}:${target.port}${target.path}`;
  if (late) {
    return new LockstepError(
      'DEADLINE_EXCEEDED',
      `${url} did not answer completely within ${target.timeoutMs} ms`,
      { cause, hint: 'Raise readyTimeoutMs in the experiment, or look at the log of the sandbox.' },
    );
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LockstepError('FUNCTION_CRASHED', `${url} failed: ${reason}`, {
    cause,
    hint: 'Look at the log of the sandbox.',
  });
}
