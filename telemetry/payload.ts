/** The three signals of OTLP. */
export const SIGNALS = ['traces', 'metrics', 'logs'] as const;
export type Signal = (typeof SIGNALS)[number];

/** One OTLP export request: protobuf, compressed with gzip. */
export interface Payload {
  readonly signal: Signal;
  readonly bytes: Uint8Array;
  /** Points, spans or log records in it. */
  readonly items: number;
}

/** Takes payloads to be sent; resolves when they are safe, as far as the sink promises. */
export interface PayloadSink {
  add(payload: Payload): Promise<void>;
}

/** What became of a payload at an endpoint. */
export type Delivery =
  /** It is there; what the endpoint refused of it is lost. */
  | { readonly outcome: 'accepted'; readonly rejected: number; readonly message?: string }
  /** It may work later. */
  | { readonly outcome: 'retry'; readonly message: string; readonly afterMs?: number }
  /** It never will. */
  | { readonly outcome: 'refused'; readonly message: string };

/** Where payloads go. */
export interface Destination {
  readonly name: string;
  /** Sends once, within a deadline. Never throws. */
  send(payload: Payload, signal: AbortSignal): Promise<Delivery>;
  close(): Promise<void>;
}
