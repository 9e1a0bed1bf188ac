/** A process that drains a spool into NATS, until it is killed: SERVER CREDENTIALS FOLDER USER. */
import { connectBus } from '../../../bus/connection.ts';
import { readCredentialFile } from '../../../bus/credential-file.ts';
import { Drainer } from '../../../telemetry/spool/drainer.ts';
import { NatsDestination } from '../../../telemetry/spool/nats-destination.ts';
import { openSpool } from '../../../telemetry/spool/spool.ts';

const [servers = '', credentials = '', folder = '', user = ''] = process.argv.slice(2);
const spool = await openSpool({ folder });
const bus = await connectBus({
  servers,
  credentials: await readCredentialFile(credentials),
  name: user,
  user,
});
const drainer = new Drainer(spool, new NatsDestination(bus));
drainer.start();
process.stdout.write('draining\n');
if (await drainer.flush(60_000)) process.stdout.write('empty\n');
