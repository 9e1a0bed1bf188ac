import { resolve } from 'node:path';
import type { z } from 'zod';
import type { Bus } from '../../bus/bus.ts';
import { connectBus } from '../../bus/connection.ts';
import { readCredentialFile } from '../../bus/credential-file.ts';
import { CONTROLS } from '../../schemas/control.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { controlSubject } from '../../schemas/subjects.ts';
import type { Home } from './home.ts';

type Verb = keyof typeof CONTROLS;

/** Where the coordinator is, if not the one of the data folder. */
export interface ClientOptions {
  readonly server?: string | undefined;
  readonly creds?: string | undefined;
}

const CONNECT_TIMEOUT_MS = 5000;
const ANSWER_TIMEOUT_MS = 30_000;

/** A person's connection to a coordinator. */
export class Client {
  readonly bus: Bus;

  constructor(bus: Bus) {
    this.bus = bus;
  }

  /**
   * Connects as a researcher: to the server named, or to the coordinator that works on the data
   * folder.
   *
   * @throws LockstepError BUS_UNAVAILABLE or BUS_DENIED.
   */
  static async connect(home: Home, options: ClientOptions): Promise<Client> {
    const { server, creds } = options;
    if ((server === undefined) !== (creds === undefined)) {
      throw new LockstepError('USAGE', '--server and --creds belong together');
    }
    const target =
      server === undefined || creds === undefined
        ? await home.readContext()
        : { server, credentials: resolve(creds) };
    const bus = await connectBus({
      servers: target.server,
      credentials: await readCredentialFile(target.credentials),
      name: 'lockstep',
      user: 'researcher',
      waitMs: CONNECT_TIMEOUT_MS,
    });
    return new Client(bus);
  }

  /**
   * Asks the coordinator.
   *
   * @throws LockstepError BUS_UNAVAILABLE if no coordinator answers, and what it refuses with.
   */
  async ask<V extends Verb>(
    verb: V,
    message: Omit<z.output<(typeof CONTROLS)[V]['request']>, 'protocol'>,
    timeoutMs: number = ANSWER_TIMEOUT_MS,
  ): Promise<z.output<(typeof CONTROLS)[V]['reply']>> {
    const exchange = CONTROLS[verb] as { request: z.ZodType; reply: z.ZodType };
    try {
      const reply = await this.bus.request(controlSubject(verb), exchange, message, { timeoutMs });
      return reply as z.output<(typeof CONTROLS)[V]['reply']>;
    } catch (error) {
      const isSilence =
        error instanceof LockstepError && error.code === 'NOT_FOUND' && error.cause !== undefined;
      if (!isSilence) throw error;
      throw new LockstepError('BUS_UNAVAILABLE', 'no coordinator answers on this server', {
        cause: error,
        hint: 'Start one with `./lockstep up`, or check --server.',
      });
    }
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    await this.bus.close();
  }
}
