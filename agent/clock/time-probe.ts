import type { Bus } from '../../bus/bus.ts';
import { StampedRequests } from '../../bus/stamped-requests.ts';
import { TimeProbe as TimeProbeMessage, TimeReply } from '../../schemas/messages.ts';
import { decodeMessage, encodeMessage } from '../../schemas/protocol.ts';
import { timeSubject } from '../../schemas/subjects.ts';
import type { Clock } from './clock.ts';
import type { ProbeExchange } from './offset-estimator.ts';

/** One answered probe, and the clock that it is about. */
export interface ProbeAnswer {
  readonly exchange: ProbeExchange;
  readonly fleetTime: string;
}

/** The port to the timekeeper: one exchange. */
export interface TimeProbe {
  /** @throws LockstepError if nobody answers within the time. */
  exchange(timeoutMs: number): Promise<ProbeAnswer>;
}

/** Probes the timekeeper over the bus. */
export function busTimeProbe(bus: Bus, clock: Clock, deviceId: string): TimeProbe {
  const subject = timeSubject(deviceId);
  const probe = new TextEncoder().encode(JSON.stringify(encodeMessage(TimeProbeMessage, {})));
  const decoder = new TextDecoder();
  const requests = new StampedRequests(bus, () => clock.monotonicNs());
  return {
    async exchange(timeoutMs) {
      const { data, sentAtNs, returnedAtNs } = await requests.request(subject, probe, timeoutMs);
      const reply = decodeMessage(TimeReply, JSON.parse(decoder.decode(data)), 'the timekeeper');
      const { receivedAtFleetNs, answeredAtFleetNs, fleetTime } = reply;
      return {
        exchange: {
          sentAtMonoNs: sentAtNs,
          receivedAtFleetNs,
          answeredAtFleetNs,
          returnedAtMonoNs: returnedAtNs,
        },
        fleetTime,
      };
    },
  };
}
