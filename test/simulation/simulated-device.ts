import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Agent } from '../../agent/agent.ts';
import type { DeviceTelemetry } from '../../agent/device-telemetry.ts';
import { systemClock } from '../../agent/clock/clock.ts';
import { Synchroniser } from '../../agent/clock/synchroniser.ts';
import { busTimeProbe } from '../../agent/clock/time-probe.ts';
import { PresenceTeller } from '../../agent/presence.ts';
import type { Bus } from '../../bus/bus.ts';
import { publishDurable } from '../../bus/streams.ts';
import type { DeviceFacts } from '../../schemas/device.ts';
import { BARRIER } from '../../schemas/messages.ts';
import { encodeMessage } from '../../schemas/protocol.ts';
import { resultKey, TrialResult } from '../../schemas/result.ts';
import { barrierSubject, resultSubject } from '../../schemas/subjects.ts';
import type { SandboxAvailability } from '../../schemas/sandbox.ts';
import { VERSION } from '../../schemas/version.ts';
import { WarpedClock } from '../support/warped-clock.ts';
import type { Warp } from '../support/warped-clock.ts';
import { SimulatedRunner } from './simulated-runner.ts';
import type { SimulatedRunnerOptions } from './simulated-runner.ts';
import { NO_TELEMETRY } from './no-telemetry.ts';

/** What tells a simulated device from the others. */
export interface SimulatedDeviceOptions {
  readonly deviceId: string;
  readonly bus: Bus;
  readonly warp: Warp;
  readonly runner?: SimulatedRunnerOptions;
  /** Absent: it samples nothing and tells nothing. */
  readonly telemetry?: DeviceTelemetry;
  readonly logger: Logger;
}

const BARRIER_TIMEOUT_MS = 60_000;
const STORE_TIMEOUT_MS = 30_000;
const PROBE_MS = 200;

/**
 * The real agent on a connection to a real server, with a clock of its own that is wrong in a known
 * way and a simulated runner. Results go to the stream directly: an outbox folder for each of some
 * hundred devices of one process would measure this machine's disk.
 */
export class SimulatedDevice {
  readonly deviceId: string;
  /** The kinds of sandbox that it was asked to try, call by call. */
  readonly probed: string[][] = [];
  readonly clock: WarpedClock;
  readonly #agent: Agent;
  readonly #presence: PresenceTeller;
  readonly #bus: Bus;

  constructor({ deviceId, bus, warp, runner, telemetry, logger }: SimulatedDeviceOptions) {
    this.deviceId = deviceId;
    this.#bus = bus;
    const clock = new WarpedClock(systemClock, warp);
    this.clock = clock;
    const identity = {
      deviceId,
      agentVersion: VERSION,
      labels: { simulated: 'yes' },
      facts: factsOf(deviceId),
    };
    this.#presence = new PresenceTeller(bus, identity, logger);
    this.#agent = new Agent(
      {
        deviceId,
        cgroupName: deviceId,
        scratchFolder: '/nowhere',
        clock,
        synchroniser: new Synchroniser({ probe: busTimeProbe(bus, clock, deviceId), clock }),
        probe: (sandboxes) => this.#probe(sandboxes),
        artefacts: { equip: () => Promise.resolve({ functions: [], tools: {} }) },
        startRunner: () => Promise.resolve(new SimulatedRunner(clock, runner)),
        schedulingClass: 'SIMULATED',
        schedulingReason: undefined,
        askBarrier: (request) =>
          bus.request(barrierSubject(deviceId), BARRIER, request, {
            timeoutMs: BARRIER_TIMEOUT_MS,
          }),
        telemetry: telemetry ?? NO_TELEMETRY,
        logger,
        keep: (result) => this.#keep(result),
      },
      this.#presence,
    );
  }

  /** Serves the coordinator from then on. */
  async start(): Promise<void> {
    this.#presence.addSandboxes([{ available: true, name: 'process', details: {}, probeMs: 1 }]);
    this.#presence.start();
    await this.#agent.serve(this.#bus);
    this.#presence.enter('idle');
  }

  async stop(): Promise<void> {
    await this.#agent.stop();
  }

  /** How far the clock estimate of a result was from the truth, ns, without sign. */
  trueErrorNs({ clock, start }: TrialResult): bigint {
    const atMonoNs = start!.actualMonoNs;
    // Fleet time is this machine's own clock, which is the true one here.
    const errorNs = clock!.offsetNs - (this.clock.toTrue(atMonoNs) - atMonoNs);
    return errorNs < 0n ? -errorNs : errorNs;
  }

  // Simulated devices have crun, and nothing else that they are asked for.
  async #probe(sandboxes: readonly string[]): Promise<SandboxAvailability[]> {
    this.probed.push([...sandboxes]);
    await delay(PROBE_MS);
    return sandboxes.map((name) =>
      name === 'crun'
        ? { available: true, name, details: {}, probeMs: PROBE_MS }
        : {
            available: false,
            name: 'gvisor-kvm',
            failure: { code: 'SANDBOX_UNAVAILABLE', message: 'no /dev/kvm' },
          },
    );
  }

  async #keep(result: TrialResult): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify(encodeMessage(TrialResult, result)));
    await publishDurable(this.#bus, resultSubject(this.deviceId), bytes, {
      id: resultKey(result),
      timeoutMs: STORE_TIMEOUT_MS,
    });
  }
}

function factsOf(deviceId: string): DeviceFacts {
  return {
    hostname: deviceId,
    machineId: deviceId,
    bootId: deviceId,
    timeNamespace: deviceId,
    architecture: 'x64',
    model: 'simulated',
    cpuModel: '',
    cpuCount: 1,
    memoryBytes: 2 ** 30,
    kernel: '',
    os: '',
    cgroup: 'none',
    isRoot: false,
  };
}
