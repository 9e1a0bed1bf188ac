import { join } from 'node:path';
import test from 'ava';
import { pino } from 'pino';
import { ArtefactCache } from '../../../bus/artefact-cache.ts';
import { publishDurable } from '../../../bus/streams.ts';
import { Coordinator } from '../../../coordinator/coordinator.ts';
import { messageOfPayload } from '../../../telemetry/spool/payload-message.ts';
import { startTestBus } from '../../support/nats-server.ts';
import { ScriptedDestination, textPayload } from '../../support/scripted-destination.ts';

test('a coordinator with an endpoint brings telemetry there, and says that it does', async (t) => {
  const server = await startTestBus(t);
  const bus = await server.connect({ role: 'coordinator', user: 'coordinator' });
  const device = await server.connect({ role: 'device', user: 'd1' });
  const common = {
    bus,
    dataFolder: join(server.folder, 'data'),
    cache: new ArtefactCache(join(server.folder, 'cache')),
    logger: pino({ level: 'silent' }),
  };
  const alone = await Coordinator.start(common);
  t.false(alone.exportsTelemetry);
  t.deepEqual(alone.relayHealth, []);
  t.true(await alone.drainTelemetry(0));
  await alone.stop();

  const endpoint = new ScriptedDestination('one');
  const coordinator = await Coordinator.start({ ...common, endpoints: [endpoint] });
  t.true(coordinator.exportsTelemetry);
  const { subject, headers, data } = messageOfPayload(textPayload('points', 10), 'd1');
  await publishDurable(device, subject, data, { id: 'points', headers });
  t.true(await coordinator.drainTelemetry(60_000));
  t.deepEqual(endpoint.accepted, ['points']);
  t.like(coordinator.relayHealth[0], { endpoint: 'one', accepted: 10, behind: 0 });
  await coordinator.stop();
  t.true(endpoint.isClosed);
});
