import { trace } from '@opentelemetry/api';
import type { Tracer } from '@opentelemetry/api';
import type { Logger } from 'pino';
import type { ArtefactCache } from '../bus/artefact-cache.ts';
import { openArtefactStore } from '../bus/artefact-store.ts';
import type { ArtefactStore } from '../bus/artefact-store.ts';
import type { Bus, Listening } from '../bus/bus.ts';
import { consumeDurable } from '../bus/durable-consumer.ts';
import { openBucket } from '../bus/key-value.ts';
import { readStreamSize } from '../bus/stream-size.ts';
import { ensureStream, LEDGER, publishDurable, RESULTS, TELEMETRY } from '../bus/streams.ts';
import { CONTROLS, PLAN_TRIALS_SHOWN_MAX } from '../schemas/control.ts';
import { Device } from '../schemas/device.ts';
import { errorMessageOf } from '../schemas/errors.ts';
import { formOf } from '../schemas/fitness.ts';
import { BARRIER } from '../schemas/messages.ts';
import { decodeMessage } from '../schemas/protocol.ts';
import { TrialResult } from '../schemas/result.ts';
import { isEnded, LedgerEvent } from '../schemas/run.ts';
import type { Run } from '../schemas/run.ts';
import type { Destination } from '../telemetry/payload.ts';
import {
  BARRIER_WILDCARD,
  controlSubject,
  DEVICES_BUCKET,
  LEDGER_STREAM,
  ledgerSubject,
  RECORDER_CONSUMER,
  RESULTS_STREAM,
  SAMPLES_STREAM,
  TELEMETRY_STREAM,
} from '../schemas/subjects.ts';
import { BarrierDesk } from './dispatch/barrier-desk.ts';
import { surveyClocks } from './dispatch/clock-survey.ts';
import type { SelectableDevice } from './planning/device-selection.ts';
import { commandDevice } from './dispatch/device-commands.ts';
import { LateSeals } from './recording/late-seals.ts';
import { Recorder } from './recording/recorder.ts';
import { Registry } from './registry.ts';
import { executeRun } from './dispatch/run-execution.ts';
import type { ExecutionPorts } from './dispatch/run-execution.ts';
import { RunFolder } from './recording/run-folder.ts';
import { RunJournal } from './recording/run-journal.ts';
import { consumeSamples } from './recording/sample-consumer.ts';
import { SampleRecorder } from './recording/sample-recorder.ts';
import { RunQueue } from './dispatch/run-queue.ts';
import { SandboxProbes } from './dispatch/sandbox-probes.ts';
import type { EndpointHealth } from './relay/endpoint-feed.ts';
import { Relay } from './relay/relay.ts';
import { assertExperiment } from './experiment/experiment-file.ts';
import { newRun, propose } from './planning/submission.ts';
import type { Proposal, Published, Submission } from './planning/submission.ts';
import { countDevices, countResults, countRuns } from './telemetry/coordinator-counts.ts';
import type { CoordinatorHealth } from './telemetry/coordinator-health.ts';
import type { Tracing } from './telemetry/run-tracer.ts';
import { UtcLine } from './telemetry/utc-line.ts';

/** Runs told in one answer, at most: the newest. */
const RUNS_TOLD_MAX = 100;

/** A device that serves a run nobody knows is told to end it, at most this often, ms. */
const STRAY_EVERY_MS = 15_000;

/** Streams whose size is told. */
const STREAMS_TOLD = [RESULTS_STREAM, SAMPLES_STREAM, LEDGER_STREAM, TELEMETRY_STREAM];

/** Where and over what a coordinator works. */
export interface CoordinatorOptions {
  readonly bus: Bus;
  readonly dataFolder: string;
  readonly cache: ArtefactCache;
  readonly logger: Logger;
  /** Takes the spans of runs and trials. Absent: nobody does. */
  readonly tracer?: Tracer;
  /** Told when a trial begins and ends that nothing may be exported during. */
  readonly onQuiet?: Tracing['onQuiet'];
  /** Where the telemetry of all devices is brought to; closed in the end. Absent: nowhere. */
  readonly endpoints?: readonly Destination[];
}

