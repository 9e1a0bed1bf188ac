import type { z } from 'zod';
import type { Bus } from '../../bus/bus.ts';
import type { MessageHeaders } from '../../bus/message-headers.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { COMMANDS } from '../../schemas/messages.ts';
import { commandSubject } from '../../schemas/subjects.ts';

export type CommandVerb = keyof typeof COMMANDS;
export type CommandMessage<V extends CommandVerb> = Omit<
  z.output<(typeof COMMANDS)[V]['request']>,
  'protocol'
>;
export type CommandReply<V extends CommandVerb> = z.output<(typeof COMMANDS)[V]['reply']>;

/** What became of one command to one device. */
export type CommandOutcome<V extends CommandVerb> =
  | { readonly deviceId: string; readonly reply: CommandReply<V> }
  | { readonly deviceId: string; readonly error: LockstepError };

/**
 * Sends one command to one device.
 *
 * @throws LockstepError DEVICE_LOST if nobody answers for the device, and whatever it refuses with.
 */
export async function commandDevice<V extends CommandVerb>(
  bus: Bus,
  target: { deviceId: string; verb: V; timeoutMs: number; headers?: MessageHeaders },
  message: CommandMessage<V>,
): Promise<CommandReply<V>> {
  const { deviceId, verb, timeoutMs, headers = {} } = target;
  try {
    // One entry of the table is indexed by a type parameter, which the compiler can't follow.
    const exchange = COMMANDS[verb] as { request: z.ZodType; reply: z.ZodType };
    const subject = commandSubject(deviceId, verb);
    const options = { timeoutMs, headers };
    return (await bus.request(subject, exchange, message, options)) as CommandReply<V>;
  } catch (error) {
    if (!(error instanceof LockstepError) || !isSilence(error)) throw error;
    throw new LockstepError(
      'DEVICE_LOST',
      `device ${deviceId} did not answer ${verb}: ${error.message}`,
      { cause: error, hint: 'Check that its agent runs and reaches the coordinator.' },
    );
  }
}

/** True if nobody spoke for the device; an error of its own came without a cause. */
function isSilence(error: LockstepError): boolean {
  const silent: string[] = ['DEADLINE_EXCEEDED', 'BUS_UNAVAILABLE', 'NOT_FOUND'];
  return silent.includes(error.code) && error.cause !== undefined;
}
