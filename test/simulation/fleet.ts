import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Tracer } from '@opentelemetry/api';
import { pino } from 'pino';
import type { DeviceTelemetry } from '../../agent/device-telemetry.ts';
import { ArtefactCache } from '../../bus/artefact-cache.ts';
import type { Bus } from '../../bus/bus.ts';
import { connectBus } from '../../bus/connection.ts';
import { Coordinator } from '../../coordinator/coordinator.ts';
import { RunFolder } from '../../coordinator/recording/run-folder.ts';
import {
  ensureTrust,
  issueCredentials,
  writeCredentials,
} from '../../provisioning/nats/credentials.ts';
import type { Trust } from '../../provisioning/nats/credentials.ts';
import { findNatsServer } from '../../provisioning/nats/find-server.ts';
import type { Role } from '../../provisioning/nats/roles.ts';
import { startNatsServer } from '../../provisioning/nats/server.ts';
import type { NatsServer } from '../../provisioning/nats/server.ts';
import { CONTROLS } from '../../schemas/control.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import { isEnded } from '../../schemas/run.ts';
import type { LedgerEvent, Run } from '../../schemas/run.ts';
import type { TrialResult } from '../../schemas/result.ts';
import { controlSubject } from '../../schemas/subjects.ts';
import { CHECKOUT } from '../support/nats-server.ts';
import { SimulatedDevice } from './simulated-device.ts';

/** How large a fleet is. */
export interface SimulatedFleetOptions {
  readonly devices: number;
  /** Takes the coordinator's spans. Absent: nobody does. */
  readonly tracer?: Tracer;
  /** The telemetry of a device. Absent: it has none. */
  readonly telemetryOf?: (deviceId: string) => DeviceTelemetry;
}

/** What became of a run. */
export interface FleetRun {
  readonly run: Run;
  readonly results: readonly TrialResult[];
  readonly events: readonly LedgerEvent[];
}

/** Largest offset of a device's clock, ns, and its largest drift, ppm. */
const OFFSET_MAX_NS = 10_000_000_000n;
const DRIFT_MAX_PPM = 50;

const ONLINE_TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 50;

/** Devices that connect at the same time. */
const CONNECTING_MAX = 16;

const FUNCTION_NAME = 'nothing';

/**
 * Many devices in this process, with a server and a timekeeper as processes of their own, and the
 * coordinator in this one.
 */