/** Devices that wait at barriers at the same time, at most: the fleet's largest size. */
const BARRIERS_IN_FLIGHT_MAX = 10_000;

/**
 * Registry, planner, dispatcher and recorder in one process. It keeps what must not be lost in
 * JetStream and in the runs' folders, so it may be killed at any time.
 */
export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #probes: SandboxProbes;
  readonly #registry: Registry;
  readonly #recorder: Recorder;
  readonly #samples: SampleRecorder;
  readonly #results: CoordinatorHealth['results'];
  readonly #barriers: BarrierDesk;
  readonly #queue: RunQueue;
  readonly #listening: Listening[] = [];
  readonly #strayAtMs = new Map<string, number>();
  #relay: Relay | undefined;

  private constructor(
    options: CoordinatorOptions,
    parts: Pick<ExecutionPorts, 'registry' | 'recorder' | 'samples' | 'barriers' | 'publish'>,
  ) {
    const { bus, tracer = trace.getTracer('lockstep'), onQuiet = () => undefined } = options;
    const tracing = { tracer, line: new UtcLine(), onQuiet };
    this.#options = options;
    this.#registry = parts.registry;
    this.#probes = new SandboxProbes(bus);
    this.#recorder = parts.recorder;
    this.#samples = parts.samples;
    this.#results = countResults(parts.recorder);
    this.#barriers = parts.barriers;
    this.#queue = new RunQueue(
      (journal, plan, signal) =>
        executeRun(
          { ...parts, bus, tracing, exportsTelemetry: () => this.exportsTelemetry },
          journal,
          plan,
          signal,
        ),
      options.logger,
    );
  }

  /**
   * Sets up streams and buckets, publishes artefacts, ends what an earlier coordinator left, and
   * serves from then on.
   */
  static async start(options: CoordinatorOptions): Promise<Coordinator> {
    const { bus, logger, dataFolder, cache } = options;
    await ensureStream(bus, RESULTS);
    await ensureStream(bus, LEDGER);
    await ensureStream(bus, TELEMETRY);
    const devices = await openBucket(bus, { bucket: DEVICES_BUCKET, schema: Device, logger });
    const store = await openArtefactStore(bus, { create: true, logger });
    await publishFirst(store, cache);
    const deviceStore = {
      list: async () => [...(await devices.list()).values()],
      put: async (deviceId: string, device: Device) => {
        await devices.put(deviceId, device);
      },
    };
    const { registry, listening } = await Registry.open(bus, deviceStore, logger);
    const seals = new LateSeals(dataFolder, logger);
    const recorder = new Recorder(dataFolder, logger, seals);
    const coordinator = new Coordinator(options, {
      registry,
      recorder,
      samples: new SampleRecorder(dataFolder, logger, seals),
      barriers: new BarrierDesk(),
      publish: (digest) => store.publish(cache, digest),
    });
    coordinator.#listening.push(listening);
    await coordinator.#endInterruptedRuns();
    await coordinator.#serve();
    const { endpoints = [] } = options;
    coordinator.#relay = await Relay.start({ bus, endpoints, logger });
    return coordinator;
  }

  /** True if this device is online and waits for a run. */
  isIdle(deviceId: string): boolean {
    return (
      this.#registry.isOnline(deviceId) && this.#registry.get(deviceId)?.presence.state === 'idle'
    );
  }

  /** The devices that the registry knows. */
  devices(): SelectableDevice[] {
    return this.#registry
      .all()
      .map((device) => ({ ...device, online: this.#registry.isOnline(device.presence.deviceId) }));
  }

  /** What a coordinator tells of itself, but for what its telemetry lost. */
  get health(): Omit<CoordinatorHealth, 'lost'> {
    const { bus } = this.#options;
    return {
      devices: () => countDevices(this.devices()),
      runs: () => countRuns(this.#queue.runs),
      results: this.#results,
      relay: () => this.relayHealth,
      streams: () => Promise.all(STREAMS_TOLD.map((stream) => readStreamSize(bus, stream))),
    };
  }

  /** True if there is an endpoint, so that devices have somebody to send telemetry to. */
  get exportsTelemetry(): boolean {
    return (this.#options.endpoints ?? []).length > 0;
  }

  /** How the way to each endpoint stands. */
  get relayHealth(): EndpointHealth[] {
    return this.#relay?.health ?? [];
  }

  /** Resolves with true when the endpoints have all that arrived, with false after the deadline. */
  async drainTelemetry(timeoutMs: number): Promise<boolean> {
    return this.#relay?.drain(timeoutMs) ?? true;
  }

  /** Cancels what waits or goes; what was reported is kept. */
  async cancelAll(): Promise<void> {
    await this.#queue.close();
  }

  /** Cancels what goes, and stops serving. */
  async stop(): Promise<void> {
    await this.cancelAll();
    await Promise.all([
      ...this.#listening.map((listening) => listening.close()),
      this.#relay?.stop(),
    ]);
  }

  async #serve(): Promise<void> {
    const { bus, logger } = this.#options;
    this.#listening.push(
      await consumeDurable(
        bus,
        { stream: RESULTS_STREAM, consumer: RECORDER_CONSUMER, logger },
        async ({ data, subject }) => {
          const text = new TextDecoder().decode(data);
          const result = decodeMessage(TrialResult, JSON.parse(text), subject);
          await this.#recorder.record(result);
        },
      ),
      await consumeSamples(bus, this.#samples, logger),
      await bus.respond(controlSubject('submit'), CONTROLS.submit, (request) =>
        this.#submit(request),
      ),
      await bus.respond(controlSubject('plan'), CONTROLS.plan, (request) => this.#plan(request)),
      await bus.respond(controlSubject('devices'), CONTROLS.devices, () => ({
        devices: this.devices(),
      })),
      await bus.respond(controlSubject('runs'), CONTROLS.runs, async ({ runId }) => ({
        runs: await this.#runs(runId),
      })),
      await bus.respond(controlSubject('cancel'), CONTROLS.cancel, async ({ runId }) => {
        await this.#queue.cancel(runId);
        return {};
      }),
      await bus.respond(controlSubject('clocks'), CONTROLS.clocks, async () => ({
        devices: await surveyClocks(bus, this.devices()),
      })),
      await bus.respond(
        BARRIER_WILDCARD,
        BARRIER,
        // The server lets a device ask on its own subject only.
        ({ name, ...trial }, subject) =>
          this.#barriers.arrive(subject.split('.')[2] ?? '', trial, name),
        { maxInFlight: BARRIERS_IN_FLIGHT_MAX },
      ),
    );
    this.#registry.watch(({ deviceId, runId }) => {
      if (runId !== undefined) this.#endStray(deviceId, runId);
    });
  }

  async #submit(submission: Submission): Promise<{ run: Run }> {
    const { bus, dataFolder, logger } = this.#options;
    const { proposal, published } = await this.#propose(submission);
    const deviceIds = proposal.devices.map(({ presence }) => presence.deviceId);
    const run = newRun(proposal, published, this.#queue.blocking(deviceIds));
    const folder = RunFolder.of(dataFolder, run.runId);
    const journal = new RunJournal(run, folder, {
      bus,
      logger,
      append: (event) => this.#appendToLedger(event),
    });
    await folder.writeText('experiment.yaml', submission.experimentYaml);
    await journal.begin(proposal.plan);
    this.#queue.add(journal, proposal.plan);
    return { run };
  }

  async #plan(submission: Submission) {
    const { plan, devices, choice } = (await this.#propose(submission)).proposal;
    return {
      plan: { ...plan, trials: plan.trials.slice(0, PLAN_TRIALS_SHOWN_MAX) },
      trialsPlanned: plan.trials.length,
      devices: devices.map(({ presence }) => presence.deviceId),
      notTaken: choice.notTaken.map(({ deviceId, message }) => ({ deviceId, reason: message })),
    };
  }

  async #propose(submission: Submission): Promise<{ proposal: Proposal; published: Published }> {
    const experiment = assertExperiment(submission.experimentYaml, 'experiment');
    await this.#probes.begin(experiment, this.devices());
    const published = await this.#published();
    return { proposal: propose(submission, this.devices(), published), published };
  }

  async #published(): Promise<Published> {
    const { cache } = this.#options;
    const functions: Published['functions'][number][] = [];
    let guestKernelDigest: string | undefined;
    const tools: Record<string, string> = {};
    for (const [name, digest] of Object.entries(await cache.names())) {
      const manifest = await cache.readManifest(digest);
      const { kind } = manifest;
      if (kind === 'guest-kernel') guestKernelDigest = digest;
      else if (kind === 'tool') tools[name] = digest;
      else functions.push({ name, digest, ...formOf(manifest) });
    }
    return { functions, guestKernelDigest, tools };
  }

  async #appendToLedger(event: LedgerEvent): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify(LedgerEvent.encode(event)));
    const id = `${event.runId}/${event.event}/${process.hrtime.bigint()}`;
    await publishDurable(this.#options.bus, ledgerSubject(event.runId), bytes, { id });
  }

  async #runs(runId: string | undefined): Promise<Run[]> {
    const { dataFolder, logger } = this.#options;
    const going = this.#queue.runs;
    const wanted = runId === undefined ? await RunFolder.list(dataFolder) : [runId];
    const runs: Run[] = [];
    for (const id of wanted.slice(0, RUNS_TOLD_MAX)) {
      const live = going.find((run) => run.runId === id);
      try {
        runs.push(live ?? (await RunFolder.of(dataFolder, id).readRun()));
      } catch (error) {
        if (runId !== undefined) throw error;
        logger.warn({ runId: id, reason: errorMessageOf(error) }, 'run folder is not readable');
      }
    }
    return runs;
  }

  /** What an earlier coordinator left unfinished can't go on; say so where it is kept. */
  async #endInterruptedRuns(): Promise<void> {
    const { bus, dataFolder, logger } = this.#options;
    for (const run of await this.#runs(undefined)) {
      if (isEnded(run.state)) continue;
      const folder = RunFolder.of(dataFolder, run.runId);
      await folder.heal();
      const append = (event: LedgerEvent): Promise<void> => this.#appendToLedger(event);
      const journal = new RunJournal(run, folder, { bus, logger, append });
      await journal.enter('interrupted', 'the coordinator stopped while the run was going', {
        code: 'COORDINATOR_STOPPED',
        message: 'the coordinator stopped while the run was going',
        hint: 'What was reported is kept; start the run again for the rest.',
      });
    }
  }

  #endStray(deviceId: string, runId: string): void {
    if (this.#queue.runs.some((run) => run.runId === runId && !isEnded(run.state))) return;
    if (Date.now() - (this.#strayAtMs.get(deviceId) ?? 0) < STRAY_EVERY_MS) return;
    this.#strayAtMs.set(deviceId, Date.now());
    const { bus, logger } = this.#options;
    logger.warn({ deviceId, runId }, 'device serves a run that is over: told to end it');
    commandDevice(bus, { deviceId, verb: 'release', timeoutMs: STRAY_EVERY_MS }, { runId }).catch(
      (error: unknown) => {
        logger.warn({ deviceId, reason: errorMessageOf(error) }, 'stray run not ended');
      },
    );
  }
}

/** Puts everything that the set-up built into the store, names last. */
/**
 * What devices try their sandboxes with; the first of each that was built. All else is published
 * when a run first needs it: the large ones take seconds.
 */
const PUBLISHED_AT_START = [
  ['hello-go', 'hello-node'],
  ['hello-wasm'],
  ['hello-worker'],
  ['guest-kernel'],
] as const;

async function publishFirst(store: ArtefactStore, cache: ArtefactCache): Promise<void> {
  const names = await cache.names();
  for (const alternatives of PUBLISHED_AT_START) {
    const digest = alternatives.map((name) => names[name]).find((one) => one !== undefined);
    if (digest !== undefined) await store.publish(cache, digest);
  }
  await store.publishNames(names);
}
