import test from 'ava';
import { driverOf } from '../../../agent/sandboxes/registry.ts';
import { SandboxName } from '../../../schemas/sandbox.ts';

test('every kind of sandbox that an experiment may name has a driver', (t) => {
  for (const name of SandboxName.options) t.is(driverOf(name).name, name);
});

test('a kind that only records name is refused as unavailable', (t) => {
  for (const name of ['unikraft', 'linux', 'constructor', '']) {
    t.throws(() => driverOf(name), {
      code: 'SANDBOX_UNAVAILABLE',
      message: new RegExp(`'${name}'`),
    });
  }
});
