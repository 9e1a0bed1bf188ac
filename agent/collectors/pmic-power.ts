import type { Reading } from './collector.ts';
import { FirmwareQuestion } from './vcgencmd.ts';

const BETWEEN_MS = 1_000;

/**
 * Power of a Raspberry Pi 5, estimated from what its regulator measures of the rails behind it.
 * Asks at most once a second.
 */
export class PmicPower {
  readonly #question: FirmwareQuestion;
  #nextMs = 0;

  /** @param program path of vcgencmd */
  constructor(program: string) {
    this.#question = new FirmwareQuestion(program, 'pmic_read_adc');
  }

  /**
   * Takes a reading, or none if the last one was just before.
   *
   * @throws LockstepError TOOL_MISSING if the firmware has not answered several times.
   */
  async read(): Promise<readonly Reading[]> {
    const nowMs = performance.now();
    if (nowMs < this.#nextMs) return [];
    this.#nextMs = nowMs + BETWEEN_MS;
    const watts = estimatePower(parsePmic((await this.#question.ask()) ?? ''));
    if (watts === undefined) return [];
    return [
      { metric: 'lockstep.host.power.estimate', attributes: { 'hw.id': 'pmic' }, value: watts },
    ];
  }
}

/** What is measured of one rail. Both are there but for the input and the battery of the clock. */
interface Rail {
  readonly volts?: number;
  readonly amperes?: number;
}

/**
 * Reads the rails by name from the text of `vcgencmd pmic_read_adc`, in both forms that it has
 * had: `3V3_SYS_A current(1)=0.05A` and `3V3_SYS_A=0.05A`. Source: Raspberry Pi documentation,
 * vcgencmd.
 */
export function parsePmic(text: string): ReadonlyMap<string, Rail> {
  const rails = new Map<string, Rail>();
  const pattern = /^\s*(\w+)_[VA](?:\s+\w+\(\d+\))?\s*=\s*(\d+(?:\.\d+)?)([VA])\s*$/gm;
  for (const [, name = '', digits, unit] of text.matchAll(pattern)) {
    const value = Number(digits);
    rails.set(name, {
      ...rails.get(name),
      ...(unit === 'V' ? { volts: value } : { amperes: value }),
    });
  }
  return rails;
}

// What the regulator itself uses and what does not go through it, fitted by users against a meter
// at the plug (github.com/jfikar/RPi5-power): a line through the sum over the rails.
const SLOPE = 1.1451;
const INTERCEPT_WATTS = 0.5879;

/**
 * Power at the plug in W, estimated from the rails; what hangs on USB or a HAT is not in it.
 * Undefined if no rail has both voltage and current.
 */
export function estimatePower(rails: ReadonlyMap<string, Rail>): number | undefined {
  let sum = 0;
  let measured = 0;
  for (const { volts, amperes } of rails.values()) {
    if (volts === undefined || amperes === undefined) continue;
    sum += volts * amperes;
    measured += 1;
  }
  return measured === 0 ? undefined : sum * SLOPE + INTERCEPT_WATTS;
}
