import type { Logger } from 'pino';
import { LockstepError } from '../../schemas/errors.ts';
import { deadlineMs } from '../../schemas/procedure-duration.ts';
import { traitsOf } from '../../schemas/sandbox.ts';
import type { SandboxLimits, SandboxName } from '../../schemas/sandbox.ts';
import type { SelftestTrials } from '../../schemas/selftest.ts';
import type { Clock } from '../clock/clock.ts';
import { LOAD_GENERATOR } from '../procedures/load-generator.ts';
import { RunnerClient } from '../runner/client.ts';
import type { RunnerResult } from '../runner/protocol.ts';
import { removeCgroups } from './place.ts';
import type { Place } from './place.ts';
import { HELLO_FUNCTIONS } from './stage-process.ts';
import { coldStartIn, furtherTrialsIn } from './trial-plan.ts';
import type { PlannedTrial } from './trial-plan.ts';
import { TrialTally } from './trial-tally.ts';

/** How trials are run on this device. */
export interface TrialOptions {
  readonly isolation: 'root' | 'user';
  /** Words before the command of the measuring process that give it a real-time class. */
  readonly realTime: readonly string[];
  /** Time for all of them, ms. One cold start is done in any case. */
  readonly budgetMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Told what begins. */
  readonly onBegin: (what: string) => void;
}

const LIMITS: SandboxLimits = { memoryMib: 256, cpus: 1 };
const SET_UP_TIMEOUT_MS = 60_000;

/** Longest that the untimed part of a trial may take, with what the driver must find out, ms. */
const ARM_TIMEOUT_MS = 150_000;

/** Longest that the removal may take on top of a trial, ms. */
const REMOVAL_MS = 40_000;

/** The start is ordered so long before its instant. */
const LEAD_NS = 5_000_000n;

/**
 * Runs trials in one kind of sandbox until their time is used up: cold starts for its first half,
 * then every procedure that this device can carry alone, once each, then cold starts again. A
 * procedure that could not be brought to its end is the last.
 *
 * @throws the reason of the signal once it aborts.
 */
export async function runTrials(
  sandbox: SandboxName,
  place: Place,
  options: TrialOptions,
): Promise<SelftestTrials[]> {
  const endMs = performance.now() + options.budgetMs;
  const tools = await toolsOf(place);
  const coldStart = coldStartIn(sandbox);
  const further = furtherTrialsIn(sandbox, { hasLoadGenerator: LOAD_GENERATOR in tools });
  const tallies = [coldStart, ...further].map((planned) => new TrialTally(planned));
  const stage = new TrialStage(sandbox, options);
  const coldStarts = async (untilMs: number): Promise<void> => {
    options.onBegin(coldStart.procedure.kind);
    while (stage.isUsable && performance.now() < untilMs) await stage.run(coldStart, tallies[0]);
  };
  try {
    await stage.open(place, tools, tallies[0]);
    await stage.run(coldStart, tallies[0]);
    await coldStarts(endMs - options.budgetMs / 2);
    for (const [index, planned] of further.entries()) {
      if (!stage.isUsable || performance.now() >= endMs) break;
      options.onBegin(planned.procedure.kind);
      await stage.run(planned, tallies[index + 1]);
    }
    await coldStarts(endMs);
  } finally {
    await stage.close(place);
  }
  options.signal.throwIfAborted();
  return tallies.map((tally) => tally.result());
}

async function toolsOf({ artefacts }: Place): Promise<Record<string, string>> {
  const folder = await artefacts.toolFolder(LOAD_GENERATOR);
  return folder === undefined ? {} : { [LOAD_GENERATOR]: folder };
}

/** A measuring process for trials in one kind of sandbox. */
class TrialStage {
  readonly #sandbox: SandboxName;
  readonly #options: TrialOptions;
  #runner: RunnerClient | undefined;
  #isBroken = false;
  #count = 0;

  constructor(sandbox: SandboxName, options: TrialOptions) {
    this.#sandbox = sandbox;
    this.#options = options;
  }

  get isUsable(): boolean {
    return !this.#isBroken && !this.#options.signal.aborted;
  }

  /** Starts it; if that fails, a trial has failed. */
  async open(
    place: Place,
    tools: Record<string, string>,
    tally: TrialTally | undefined,
  ): Promise<void> {
    try {
      await this.#open(place, tools);
    } catch (error) {
      this.#isBroken = true;
      tally?.fail(error, 0);
    }
  }

  /** Runs one trial and adds it to the tally; what can't be brought to its end is a failure. */
  async run(planned: PlannedTrial, tally: TrialTally | undefined): Promise<void> {
    if (!this.isUsable) return;
    const beginMs = performance.now();
    try {
      const outcome = await this.#runOne(planned);
      tally?.add(outcome, performance.now() - beginMs);
    } catch (error) {
      this.#isBroken = true;
      tally?.fail(error, performance.now() - beginMs);
    }
  }

  /** Ends the process in good order, or what is left of it. */
  async close({ cgroupName }: Place): Promise<void> {
    const runner = this.#runner;
    if (runner === undefined) return;
    if (this.#isBroken || this.#options.signal.aborted) runner.kill();
    await runner.close();
    await removeCgroups(cgroupName);
  }

  async #open(place: Place, tools: Record<string, string>): Promise<void> {
    const { isolation, logger, realTime, signal } = this.#options;
    const { artefacts, cgroupName, scratchFolder } = place;
    const guestKernelFolder = await artefacts.guestKernelFolder();
    const functionName = HELLO_FUNCTIONS[traitsOf(this.#sandbox).runs];
    const functions = [await artefacts.functionRoot(functionName)];
    signal.throwIfAborted();
    const runner = await RunnerClient.start({ scratchFolder, isolation, realTime, logger });
    this.#runner = runner;
    signal.addEventListener('abort', () => {
      runner.kill();
    });
    await runner.call(
      'setUp',
      {
        ...{ cgroupName, scratchFolder, functions, tools, limits: LIMITS },
        imagesFolder: artefacts.imagesFolder,
        ...(guestKernelFolder === undefined ? {} : { guestKernelFolder }),
      },
      SET_UP_TIMEOUT_MS,
    );
  }

  async #runOne(planned: PlannedTrial): Promise<RunnerResult<'start'>> {
    const runner = this.#runner;
    if (runner === undefined) throw new LockstepError('RUNNER_LOST', 'it was not started');
    this.#count += 1;
    const trialId = `t${this.#count}`;
    const { functionName, instances, procedure: parameters } = planned;
    const cell = { id: trialId, sandbox: this.#sandbox, function: functionName, instances };
    const order = { trialId, cell, parameters, seed: this.#count, isSampled: false };
    await runner.call('arm', order, ARM_TIMEOUT_MS);
    const targetMonoNs = this.#options.clock.monotonicNs() + LEAD_NS;
    const timeoutMs = deadlineMs(parameters, instances) + REMOVAL_MS;
    return runner.call('start', { trialId, targetMonoNs }, timeoutMs);
  }
}
