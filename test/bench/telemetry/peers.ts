import { request } from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';
import { runCommand } from '../../../agent/sandboxes/command.ts';
import { startLoopbackServer } from '../../support/loopback-server.ts';
import type { Teardown } from '../../support/loopback-server.ts';
import { findTestServer } from '../../support/test-servers.ts';
import { PeerOutcome } from './peer-order.ts';
import type { PeerOrder } from './peer-order.ts';
import { busyPercentSince, processesNamed, readMachineTicks } from './process-cpu.ts';
import type { SamplingRound } from './rows.ts';

/** Something else that gives the same counters. */
export interface Peer {
  readonly what: string;
  readonly rateHz: number;
  readonly order: Omit<PeerOrder, 'samples' | 'periodMs'>;
}

const MAIN = join(import.meta.dirname, 'peer/main.ts');
const START_TIMEOUT_MS = 60_000;
const ASK_TIMEOUT_MS = 5_000;

/** Within half a second of the last call it gives the same values again. */
const SYSTEM_INFORMATION_HZ = 1.5;

/** Opens all peers that are here; tells of the others why they are not. */
export async function openPeers(t: Teardown): Promise<{ peers: Peer[]; missing: string[] }> {
  const found = [await openNodeExporter(t), await openDocker()];
  return {
    peers: [
      {
        what: 'systeminformation: currentLoad, mem, disksIO, networkStats',
        rateHz: SYSTEM_INFORMATION_HZ,
        order: { kind: 'systeminformation', serverPids: [], warmUp: 1 },
      },
      ...found.filter((peer) => typeof peer !== 'string'),
    ],
    missing: found.filter((peer) => typeof peer === 'string'),
  };
}

/** Takes samples by a peer, in a process of its own, for a while. */
export async function measurePeer(
  { order, rateHz }: Peer,
  seconds: number,
): Promise<SamplingRound> {
  const samples = Math.max(2, Math.round(seconds * rateHz));
  const full: PeerOrder = { ...order, samples, periodMs: 1e3 / rateHz };
  const ticks = readMachineTicks();
  const { stdout } = await runCommand([process.execPath, MAIN, JSON.stringify(full)], {
    timeoutMs: START_TIMEOUT_MS + seconds * 1e3,
  });
  const outcome = PeerOutcome.parse(JSON.parse(stdout));
  return {
    ...{ seconds: outcome.seconds, samples: outcome.samples },
    cpuNs: outcome.clientCpuNs + outcome.serverCpuNs,
    busyPercent: busyPercentSince(ticks),
  };
}

async function openNodeExporter(t: Teardown): Promise<Peer | string> {
  const program = findTestServer('nodeExporter');
  if (program === undefined) {
    return 'prometheus-node-exporter is not here; to add: npm run setup -- --for-tests';
  }
  const collectors = ['cpu', 'stat', 'meminfo', 'diskstats', 'netdev', 'pressure'];
  const { url, pid } = await startLoopbackServer(t, {
    program,
    words: () => [
      ...['--web.listen-address=127.0.0.1:0', '--web.disable-exporter-metrics'],
      '--collector.disable-defaults',
      ...collectors.map((name) => `--collector.${name}`),
    ],
    readyPath: '/',
  });
  return {
    what: `prometheus-node-exporter: ${collectors.join(', ')}`,
    rateHz: 10,
    order: { kind: 'server', url: `${url}/metrics`, serverPids: [pid], warmUp: 5 },
  };
}

const Containers = z.array(z.object({ Id: z.string() })).min(1);
const DEFAULT_SOCKET = '/var/run/docker.sock';
const API = 'http://localhost/v1.41';

async function openDocker(): Promise<Peer | string> {
  const host = process.env['DOCKER_HOST'] ?? `unix://${DEFAULT_SOCKET}`;
  if (!host.startsWith('unix://')) return `Docker is not measured: ${host} is not on this machine`;
  const socketPath = host.slice('unix://'.length);
  const how = 'to add: start dockerd (of the package docker.io) and any container';
  let containers;
  try {
    containers = Containers.safeParse(JSON.parse(await ask(socketPath, `${API}/containers/json`)));
  } catch {
    return `Docker does not answer at ${socketPath}; ${how}`;
  }
  const [container] = containers.data ?? [];
  if (container === undefined) return `Docker at ${socketPath} runs no container; ${how}`;
  return {
    what: 'Docker stats API, one container',
    rateHz: 1,
    order: {
      kind: 'server',
      url: `${API}/containers/${container.Id}/stats?stream=false&one-shot=true`,
      socketPath,
      serverPids: processesNamed('dockerd', 'containerd'),
      warmUp: 3,
    },
  };
}

async function ask(socketPath: string, url: string): Promise<string> {
  return await new Promise<string>((resolve, reject) => {
    const asked = request(url, { socketPath, timeout: ASK_TIMEOUT_MS }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        text += part;
      });
      answer.once('end', () => {
        resolve(text);
      });
    });
    asked.once('timeout', () => asked.destroy(new Error('no answer')));
    asked.once('error', reject);
    asked.end();
  });
}
