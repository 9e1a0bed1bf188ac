import test from 'ava';
import { z } from 'zod';
import type { Bus } from '../../bus/bus.ts';
import { protocolField } from '../../schemas/protocol.ts';
import { commandSubject } from '../../schemas/subjects.ts';
import { startTestBus } from '../support/nats-server.ts';
import { rejection } from '../support/rejection.ts';

const Ping = z.object({ ...protocolField });
const exchange = { request: Ping, reply: Ping };

async function next(bus: Bus, type: 'connected' | 'disconnected'): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const stop = bus.onStatus((status) => {
    if (status.type === type) resolve(undefined);
  });
  await promise;
  stop();
}

test('after kill -9 of the server both ends come back, subscriptions with them', async (t) => {
  const server = await startTestBus(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const coordinator = await server.connect({ role: 'coordinator', user: 'coordinator' });
  const subject = commandSubject('d1', 'prepare');
  await device.respond(subject, exchange, () => ({}));
  const lost = [next(device, 'disconnected'), next(coordinator, 'disconnected')];
  await server.kill();
  await Promise.all(lost);
  t.false(device.isConnected);
  const down = coordinator.request(subject, exchange, {}, { timeoutMs: 50 });
  t.is((await rejection(down)).code, 'BUS_UNAVAILABLE');

  const back = [next(device, 'connected'), next(coordinator, 'connected')];
  await server.restart();
  await Promise.all(back);
  await device.flush(5000);
  const reply = await coordinator.request(subject, exchange, {}, { timeoutMs: 5000 });
  t.deepEqual(reply, { protocol: 1 });
});

test('a connection that the server refuses again and again stays open', async (t) => {
  const server = await startTestBus(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const refusals = Promise.withResolvers<undefined>();
  let refused = 0;
  device.onStatus((status) => {
    if (status.type !== 'error' || status.error.code !== 'BUS_DENIED') return;
    refused += 1;
    if (refused === 3) refusals.resolve(undefined);
  });
  // The same port with other keys: each dial ends in an authorization error.
  await server.kill();
  const stranger = await server.restartWithNewTrust();
  await refusals.promise;
  t.false(device.connection.isClosed());
  await stranger.stop();
  const back = next(device, 'connected');
  await server.restart();
  await back;
  t.true(device.isConnected);
});
