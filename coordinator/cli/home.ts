import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';

/** The folder of the checkout that this program is in. */
export const CHECKOUT_FOLDER = fileURLToPath(new URL('../..', import.meta.url));

/** What a started coordinator leaves for the tools on the same machine. */
const Context = z.object({
  server: z.string(),
  credentials: z.string(),
  processId: z.int(),
});
export type Context = z.output<typeof Context>;

/** The folders of one installation, below one data folder. */
export class Home {
  readonly folder: string;

  constructor(folder: string | undefined) {
    this.folder = resolve(
      folder ?? process.env['LOCKSTEP_HOME'] ?? join(CHECKOUT_FOLDER, '.lockstep'),
    );
  }

  /** What the set-up built: it belongs to the checkout, whatever the data folder is. */
  get cacheFolder(): string {
    return resolve(process.env['LOCKSTEP_CACHE'] ?? join(CHECKOUT_FOLDER, '.lockstep', 'cache'));
  }

  /** Artefacts of the agents on this machine, fetched as any device fetches them. */
  get agentsCacheFolder(): string {
    return join(this.folder, 'agents-cache');
  }

  /** Server, keys and streams. */
  get natsFolder(): string {
    return join(this.folder, 'nats');
  }

  /** Where a started coordinator says how it is reached. */
  get contextFile(): string {
    return join(this.folder, 'context.json');
  }

  /** Data of one local agent. */
  agentFolder(deviceId: string): string {
    return join(this.folder, 'agents', deviceId);
  }

  /** Credential of a user. */
  credentialFile(user: string): string {
    return join(this.folder, 'credentials', `${user}.creds`);
  }

  /**
   * How the coordinator that works on this data folder is reached.
   *
   * @throws LockstepError BUS_UNAVAILABLE if none has been started.
   */
  async readContext(): Promise<Context> {
    try {
      return Context.parse(JSON.parse(await readFile(this.contextFile, 'utf8')));
    } catch (cause) {
      throw new LockstepError('BUS_UNAVAILABLE', `no coordinator works on ${this.folder}`, {
        cause,
        hint: 'Start one with `./lockstep up`, or name one with --server and --creds.',
      });
    }
  }
}
