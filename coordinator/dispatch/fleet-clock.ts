import type { Bus } from '../../bus/bus.ts';
import { TimeProbe, TimeReply } from '../../schemas/messages.ts';
import { decodeMessage, encodeMessage } from '../../schemas/protocol.ts';
import { timeSubject } from '../../schemas/subjects.ts';

/** What the timekeeper's clock says, and when that was asked and heard. */
export interface FleetInstant {
  /** Name of the clock: boot id and time namespace of the timekeeper's host. */
  readonly fleetTime: string;
  /** Fleet time, ns, when the timekeeper answered: a round trip old at most. */
  readonly nowFleetNs: bigint;
  /** Own CLOCK_MONOTONIC, ns. */
  readonly askedAtMonoNs: bigint;
  readonly heardAtMonoNs: bigint;
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
  const askedAtMonoNs = process.hrtime.bigint();
  const bytes = await bus.requestRaw(timeSubject('coordinator'), probe, ANSWER_TIMEOUT_MS);
  const heardAtMonoNs = process.hrtime.bigint();
  const reply = decodeMessage(
    TimeReply,
    JSON.parse(new TextDecoder().decode(bytes)),
    'the timekeeper',
  );
  const { fleetTime, answeredAtFleetNs } = reply;
  return { fleetTime, nowFleetNs: answeredAtFleetNs, askedAtMonoNs, heardAtMonoNs };
}
