/** A relay whose only endpoint is its standard output, until it is killed: SERVER CREDENTIALS. */
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { connectBus } from '../../../bus/connection.ts';
import { readCredentialFile } from '../../../bus/credential-file.ts';
import { Relay } from '../../../coordinator/relay/relay.ts';

const [servers = '', credentials = ''] = process.argv.slice(2);
const bus = await connectBus({
  servers,
  credentials: await readCredentialFile(credentials),
  name: 'coordinator',
  user: 'coordinator',
});
await Relay.start({
  bus,
  endpoints: [
    {
      name: 'output',
      send: async ({ bytes }) => {
        process.stdout.write(`${Buffer.from(bytes).toString()}\n`);
        await delay(1);
        return { outcome: 'accepted', rejected: 0 };
      },
      close: () => Promise.resolve(),
    },
  ],
  logger: pino({ level: 'silent' }),
});
