import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../agent/clock/clock.ts';
import { connectBus } from '../../bus/connection.ts';
import type { Bus } from '../../bus/bus.ts';
import { readCredentialFile } from '../../bus/credential-file.ts';
import { Client } from '../../coordinator/cli/client.ts';
import { Home } from '../../coordinator/cli/home.ts';
import {
  ensureTrust,
  issueCredentials,
  writeCredentials,
} from '../../provisioning/nats/credentials.ts';
import type { Trust } from '../../provisioning/nats/credentials.ts';
import { TestHome } from '../support/stack.ts';
import { WarpedClock } from '../support/warped-clock.ts';
import type { Benchmark, BenchmarkContext, BenchmarkResult } from './benchmark.ts';
import { interruptible } from './interruptible.ts';
import { measureOurs } from './start/ours.ts';
import { Peers } from './start/peers.ts';
import { compileRelay, Processes } from './start/processes.ts';
import { rowValues, START_COLUMNS } from './start/rows.ts';
import type { KnownClock, StartRow } from './start/rows.ts';

/** Links between the devices and the server: delay and jitter out and back, us. */
const LINKS = [
  { name: 'loopback', delaysUs: undefined, leadMs: 30, driftPpm: 0 },
  { name: 'loopback, drift 50 ppm', delaysUs: undefined, leadMs: 30, driftPpm: 50 },
  { name: '1 ± 0.3 ms', delaysUs: [1000, 300, 1000, 300], leadMs: 30, driftPpm: 0 },
  { name: '5 ± 4 ms', delaysUs: [5000, 4000, 5000, 4000], leadMs: 60, driftPpm: 0 },
  { name: '5 ms out, 1 ms back', delaysUs: [5000, 0, 1000, 0], leadMs: 60, driftPpm: 0 },
] as const;
type Link = (typeof LINKS)[number];

/** Ways to start together. */
const METHODS = [
  { name: 'on message', kind: 'message', realTime: 'own' },
  { name: 'on message, FIFO', kind: 'message', realTime: 'fifo' },
  { name: 'wall clock, one sample', kind: 'wall-clock', realTime: 'own' },
  { name: 'lockstep without FIFO', kind: 'ours', realTime: 'never' },
  { name: 'lockstep', kind: 'ours', realTime: 'own' },
] as const;
type Method = (typeof METHODS)[number];

/** How far the clocks of the two devices of a pair are off, s. */
const SHIFTS_SECONDS = [10, -10] as const;

/** How far their wall clocks are off for the method that starts by them, ms. */
const WALL_OFFSETS_MS = ['1234.37', '-2345.81'] as const;

/** Methods take turns in rounds, so that what else the machine does meets all alike. */
const SIZE_FULL = { rounds: 5, trialsPerRound: 100 };
const SIZE_QUICK = { rounds: 1, trialsPerRound: 10 };

/** The coordinator is ended after this time, whatever happens, ms. */
const STACK_DEADLINE_MS = 2 * 3_600_000;

/** How much to measure. */
export interface StartSize {
  readonly rounds: number;
  readonly trialsPerRound: number;
  /** Names of the links. Absent: all. */
  readonly links?: readonly string[];
}

const NOTES = [
  'Two devices as processes, in time namespaces 10 s ahead and behind; the true instants are ' +
    'known because all share one machine. spread: latest minus earliest start, in true time.',
  'bound: what a device states as the limit of the error of its clock. insidePercent: share of ' +
    'starts, per device, whose true error lay within it. errorP50: the true error.',
  'unusable: results that failed or carry a mark; they are not among the trials. arm: end of a ' +
    'trial to the last device armed. trial: start to start.',
  'on message: starts when a message comes. wall clock, one sample: at an instant of the wall ' +
    'clock, by a timer; the clocks are seconds apart, and one round trip tells by how much.',
  'A delay is made by a relay on the connection of the devices; the asymmetric link is the one ' +
    'that no estimator can see, so its error is about 2 ms, inside the bound.',
];

