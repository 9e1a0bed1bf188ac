import type { Logger } from 'pino';
import type { Bus, Listening } from '../../bus/bus.ts';
import { consumeDurable } from '../../bus/durable-consumer.ts';
import { ensureStream, SAMPLES } from '../../bus/streams.ts';
import { SAMPLES_CONSUMER, SAMPLES_STREAM } from '../../schemas/subjects.ts';
import type { SampleRecorder } from './sample-recorder.ts';

/**
 * Sets up the stream of samples and gives its messages to a recorder, one at a time. What is on
 * disk is acknowledged, and then gone from the stream.
 */
export async function consumeSamples(
  bus: Bus,
  recorder: SampleRecorder,
  logger: Logger,
): Promise<Listening> {
  await ensureStream(bus, SAMPLES);
  return consumeDurable(
    bus,
    { stream: SAMPLES_STREAM, consumer: SAMPLES_CONSUMER, logger },
    async (message) => {
      await recorder.record(message);
    },
  );
}
