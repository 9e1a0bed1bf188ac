import type { Logger } from 'pino';
import type { z } from 'zod';
import type { Bus, Listening } from '../bus/bus.ts';
import { errorMessageOf, LockstepError } from '../schemas/errors.ts';
import { COMMANDS } from '../schemas/messages.ts';
import type {
  ArmReply,
  ArmRequest,
  ClockReply,
  GoReply,
  GoRequest,
  PrepareRequest,
  ProbeRequest,
  ReleaseRequest,
  StandDownRequest,
} from '../schemas/messages.ts';
import { PROTOCOL_VERSION } from '../schemas/protocol.ts';
import { commandSubject } from '../schemas/subjects.ts';
import { surveyClock } from './clock/survey.ts';
import type { TraceHeaders } from './device-telemetry.ts';
import type { PresenceTeller } from './presence.ts';
import { RunSession } from './run-session.ts';
import type { SessionPorts } from './run-session.ts';

const done = { protocol: PROTOCOL_VERSION };

type Reply = z.output<(typeof COMMANDS)['release']['reply']>;

/** Serves the coordinator's commands: one run at a time, each in a session of its own. */
export class Agent {
  readonly #ports: SessionPorts;
  readonly #presence: PresenceTeller;
  readonly #logger: Logger;
  readonly #listening: Listening[] = [];
  #session: RunSession | undefined;
  #prepared: PrepareRequest | undefined;
  #opening: Promise<unknown> = Promise.resolve();
  #isLeaving = false;

  constructor(ports: SessionPorts, presence: PresenceTeller) {
    this.#ports = ports;
    this.#presence = presence;
    this.#logger = ports.logger;
  }

  /** True while it serves no run. */
  get isIdle(): boolean {
    return this.#prepared === undefined;
  }

  /** Takes commands from now on. */
  async serve(bus: Bus): Promise<void> {
    const subject = (verb: string) => commandSubject(this.#ports.deviceId, verb);
    this.#listening.push(
      await bus.respond(subject('prepare'), COMMANDS.prepare, (request) => this.prepare(request)),
      await bus.respond(subject('arm'), COMMANDS.arm, (request, _subject, headers) =>
        this.arm(request, headers),
      ),
      await bus.respond(subject('go'), COMMANDS.go, (request) => this.go(request)),
      await bus.respond(subject('stand-down'), COMMANDS['stand-down'], (request) =>
        this.standDown(request),
      ),
      await bus.respond(subject('clock'), COMMANDS.clock, () => this.surveyClock()),
      await bus.respond(subject('probe'), COMMANDS.probe, (request) => this.probe(request)),
      await bus.respond(subject('release'), COMMANDS.release, (request) => this.release(request)),
    );
  }

  /**
   * Gets ready for a run. The same run again begins anew.
   *
   * @throws LockstepError AGENT_BUSY if the device serves another run.
   */
  prepare(request: PrepareRequest): Promise<Reply> {
    return this.#inTurn(async () => {
      if (this.#isLeaving) throw new LockstepError('CANCELLED', 'the agent is stopping');
      if (this.#prepared !== undefined && this.#prepared.runId !== request.runId) {
        throw new LockstepError(
          'AGENT_BUSY',
          `device ${this.#ports.deviceId} serves run ${this.#prepared.runId}`,
          { hint: 'Wait for that run to end, or cancel it.' },
        );
      }
      await this.#endSession();
      this.#prepared = request;
      this.#presence.enter('busy', request.runId);
      try {
        this.#session = await RunSession.open(request, this.#ports);
      } catch (error) {
        this.#prepared = undefined;
        this.#presence.enter('idle');
        throw error;
      }
      return done;
    });
  }

  /** See {@link RunSession.arm}. A runner that was lost is started anew first. */
  async arm(request: ArmRequest, headers: TraceHeaders = {}): Promise<ArmReply> {
    await this.#inTurn(async () => {
      const prepared = this.#prepared;
      if (prepared?.runId !== request.runId || this.#session?.isAlive !== false) return;
      this.#logger.warn({ runId: request.runId }, 'the runner was lost: starting another');
      await this.#endSession();
      this.#session = await RunSession.open(prepared, this.#ports);
    });
    return this.#sessionOf(request.runId).arm(request, headers);
  }

  /** See {@link RunSession.go}. */
  async go(request: GoRequest): Promise<GoReply> {
    return {
      protocol: PROTOCOL_VERSION,
      marginNs: await this.#sessionOf(request.runId).go(request),
    };
  }

  /** See {@link RunSession.standDown}. */
  async standDown(request: StandDownRequest): Promise<Reply> {
    if (this.#session?.runId === request.runId) {
      await this.#session.standDown(request.trialId, request.reason);
    }
    return done;
  }

  /** Ends a run on this device. Safe to repeat. */
  release(request: ReleaseRequest): Promise<Reply> {
    return this.#inTurn(async () => {
      if (this.#prepared?.runId !== request.runId) return done;
      await this.#endSession();
      this.#prepared = undefined;
      if (!this.#isLeaving) this.#presence.enter('idle');
      return done;
    });
  }

  /**
   * Finds out whether kinds of sandbox work; answers at once.
   *
   * @throws LockstepError AGENT_BUSY if the device serves a run.
   */
  probe({ sandboxes }: ProbeRequest): Reply {
    this.#assertIdle();
    this.#presence.enter('probing');
    void this.#inTurn(async () => {
      if (this.#isLeaving) return;
      this.#presence.addSandboxes(await this.#ports.probe(sandboxes));
      if (this.isIdle) this.#presence.enter('idle');
    });
    return done;
  }

  /**
   * Measures the clock now.
   *
   * @throws LockstepError AGENT_BUSY during a run, whose trials must not be disturbed, and what the
   * synchroniser throws.
   */
  async surveyClock(): Promise<ClockReply> {
    this.#assertIdle();
    return { protocol: PROTOCOL_VERSION, survey: await surveyClock(this.#ports) };
  }

  /** Takes no more commands and ends what is going. */
  async stop(): Promise<void> {
    this.#isLeaving = true;
    this.#presence.stop();
    await this.#inTurn(() => this.#endSession());
    await Promise.all(this.#listening.map((listening) => listening.close()));
  }

  #assertIdle(): void {
    if (this.isIdle) return;
    throw new LockstepError('AGENT_BUSY', `device ${this.#ports.deviceId} serves a run`, {
      hint: 'Ask again when the run is over; its results carry the clock of each trial.',
    });
  }

  #sessionOf(runId: string): RunSession {
    if (this.#session?.runId === runId) return this.#session;
    throw new LockstepError(
      'NOT_FOUND',
      `device ${this.#ports.deviceId} is not prepared for run ${runId}`,
    );
  }

  async #endSession(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    try {
      await session?.close();
    } catch (error) {
      this.#logger.error({ error: errorMessageOf(error) }, 'session did not end cleanly');
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#opening.then(work);
    this.#opening = result.catch(() => undefined);
    return result;
  }
}
