import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import type { Roots } from './collector.ts';

/** What the firmware of a Raspberry Pi is asked. */
export type VcgencmdQuestion = 'get_throttled' | 'pmic_read_adc';

const FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/vc/bin'];
const TIMEOUT_MS = 1_000;
const FAILURES_MAX = 3;
const OUTPUT_BYTES_MAX = 64 * 1024;

const run = promisify(execFile);

/**
 * The program that speaks to the firmware of a Raspberry Pi. Undefined if this machine has no such
 * firmware, or it is not installed.
 */
export function findVcgencmd(roots: Roots): string | undefined {
  if (!existsSync(join(roots.dev, 'vcio'))) return undefined;
  return FOLDERS.map((folder) => join(folder, 'vcgencmd')).find((file) => existsSync(file));
}

/** One question to the firmware, asked again and again. Forks, so not for a sampling loop. */
export class FirmwareQuestion {
  readonly #program: string;
  readonly #question: VcgencmdQuestion;
  #failuresInARow = 0;

  /** @param program path of vcgencmd */
  constructor(program: string, question: VcgencmdQuestion) {
    this.#program = program;
    this.#question = question;
  }

  /**
   * Returns what the firmware says. Undefined if it has not answered within a second or refused,
   * which on a busy machine says little.
   *
   * @throws LockstepError TOOL_MISSING if that happened several times in a row.
   */
  async ask(): Promise<string | undefined> {
    try {
      const { stdout } = await run(this.#program, [this.#question], {
        timeout: TIMEOUT_MS,
        killSignal: 'SIGKILL',
        maxBuffer: OUTPUT_BYTES_MAX,
        env: { LC_ALL: 'C' },
      });
      this.#failuresInARow = 0;
      return stdout;
    } catch (cause) {
      this.#failuresInARow += 1;
      if (this.#failuresInARow < FAILURES_MAX) return undefined;
      const reason = errorMessageOf(cause).slice(0, 200);
      const text = `${this.#program} ${this.#question} failed: ${reason}`;
      const hint = 'run the agent as root or in the group video';
      throw new LockstepError('TOOL_MISSING', text, { cause, hint });
    }
  }
}
