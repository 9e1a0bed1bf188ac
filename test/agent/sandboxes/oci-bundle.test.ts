import test from 'ava';
import { ociConfig } from '../../../agent/sandboxes/oci-bundle.ts';

const OPTIONS = {
  id: 's0-runc',
  rootFolder: '/roots/abc',
  command: ['/function', '--listen', '10.77.0.2:8080'],
  limits: { memoryMib: 512, cpus: 1.5 },
  limitsSwap: true,
};

test('ociConfig names no network namespace, so the container stays in its slot', (t) => {
  const { linux } = ociConfig(OPTIONS) as { linux: { namespaces: { type: string }[] } };
  t.deepEqual(
    linux.namespaces.map(({ type }) => type),
    ['pid', 'ipc', 'uts', 'mount'],
  );
});

test('ociConfig names the network namespace for a runtime that has to be told', (t) => {
  const config = ociConfig({ ...OPTIONS, netnsPath: '/scratch/netns/0' });
  const { linux } = config as { linux: { namespaces: Record<string, string>[] } };
  t.deepEqual(linux.namespaces.at(-1), { type: 'network', path: '/scratch/netns/0' });
});

test('ociConfig gives a read-only root, no terminal and no capability', (t) => {
  const config = ociConfig(OPTIONS) as {
    root: unknown;
    process: { terminal: boolean; capabilities: Record<string, string[]>; args: string[] };
  };
  t.deepEqual(config.root, { path: '/roots/abc', readonly: true });
  t.false(config.process.terminal);
  t.deepEqual(config.process.args, OPTIONS.command);
  t.deepEqual(Object.values(config.process.capabilities).flat(), []);
});

test('ociConfig sets the limits where there are cgroups', (t) => {
  const config = ociConfig({ ...OPTIONS, cgroupsPath: '/lockstep/d/s0' }) as {
    linux: { cgroupsPath: string; resources: Record<string, unknown> };
  };
  t.is(config.linux.cgroupsPath, '/lockstep/d/s0');
  t.deepEqual(config.linux.resources['memory'], { limit: 536_870_912, swap: 536_870_912 });
  t.deepEqual(config.linux.resources['cpu'], { quota: 150_000, period: 100_000 });
});

test('ociConfig leaves swap alone where it cannot be limited', (t) => {
  const config = ociConfig({ ...OPTIONS, cgroupsPath: '/x', limitsSwap: false }) as {
    linux: { resources: Record<string, unknown> };
  };
  t.deepEqual(config.linux.resources['memory'], { limit: 536_870_912 });
});

test('ociConfig has no cgroup and no limit where there are none', (t) => {
  const { linux } = ociConfig(OPTIONS) as { linux: Record<string, unknown> };
  t.deepEqual(Object.keys(linux), ['namespaces']);
});
