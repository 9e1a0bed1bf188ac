import { hostRatio } from '../analysis/host-ratio.ts';
import type { HostedValue } from '../analysis/host-ratio.ts';
import type { MedianRatio } from '../analysis/statistics/ratio-interval.ts';
import type { Language } from './published.ts';
import type { QuantityName } from './quantities.ts';
import type { MeasuredExperiment, StudyCell } from './study-cell.ts';
import type { Chosen, Target } from './targets.ts';

/** Draws of the bootstrap are the same in every report of the same values. */
const SEED = 1;

/** What is asked of a suite: one quantity of one experiment. */
export interface Asked {
  readonly experiment: string;
  readonly quantity: QuantityName;
  readonly language: Language;
  /** Absent: whatever the experiment had, if that is one number. */
  readonly instances?: number;
}

/** The language of a function. */
export function languageOf(functionName: string): Language {
  return functionName.endsWith('-node') ? 'node' : 'go';
}

/** The suite as it was measured, to be asked for values. */
export class MeasuredSuite {
  readonly #experiments: ReadonlyMap<string, MeasuredExperiment>;

  constructor(experiments: readonly MeasuredExperiment[]) {
    this.#experiments = new Map(experiments.map((one) => [one.name, one]));
  }

  /** An experiment, whether it was run or not; undefined if it is no part of this suite. */
  experiment(name: string): MeasuredExperiment | undefined {
    return this.#experiments.get(name);
  }

  /** The cell of a sandbox; undefined if the experiment has none. */
  cell(asked: Omit<Asked, 'quantity'>, sandbox: string): StudyCell | undefined {
    return this.#experiments
      .get(asked.experiment)
      ?.cells.find(
        ({ cell }) =>
          cell.sandbox === sandbox &&
          languageOf(cell.function) === asked.language &&
          (asked.instances === undefined || cell.instances === asked.instances),
      );
  }

  /** A value per trial and host; empty for nothing. */
  values(asked: Asked, sandbox: string): readonly HostedValue[] {
    return this.cell(asked, sandbox)?.values[asked.quantity] ?? [];
  }

  /** True if a sandbox has a value of this. */
  has(asked: Asked): (sandbox: string) => boolean {
    return (sandbox) => this.values(asked, sandbox).length > 0;
  }

  /** Why none of the sandboxes that may stand for a target has a value, each with its reason. */
  lacks(asked: Asked, target: Target, sandboxes: readonly string[]): string {
    const state = this.#experiments.get(asked.experiment);
    if (state === undefined)
      return `${target}: ${asked.experiment} is not in this part of the suite`;
    if (state.state === 'not-run') return `${target}: ${asked.experiment} was not run`;
    const reasons = sandboxes.map((sandbox) => {
      const cell = this.cell(asked, sandbox);
      if (cell === undefined) return `${sandbox} is not in ${asked.experiment}`;
      if (cell.status === 'filled') return `${sandbox} does not tell ${asked.quantity}`;
      return `${sandbox} ${cell.status}${cell.reason === undefined ? '' : ` (${cell.reason})`}`;
    });
    return `${target}: ${reasons.join(', ')}`;
  }

  /** How a sandbox differs from the target that it stands for; undefined if it does not. */
  standIn(
    asked: Omit<Asked, 'quantity'>,
    { sandbox, standIn, target }: Chosen,
  ): string | undefined {
    if (standIn === undefined) return undefined;
    const setUp = this.cell(asked, sandbox)?.setUp ?? '';
    return `${sandbox} for ${target}: ${standIn}${setUp === '' ? '' : ` (${setUp})`}`;
  }
}

/** The median of the upper values divided by that of the lower; see `hostRatio`. */
export function ratioOf(
  upper: readonly HostedValue[],
  lower: readonly HostedValue[],
  coverage?: number,
): MedianRatio | undefined {
  return hostRatio(lower, upper, { seed: SEED, ...(coverage === undefined ? {} : { coverage }) });
}