/** How well devices start together, against a known truth and against other ways. */
export const startBenchmark: Benchmark = {
  name: 'start',
  description: 'How close together do two devices start, and is the stated bound true?',
  run: async (context) => {
    let result: BenchmarkResult | undefined;
    await interruptible(async (signal) => {
      const size = context.full ? SIZE_FULL : SIZE_QUICK;
      result = await measureStarts(context, signal, size);
    });
    return result ?? { columns: START_COLUMNS, rows: [], notes: ['interrupted'] };
  },
};

/** Runs rounds over all links and methods. Needs root, for the time namespaces. */
export async function measureStarts(
  { log }: Pick<BenchmarkContext, 'log'>,
  signal: AbortSignal,
  { rounds, trialsPerRound, links }: StartSize,
): Promise<BenchmarkResult> {
  if (process.getuid?.() !== 0) return nothing('time namespaces need root');
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-bench-start-'));
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
  const stack = new TestHome(folder, {}, STACK_DEADLINE_MS);
  cleanUp.defer(() => stack.end());
  const processes = new Processes();
  cleanUp.defer(() => processes.end());
  const up = stack.start('up', '--agents', '0', '--port', '0');
  await up.shows('ready; end it');
  const home = new Home(folder);
  const client = await Client.connect(home, {});
  cleanUp.defer(() => client.close());
  const { server } = await home.readContext();
  const bus = await connectBus({
    servers: server,
    credentials: await readCredentialFile(home.credentialFile('coordinator')),
    name: 'benchmark',
    user: 'coordinator',
  });
  cleanUp.defer(() => bus.close());
  const chosen = LINKS.filter(({ name }) => links?.includes(name) ?? true);
  const field = new Field(chosen, { home, server, folder, processes, bus });
  log('starting devices');
  await field.start();
  await field.awaitReady(client, signal);
  for (let round = 0; round < rounds; round += 1) {
    for (const contest of field.contests) {
      signal.throwIfAborted();
      log(`round ${round + 1} of ${rounds}: ${contest.row.link}: ${contest.row.method}`);
      await field.measure(contest, { client, trials: trialsPerRound, seed: round + 1 });
    }
  }
  const rows = field.contests.map(({ row }) => rowValues(row));
  return { columns: START_COLUMNS, rows, notes: NOTES };
}

/** One method over one link, with its two devices. */
interface Contest {
  readonly link: Link;
  readonly method: Method;
  /** Label of the pair. */
  readonly pair: string;
  readonly devices: readonly string[];
  readonly row: StartRow;
}

interface FieldPorts {
  readonly home: Home;
  readonly server: string;
  readonly folder: string;
  readonly processes: Processes;
  readonly bus: Bus;
}

/** All pairs of devices, and the links that they are on. */
class Field {
  readonly contests: readonly Contest[];
  readonly #ports: FieldPorts;
  readonly #clocks = new Map<string, KnownClock>();
  #peers: Peers | undefined;

  constructor(links: readonly Link[], ports: FieldPorts) {
    this.#ports = ports;
    this.contests = links.flatMap((link, linkIndex) =>
      METHODS.flatMap((method, methodIndex): Contest[] => {
        if (method.kind !== 'ours' && link.driftPpm !== 0) return [];
        const pair = `link${linkIndex}-way${methodIndex}`;
        const devices = SHIFTS_SECONDS.map((_, device) => `${pair}-${device + 1}`);
        const row = {
          ...{ link: link.name, method: method.name, trials: [], unusable: 0 },
          ...{ armMs: [], trialMs: [] },
        };
        return [{ link, method, pair, devices, row }];
      }),
    );
  }

