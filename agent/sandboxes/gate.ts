import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setPriority } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { readWallOffsetNs, systemClock } from '../clock/clock.ts';
import { LockstepError } from '../../schemas/errors.ts';
import type { Phase } from '../../schemas/result.ts';
import { neutralEnvironment } from './command.ts';
import { readInheritanceFacts, resetCommand } from './inheritance.ts';
import { OutputWatcher } from './output-watcher.ts';

/** What waits behind a gate. */
export interface GateOptions {
  /** The command to run once the gate is open; the first word is a path or is found on PATH. */
  readonly command: readonly string[];
  /**
   * A program with its words that prepares what the command needs, such as mounts of its own, and
   * then becomes what follows it: done before waiting.
   */
  readonly wrapper?: readonly string[];
  /** Files of cgroups to join before waiting. */
  readonly joinFiles: readonly string[];
  /** File of the network namespace to enter. Absent: that of this process. */
  readonly netnsPath?: string;
  readonly onPhase: (phase: Phase, atMonoNs: bigint) => void;
}

/** How the command behind a gate ended. */
export interface GateExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const WAITING_TIMEOUT_MS = 10_000;

// Descriptor 3 is the gate, 4 tells that the child waits at it, and then when it saw it open: bash
// reads the wall clock without a fork, other shells leave the line empty. What can't be reset
// without a right that this process lacks stays as it is.
const GATE_SCRIPT = `
echo 0 2>/dev/null >/proc/self/oom_score_adj
echo 50000 2>/dev/null >/proc/self/timerslack_ns
left=$1
shift
while [ "$left" -gt 0 ]; do
  echo "$$" >"$1" || exit 98
  shift
  left=$((left - 1))
done
echo waiting >&4
read -r opened <&3 || exit 0
echo "$EPOCHREALTIME" >&4
exec "$@" 3<&- 4>&-
`;

const HAS_BASH = existsSync('/bin/bash');
const SHELL = HAS_BASH ? '/bin/bash' : '/bin/sh';
const SHELL_OPTIONS = HAS_BASH ? ['--noprofile', '--norc'] : [];

/**
 * A command that was started as far as it goes without running: its process exists, is in its
 * cgroup and network namespace, has shed what it would inherit from this process, and waits for
 * one byte. So the timed part has no fork of a large process in it.
 */
export class Gate {
  /** Settles when the command's own process ended. */
  readonly exited: Promise<GateExit>;
  /** Settles when nobody holds the command's output any more, also none of its descendants. */
  readonly closed: Promise<void>;
  readonly #child: ChildProcess;
  readonly #watcher: OutputWatcher;

  private constructor(child: ChildProcess, watcher: OutputWatcher) {
    this.#child = child;
    this.#watcher = watcher;
    const exited = Promise.withResolvers<GateExit>();
    const closed = Promise.withResolvers<undefined>();
    child.once('exit', (code, signal) => {
      exited.resolve({ code, signal });
    });
    child.once('close', () => {
      closed.resolve(undefined);
    });
    child.once('error', () => {
      exited.resolve({ code: null, signal: null });
      closed.resolve(undefined);
    });
    this.exited = exited.promise;
    this.closed = closed.promise;
  }

  /**
   * Starts the child and waits until it stands at the gate.
   *
   * @throws LockstepError SANDBOX_FAILED if it does not get there.
   */
  static async create(options: GateOptions): Promise<Gate> {
    const enter = options.netnsPath === undefined ? [] : ['nsenter', `--net=${options.netnsPath}`];
    const [program = '', ...words] = [
      ...resetCommand(readInheritanceFacts()),
      ...enter,
      ...(options.wrapper ?? []),
      ...[SHELL, ...SHELL_OPTIONS, '-c', GATE_SCRIPT, 'lockstep-gate'],
      String(options.joinFiles.length),
      ...options.joinFiles,
      ...options.command,
    ];
    const child = spawn(program, words, {
      cwd: '/',
      env: neutralEnvironment,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      // A session of its own: Ctrl-C on the agent's terminal is for the agent.
      detached: true,
    });
    const watcher = new OutputWatcher(options.onPhase);
    watch(child.stdout, 'stdout', watcher);
    watch(child.stderr, 'stderr', watcher);
    const gate = new Gate(child, watcher);
    // A child that ended no longer takes the byte; its exit says so.
    gate.#entrance().on('error', () => undefined);
    try {
      await gate.#waiting();
      gate.#awaitOpening(options.onPhase, readWallOffsetNs(systemClock));
    } catch (error) {
      gate.kill();
      throw error;
    }
    return gate;
  }

  /** Id of the child, and of the command once the gate is open. */
  get processId(): number {
    return this.#child.pid ?? 0;
  }

  /** Lets the command run. Returns CLOCK_MONOTONIC in ns, taken just before. */
  open(): bigint {
    const entrance = this.#entrance();
    const atMonoNs = process.hrtime.bigint();
    // Nothing is queued on this stream, so the byte is written within this call.
    entrance.write('\n');
    return atMonoNs;
  }

  /** The end of what the command printed, at most 16 KiB. */
  tail(): string {
    return this.#watcher.tail();
  }

  /** Signals the child, if it has not ended. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal);
  }

  /** Gives up the pipes to the command; whoever still holds the other ends gets errors. */
  destroy(): void {
    for (const stream of this.#child.stdio) stream?.destroy();
  }

  #entrance(): Writable {
    return this.#child.stdio[3] as Writable;
  }

  #awaitOpening(onPhase: GateOptions['onPhase'], wallOffsetNs: bigint): void {
    const report = this.#child.stdio[4] as Readable;
    report.once('data', (chunk: Buffer) => {
      const atUtcNs = parseEpochRealtime(chunk.toString('latin1'));
      if (atUtcNs !== undefined) onPhase('gateOpen', atUtcNs - wallOffsetNs);
    });
  }

  async #waiting(): Promise<void> {
    const arrived = Promise.withResolvers<undefined>();
    const report = this.#child.stdio[4] as Readable;
    report.on('error', () => undefined);
    report.once('data', () => {
      arrived.resolve(undefined);
    });
    const timer = setTimeout(() => {
      arrived.reject(
        new LockstepError(
          'DEADLINE_EXCEEDED',
          `the gated child did not get ready within ${WAITING_TIMEOUT_MS} ms`,
        ),
      );
    }, WAITING_TIMEOUT_MS);
    void this.closed.then(() => {
      arrived.reject(
        new LockstepError('SANDBOX_FAILED', `the gated child ended early: ${this.tail()}`),
      );
    });
    try {
      await arrived.promise;
      setPriority(this.processId, 0);
    } catch (error) {
      // Without the right to lower it, the nice value stays as it is.
      if (error instanceof LockstepError) throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

function watch(stream: Readable | null, name: string, watcher: OutputWatcher): void {
  stream?.on('data', (chunk: Buffer) => {
    const atMonoNs = process.hrtime.bigint();
    watcher.push(name, chunk, atMonoNs);
  });
  // A reset of the pipe is its end.
  stream?.on('error', () => undefined);
}

/** Seconds since 1970 with microseconds as bash prints them, in ns. Undefined if there are none. */
export function parseEpochRealtime(text: string): bigint | undefined {
  const match = /^(\d+)[.,](\d{6})$/.exec(text.trim());
  if (match === null) return undefined;
  return (BigInt(match[1] ?? '0') * 1_000_000n + BigInt(match[2] ?? '0')) * 1000n;
}
