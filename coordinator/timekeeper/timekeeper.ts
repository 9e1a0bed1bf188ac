import type { Bus } from '../../bus/bus.ts';
import { TimeProbe, TimeReply } from '../../schemas/messages.ts';
import { decodeMessage, encodeMessage } from '../../schemas/protocol.ts';
import { TIME_WILDCARD } from '../../schemas/subjects.ts';
import { fleetTimeName } from './fleet-time.ts';

/**
 * Answers clock probes: its own CLOCK_MONOTONIC is fleet time. The stamps are taken as the first
 * and the last thing, so that decoding counts as time of the answer and not of the way.
 */
export async function answerProbes(bus: Bus): Promise<void> {
  const fleetTime = fleetTimeName();
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  await bus.respondRaw(TIME_WILDCARD, (bytes) => {
    const receivedAtFleetNs = process.hrtime.bigint();
    decodeMessage(TimeProbe, JSON.parse(decoder.decode(bytes)), 'a clock probe');
    const reply = encodeMessage(TimeReply, {
      fleetTime,
      receivedAtFleetNs,
      answeredAtFleetNs: process.hrtime.bigint(),
    });
    return encoder.encode(JSON.stringify(reply));
  });
}