  async start(): Promise<void> {
    const { bus, folder, home } = this.#ports;
    const relay = await compileRelay(folder);
    const trust = await ensureTrust(join(home.natsFolder, 'trust'));
    this.#peers = await Peers.open(bus);
    const servers = new Map<Link, string>();
    for (const contest of this.contests) {
      const server = servers.get(contest.link) ?? (await this.#serverOn(contest.link, relay));
      servers.set(contest.link, server);
      for (const index of SHIFTS_SECONDS.keys()) {
        await this.#startDevice(contest, index, { server, trust });
      }
    }
  }

  async awaitReady(client: Client, signal: AbortSignal): Promise<void> {
    const peers = this.contests.filter(({ method }) => method.kind !== 'ours');
    await this.#peers?.awaitPresent(peers.flatMap(({ devices }) => devices));
    const ours = this.contests.filter(({ method }) => method.kind === 'ours');
    const wanted = new Set(ours.flatMap(({ devices }) => devices));
    const giveUpAtMs = performance.now() + 180_000;
    for (;;) {
      const { devices } = await client.ask('devices', {});
      for (const { presence } of devices) {
        if (presence.state === 'idle') wanted.delete(presence.deviceId);
      }
      if (wanted.size === 0) return;
      signal.throwIfAborted();
      if (performance.now() > giveUpAtMs) throw new Error(`not ready: ${[...wanted].join(', ')}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  async measure(
    { link, method, pair, row }: Contest,
    { client, trials, seed }: { client: Client; trials: number; seed: number },
  ): Promise<void> {
    const { home } = this.#ports;
    const clockOf = (name: string): KnownClock => {
      const clock = this.#clocks.get(name);
      if (clock === undefined) throw new Error(`no device ${name}`);
      return clock;
    };
    if (method.kind === 'ours') {
      await measureOurs(row, { home, client, pair, trials, seed, clockOf });
      return;
    }
    const leadMs = method.kind === 'wall-clock' ? link.leadMs : undefined;
    await this.#peers?.measure(row, { pair, trials, leadMs }, clockOf);
  }

  async #serverOn({ delaysUs }: Link, relay: string): Promise<string> {
    const { processes, server } = this.#ports;
    if (delaysUs === undefined) return server;
    const target = Number(new URL(server).port);
    return `nats://127.0.0.1:${await processes.startRelay(relay, target, delaysUs)}`;
  }

  async #startDevice(
    { link, method, pair, devices }: Contest,
    index: number,
    { server, trust }: { server: string; trust: Trust },
  ): Promise<void> {
    const { folder, home, processes } = this.#ports;
    const name = devices[index] ?? '';
    const shiftSeconds = SHIFTS_SECONDS[index] ?? 0;
    const shiftNs = BigInt(shiftSeconds) * 1_000_000_000n;
    // One of the two is too fast and the other too slow.
    const ppm = index === 0 ? link.driftPpm : -link.driftPpm;
    const originTrueNs = process.hrtime.bigint() + shiftNs;
    const warped = new WarpedClock(systemClock, { originTrueNs, driftPpm: ppm });
    this.#clocks.set(name, { toFleet: (monoNs) => warped.toTrue(monoNs) - shiftNs });
    const common = { shiftSeconds, realTime: method.realTime };
    if (method.kind !== 'ours') {
      processes.startDevice({
        ...common,
        program: join(import.meta.dirname, 'start/peer/main.ts'),
        words: [
          server,
          home.credentialFile('coordinator'),
          name,
          pair,
          WALL_OFFSETS_MS[index] ?? '0',
        ],
      });
      return;
    }
    const creds = join(folder, 'credentials', `${name}.creds`);
    await writeCredentials(creds, issueCredentials(trust, { role: 'device', user: name }));
    const data = join(folder, 'agents', name);
    await mkdir(data, { recursive: true });
    const words = [server, creds, data, home.agentsCacheFolder, pair];
    processes.startDevice({
      ...common,
      program: join(import.meta.dirname, 'start/agent/main.ts'),
      words: [...words, String(originTrueNs), String(ppm)],
    });
  }
}

function nothing(reason: string): BenchmarkResult {
  return { columns: START_COLUMNS, rows: [], notes: [`nothing was measured: ${reason}`] };
}
