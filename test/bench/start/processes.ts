import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { runCommand } from '../../../agent/sandboxes/command.ts';

const END_TIMEOUT_MS = 25_000;

/** How a device process is started. */
export interface DeviceProcess {
  /** Seconds by which its CLOCK_MONOTONIC is shifted, by a time namespace of its own. */
  readonly shiftSeconds: number;
  /** `fifo` for the whole process, `never` without the right to it, `own` as it decides itself. */
  readonly realTime: 'fifo' | 'never' | 'own';
  readonly program: string;
  readonly words: readonly string[];
}

/** The processes of a benchmark; all end when their standard input does. */
export class Processes {
  readonly #children: ChildProcess[] = [];

  /** Starts a device's process in its time namespace. */
  startDevice(options: DeviceProcess): void {
    const realTime = {
      fifo: ['chrt', '--reset-on-fork', '--fifo', '10'],
      never: ['setpriv', '--bounding-set=-sys_nice', '--inh-caps=-sys_nice', '--'],
      own: [],
    }[options.realTime];
    this.#start([
      ...['unshare', '--time', '--monotonic', String(options.shiftSeconds)],
      ...['--fork', '--kill-child', '--'],
      ...realTime,
      ...[process.execPath, '--single-threaded-gc', options.program, ...options.words],
    ]);
  }

  /** Starts a link with a delay to a port of this machine; returns the port that it listens on. */
  async startRelay(program: string, targetPort: number, delaysUs: readonly number[]) {
    const words = [...delaysUs, this.#children.length].map(String);
    const child = this.#start([
      ...['chrt', '--fifo', '20', program],
      ...[String(targetPort), ...words],
    ]);
    child.stdout?.setEncoding('utf8');
    const [text] = (await once(child.stdout!, 'data')) as [string];
    return Number(text);
  }

  /** Ends all. */
  async end(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.stdin?.end();
        const timer = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
        await ended;
        clearTimeout(timer);
      }),
    );
  }

  #start([program = '', ...words]: string[]): ChildProcess {
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.on('error', () => undefined);
    this.#children.push(child);
    return child;
  }
}

/** Compiles the relay into a folder; returns its path. */
export async function compileRelay(folder: string): Promise<string> {
  const path = join(folder, 'relay');
  const source = join(import.meta.dirname, 'relay.c');
  await runCommand(['cc', '-O2', '-o', path, source], { timeoutMs: 60_000 });
  return path;
}
