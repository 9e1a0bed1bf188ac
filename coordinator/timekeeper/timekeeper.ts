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
  const decoder = new TextDecoder();
  const writeReply = replyWriter(fleetTimeName());
  await bus.respondRaw(TIME_WILDCARD, (bytes) => {
    const receivedAtFleetNs = process.hrtime.bigint();
    decodeMessage(TimeProbe, JSON.parse(decoder.decode(bytes)), 'a clock probe');
    return writeReply(receivedAtFleetNs);
  });
}

/**
 * Writes answers with almost no work after the last stamp: what follows it counts as time of the
 * way back, and makes it longer than the way there.
 */
function replyWriter(fleetTime: string): (receivedAtFleetNs: bigint) => Uint8Array {
  const sample = encodeMessage(TimeReply, {
    fleetTime,
    receivedAtFleetNs: 1n,
    answeredAtFleetNs: 2n,
  });
  const { receivedAtFleetNs: first, answeredAtFleetNs: last, ...rest } = sample;
  // The schema says how nanoseconds are written; here they must be decimal strings.
  if (first !== '1' || last !== '2') throw new Error('nanoseconds are not written as expected');
  const head = `${JSON.stringify(rest).slice(0, -1)},"receivedAtFleetNs":"`;
  const encoder = new TextEncoder();
  return (receivedAtFleetNs) => {
    const begin = `${head}${receivedAtFleetNs}","answeredAtFleetNs":"`;
    return encoder.encode(`${begin}${process.hrtime.bigint()}"}`);
  };
}
