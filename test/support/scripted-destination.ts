import type { Delivery, Payload } from '../../telemetry/payload.ts';

/** An endpoint in this process: keeps what it accepts, and answers as the test says. */
export class ScriptedDestination {
  readonly name: string;
  /** What was accepted, as text, in order. */
  readonly accepted: string[] = [];
  /** Everything that was sent, as text, in order. */
  readonly sent: string[] = [];
  /** What it answers; may take its time. */
  answer: (text: string, signal: AbortSignal) => Delivery | Promise<Delivery> = () => ({
    outcome: 'accepted',
    rejected: 0,
  });
  isClosed = false;
  mostAtOnce = 0;
  #atOnce = 0;

  constructor(name = 'scripted') {
    this.name = name;
  }

  async send({ bytes }: Payload, signal: AbortSignal): Promise<Delivery> {
    const text = Buffer.from(bytes).toString();
    this.sent.push(text);
    this.#atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce);
    try {
      const delivery = await this.answer(text, signal);
      if (delivery.outcome === 'accepted') this.accepted.push(text);
      return delivery;
    } finally {
      this.#atOnce -= 1;
    }
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

/** Answers only when it is cut off, as an endpoint that hangs. */
export async function hang(_text: string, signal: AbortSignal): Promise<Delivery> {
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
  return { outcome: 'retry', message: 'cut off' };
}

/** A payload whose bytes are a text. */
export function textPayload(text: string, items = 1): Payload {
  return { signal: 'metrics', bytes: Buffer.from(text), items };
}
