import { readlinkSync } from 'node:fs';
import test from 'ava';
import {
  HOST_NETWORK_NAMESPACE_VARIABLE,
  SlotPool,
  assertOwnNetwork,
  planSlot,
} from '../../../agent/sandboxes/network.ts';
import { gvisorDriver } from '../../../agent/sandboxes/gvisor.ts';
import type { DriverContext, SandboxSpec } from '../../../agent/sandboxes/driver.ts';

// This process is in the network namespace of the device, so all of this must be refused.

test('planSlot gives the nth network of four addresses', (t) => {
  t.like(planSlot(0, 'veth', '/s'), {
    gatewayAddress: '10.77.0.1',
    address: '10.77.0.2',
    interfaceName: 'v0',
    netnsPath: '/s/0',
  });
  t.like(planSlot(64, 'tap', '/s'), { gatewayAddress: '10.77.1.1', address: '10.77.1.2' });
  t.is(planSlot(64, 'tap', '/s').netnsPath, undefined);
  const last = planSlot(4095, 'tap', '/s');
  t.is(last.address, '10.77.63.254');
  t.true(last.interfaceName.length < 16);
});

test('planSlot gives every slot its own hardware address', (t) => {
  const addresses = Array.from(
    { length: 4096 },
    (_, index) => planSlot(index, 'tap', '/s').macAddress,
  );
  t.is(new Set(addresses).size, 4096);
});

test.serial('SlotPool makes no device in the network of the device', async (t) => {
  for (const value of [undefined, '', readlinkSync('/proc/self/ns/net')]) {
    setHostNamespace(value);
    const pool = new SlotPool('/nonexistent/scratch');
    await t.throwsAsync(pool.acquire('veth', 1), { code: 'SANDBOX_UNAVAILABLE' });
    t.throws(assertOwnNetwork, { code: 'SANDBOX_UNAVAILABLE' });
  }
});

test.serial('gvisorDriver starts nothing in the network of the device', async (t) => {
  setHostNamespace(readlinkSync('/proc/self/ns/net'));
  const refused = { code: 'SANDBOX_UNAVAILABLE', message: /own network namespace/ };
  await t.throwsAsync(gvisorDriver.detect({} as DriverContext), refused);
  const observer = { onPhase: () => {}, onExit: () => {} };
  await t.throwsAsync(
    gvisorDriver.create({} as DriverContext, {} as SandboxSpec, observer),
    refused,
  );
});

function setHostNamespace(value: string | undefined): void {
  if (value === undefined) Reflect.deleteProperty(process.env, HOST_NETWORK_NAMESPACE_VARIABLE);
  else process.env[HOST_NETWORK_NAMESPACE_VARIABLE] = value;
}
