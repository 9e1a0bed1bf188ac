import type { Delivery, Payload } from '../payload.ts';

/** The way to an endpoint for one signal. */
export interface Route {
  /**
   * Sends once.
   *
   * @throws Error if nothing came back, and it makes sense to try again.
   */
  send(payload: Payload, signal: AbortSignal): Promise<Delivery>;
  /** Gives up the connections. */
  close(): void;
}