export class SimulatedFleet {
  readonly devices = new Map<string, SimulatedDevice>();
  readonly #undo = new AsyncDisposableStack();
  readonly #logger = pino(
    { level: process.env['LOCKSTEP_LOG_LEVEL'] ?? 'silent' },
    pino.destination({ fd: 2, sync: true }),
  );
  readonly #folder: string;
  readonly #trust: Trust;
  readonly #server: NatsServer;
  #people: Bus | undefined;
  #coordinator: Coordinator | undefined;

  private constructor(folder: string, trust: Trust, server: NatsServer) {
    this.#folder = folder;
    this.#trust = trust;
    this.#server = server;
    this.#undo.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
    this.#undo.defer(() => server.stop());
  }

  /** A fleet that waits for a run. Whoever starts one stops it. */
  static async start(options: SimulatedFleetOptions): Promise<SimulatedFleet> {
    const folder = await mkdtemp(join(tmpdir(), 'lockstep-fleet-'));
    const trust = await ensureTrust(join(folder, 'keys'));
    const binary = await findNatsServer(CHECKOUT);
    const server = await startNatsServer({ binary, folder: join(folder, 'nats'), trust, port: 0 });
    const fleet = new SimulatedFleet(folder, trust, server);
    try {
      await fleet.#startTimekeeper();
      const coordinator = await fleet.#startCoordinator(options);
      await fleet.#startDevices(options);
      fleet.#people = await fleet.#connect('researcher', 'people');
      fleet.#coordinator = coordinator;
      await fleet.allIdle();
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  /** Waits until every device waits for a run. */
  async allIdle(): Promise<void> {
    await until('every device is idle', ONLINE_TIMEOUT_MS, () =>
      [...this.devices.keys()].every((deviceId) => this.#coordinator?.isIdle(deviceId) === true),
    );
  }

  /** Process of the server, whose CPU time somebody may want to read. */
  get serverProcessId(): number {
    return this.#server.pid;
  }

  /** Runs a no-op experiment on all devices to its end. */
  async run(options: FleetExperiment & { timeoutMs: number }): Promise<FleetRun> {
    const { run } = await this.submit(options);
    const folder = RunFolder.of(this.#folder, run.runId);
    let latest = run;
    await until('the run ends', options.timeoutMs, async () => {
      latest = await folder.readRun();
      return isEnded(latest.state);
    });
    return {
      run: latest,
      results: await folder.readResults(),
      events: await folder.readEvents(),
    };
  }

  /** Hands a no-op experiment to the coordinator. */
  submit(experiment: FleetExperiment): Promise<{ run: Run }> {
    const submission = { experimentYaml: experimentYaml(experiment) };
    const people = this.#people!;
    return people.request(controlSubject('submit'), CONTROLS.submit, submission, {
      timeoutMs: 20_000,
    });
  }

  async stop(): Promise<void> {
    await this.#undo.disposeAsync();
  }

  async #startTimekeeper(): Promise<void> {
    const creds = join(this.#folder, 'timekeeper.creds');
    const role = 'timekeeper';
    await writeCredentials(creds, issueCredentials(this.#trust, { role, user: role }));
    const main = join(CHECKOUT, 'coordinator/timekeeper/main.ts');
    const words = [main, '--server', this.#server.url, '--creds', creds, '--stdin-lifeline'];
    const child = spawn(process.execPath, words, {
      stdio: ['pipe', 'ignore', 'inherit'],
      env: { ...process.env, LOCKSTEP_LOG_LEVEL: 'silent' },
    });
    this.#undo.defer(async () => {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.stdin.end();
      if (child.exitCode === null) await ended;
    });
  }

  async #startCoordinator({ tracer }: SimulatedFleetOptions): Promise<Coordinator> {
    const cache = new ArtefactCache(join(this.#folder, 'cache'));
    await cache.setName(FUNCTION_NAME, await putFunction(cache));
    const bus = await this.#connect('coordinator', 'coordinator');
    const coordinator = await Coordinator.start({
      bus,
      dataFolder: this.#folder,
      cache,
      logger: this.#logger,
      ...(tracer === undefined ? {} : { tracer }),
    });
    this.#undo.defer(() => coordinator.stop());
    return coordinator;
  }

  async #startDevices({ devices, telemetryOf }: SimulatedFleetOptions): Promise<void> {
    this.#undo.defer(async () => {
      await Promise.all([...this.devices.values()].map((device) => device.stop()));
    });
    for (let first = 0; first < devices; first += CONNECTING_MAX) {
      const count = Math.min(CONNECTING_MAX, devices - first);
      await Promise.all(
        Array.from({ length: count }, (_, position) =>
          this.#startDevice(first + position, telemetryOf),
        ),
      );
    }
  }

  async #startDevice(
    index: number,
    telemetryOf: SimulatedFleetOptions['telemetryOf'],
  ): Promise<void> {
    const deviceId = `device-${String(index).padStart(4, '0')}`;
    const bus = await this.#connect('device', deviceId);
    const logger = this.#logger;
    const telemetry = telemetryOf === undefined ? {} : { telemetry: telemetryOf(deviceId) };
    const warp = warpOf(index);
    const device = new SimulatedDevice({ deviceId, bus, warp, ...telemetry, logger });
    this.devices.set(deviceId, device);
    await device.start();
  }

  async #connect(role: Role, user: string): Promise<Bus> {
    const bus = await connectBus({
      servers: this.#server.url,
      credentials: issueCredentials(this.#trust, { role, user }),
      name: user,
      user,
      logger: this.#logger,
    });
    this.#undo.defer(() => bus.close({ deadlineMs: 500 }));
    return bus;
  }
}

/** The same for the same device in every run, and spread over all that is allowed. */
function warpOf(index: number): { offsetNs: bigint; driftPpm: number } {
  // The golden ratio spreads any number of devices evenly.
  const share = (index * 0.618_033_988_749) % 1;
  const other = (index * 0.754_877_666_247) % 1;
  return {
    offsetNs: BigInt(Math.round((2 * share - 1) * Number(OFFSET_MAX_NS))),
    driftPpm: (2 * other - 1) * DRIFT_MAX_PPM,
  };
}

/** What a fleet is to do; the kind of sandbox is a name only. */
export interface FleetExperiment {
  readonly trials: number;
  readonly waves?: number;
  /** Default: process, which every device told of. */
  readonly sandboxes?: readonly string[];
}

function experimentYaml({ trials, waves, sandboxes = ['process'] }: FleetExperiment): string {
  return [
    'experiment: fleet',
    'question: Do many devices start together, and is nothing lost?',
    'procedure: { kind: no-op }',
    `factors: { sandbox: [${sandboxes.join()}], function: [${FUNCTION_NAME}] }`,
    'unavailable: skip',
    `repetitions: ${trials}`,
    ...(waves === undefined ? [] : [`waves: ${waves}`]),
    // All devices share one process here, which makes them wait for each other.
    'budget: { latenessMs: 10000, clockBoundMs: 10000 }',
    'telemetry: { rateHz: 0 }',
    '',
  ].join('\n');
}

async function putFunction(cache: ArtefactCache): Promise<string> {
  const program = new TextEncoder().encode('#!/bin/sh\n');
  const { digest, sizeBytes } = await cache.putBytes(program);
  return cache.putManifest({
    protocol: PROTOCOL_VERSION,
    kind: 'function',
    name: FUNCTION_NAME,
    architecture: 'x64',
    files: [{ path: '/bin/program', mode: 0o555, sizeBytes, digest }],
    entry: ['{root}/bin/program'],
    staticBinary: true,
    toolchain: {},
  });
}

async function until(
  what: string,
  timeoutMs: number,
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  const giveUpAtMs = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > giveUpAtMs) throw new Error(`it never came to this: ${what}`);
    await delay(LOOK_EVERY_MS);
  }
}
