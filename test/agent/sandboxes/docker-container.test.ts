import test from 'ava';
import { dockerContainer, dockerdConfig } from '../../../agent/sandboxes/docker-container.ts';

const OPTIONS = {
  id: 's0-docker',
  image: 'localhost/lockstep:x',
  runtime: 'lockstep-runc',
  command: ['/function', '--listen', '10.77.0.2:8080'],
  limits: { memoryMib: 512, cpus: 1.5 },
  limitsSwap: true,
};

test('dockerContainer gives the rights and limits of the other containers', (t) => {
  const container = dockerContainer(OPTIONS) as {
    Entrypoint: string[];
    Cmd: string[];
    HostConfig: Record<string, unknown>;
  };
  t.deepEqual([...container.Entrypoint, ...container.Cmd], OPTIONS.command);
  t.like(container.HostConfig, {
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges'],
    Memory: 536_870_912,
    MemorySwap: 536_870_912,
    CpuPeriod: 100_000,
    CpuQuota: 150_000,
    PidsLimit: 4096,
    Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: 4096 }],
  });
});

test('dockerContainer leaves swap alone where it cannot be limited', (t) => {
  const { HostConfig } = dockerContainer({ ...OPTIONS, limitsSwap: false }) as {
    HostConfig: Record<string, unknown>;
  };
  t.false('MemorySwap' in HostConfig);
});

test('dockerdConfig has a Unix socket, no network, no rule, and its files in one folder', (t) => {
  const config = JSON.parse(dockerdConfig(['runc', 'crun'])) as Record<string, unknown>;
  t.like(config, { bridge: 'none', iptables: false, ip6tables: false, 'ip-forward': false });
  t.deepEqual(config['hosts'], ['unix:///run/lockstep-daemon/api.sock']);
  for (const name of ['data-root', 'exec-root', 'pidfile']) {
    t.regex(String(config[name]), /^\/run\/lockstep-daemon\//);
  }
  t.deepEqual(config['runtimes'], {
    'lockstep-runc': { path: '/run/lockstep-daemon/runtimes/runc' },
    'lockstep-crun': { path: '/run/lockstep-daemon/runtimes/crun' },
  });
});
