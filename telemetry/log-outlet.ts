import { pino } from 'pino';

/** Takes lines of a log. */
export interface LineSink {
  write(line: string): void;
}

/**
 * Where a logger writes to: the standard output at once, and a second sink from the time on when it
 * is attached, since a program logs before its telemetry runs.
 */
export class LogOutlet implements LineSink {
  readonly #console: LineSink;
  #second: LineSink | undefined;

  /** @param console Absent: the standard output. */
  constructor(console: LineSink = pino.destination({ dest: 1, sync: true })) {
    this.#console = console;
  }

  write(line: string): void {
    this.#console.write(line);
    this.#second?.write(line);
  }

  /** From now on lines go there, too. */
  attach(second: LineSink): void {
    this.#second = second;
  }

  /** Lines go to the standard output only. */
  detach(): void {
    this.#second = undefined;
  }
}
