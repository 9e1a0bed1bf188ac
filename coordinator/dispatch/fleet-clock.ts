import type { Bus } from '../../bus/bus.ts';
import { TimeProbe, TimeReply } from '../../schemas/messages.ts';
import { decodeMessage, encodeMessage } from '../../schemas/protocol.ts';
import { timeSubject } from '../../schemas/subjects.ts';

/** What the timekeeper's clock says. */
export interface FleetInstant {
  /** Name of the clock: boot id and time namespace of the timekeeper's host. */
  readonly fleetTime: string;
  /** Fleet time, ns, when the timekeeper answered: a round trip old at most. */
  readonly nowFleetNs: bigint;
}

const ANSWER_TIMEOUT_MS = 3000;

/**
 * Asks the timekeeper what time it is. The answer is only used to choose an instant ahead, so the
 * time that it was under way costs lead, not synchrony.
 *
 * @throws LockstepError if the timekeeper does not answer.
 */
export async function readFleetClock(bus: Bus): Promise<FleetInstant> {
  const probe = new TextEncoder().encode(JSON.stringify(encodeMessage(TimeProbe, {})));
  const bytes = await bus.requestRaw(timeSubject('coordinator'), probe, ANSWER_TIMEOUT_MS);
  const reply = decodeMessage(
    TimeReply,
    JSON.parse(new TextDecoder().decode(bytes)),
    'the timekeeper',
  );
  return { fleetTime: reply.fleetTime, nowFleetNs: reply.answeredAtFleetNs };
}
