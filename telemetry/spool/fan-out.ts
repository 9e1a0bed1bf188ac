import type { Payload, PayloadSink } from '../payload.ts';

/** One sink that puts each payload into several, each of which keeps its own. */
export function fanOut(sinks: readonly PayloadSink[]): PayloadSink {
  return {
    add: async (payload: Payload) => {
      await Promise.all(sinks.map((sink) => sink.add(payload)));
    },
  };
}
