import { errorMessageOf } from '../../schemas/errors.ts';
import { toFailure } from '../../schemas/failure.ts';
import { MEASUREMENTS_MAX } from '../../schemas/measurement.ts';
import type { Measurement, MeasureName } from '../../schemas/measurement.ts';
import type { InvalidCode, InvalidMark } from '../../schemas/result.ts';
import type { ProcedureOutcome } from './procedure.ts';

const CONDITION_NAME_MAX = 64;
const CONDITION_TEXT_MAX = 256;
const CONDITIONS_MAX = 64;
const MARKS_MAX = 16;
const MARK_TEXT_MAX = 1024;

/** What tells a measurement from others of its measure. */
export interface Place {
  readonly instance?: number;
  readonly labels?: Measurement['labels'];
}

/**
 * What a procedure finds out while it goes, beside the phases. It is kept whatever happens later,
 * and within the bounds of a result: what goes over them is counted in a condition.
 */
export class Findings {
  readonly #measurements: Measurement[] = [];
  readonly #conditions = new Map<string, string>();
  readonly #invalid: InvalidMark[] = [];
  #dropped = 0;

  /** Notes one figure, in the unit of the measure. */
  measure(measure: MeasureName, value: number, place: Place = {}): void {
    if (this.#measurements.length >= MEASUREMENTS_MAX) {
      this.#dropped += 1;
      return;
    }
    const { instance, labels } = place;
    this.#measurements.push({
      measure,
      value,
      ...(instance === undefined ? {} : { instance }),
      ...(labels === undefined ? {} : { labels }),
    });
  }

  /** Notes under which condition it was measured, or what could not be and why. */
  condition(name: string, text: string): void {
    if (this.#conditions.size >= CONDITIONS_MAX && !this.#conditions.has(name)) return;
    const line = text.replaceAll(/\s+/g, ' ').trim();
    this.#conditions.set(name.slice(0, CONDITION_NAME_MAX), line.slice(0, CONDITION_TEXT_MAX));
  }

  /** Notes that something could not be measured, with the error that says why. */
  unmeasured(name: string, error: unknown): void {
    this.condition(name, `not measured: ${errorMessageOf(error)}`);
  }

  /** Notes a failure that is a finding and no failure of the trial. */
  failure(name: string, error: unknown): void {
    const { code, message } = toFailure(error);
    this.condition(name, `${code}: ${message}`);
  }

  /** Marks the result: it must not be trusted. */
  mark(code: InvalidCode, message: string): void {
    if (this.#invalid.length >= MARKS_MAX) return;
    this.#invalid.push({ code, message: message.slice(0, MARK_TEXT_MAX) });
  }

  /** As it stands in the outcome of a procedure. What is empty is absent. */
  toOutcome(): Pick<ProcedureOutcome, 'measurements' | 'conditions' | 'invalid'> {
    const conditions = Object.fromEntries(this.#conditions);
    if (this.#dropped > 0) {
      const dropped = `${this.#dropped}; a result has at most ${MEASUREMENTS_MAX}`;
      conditions['measurements-dropped'] = dropped;
    }
    return {
      ...(this.#measurements.length === 0 ? {} : { measurements: this.#measurements }),
      ...(Object.keys(conditions).length === 0 ? {} : { conditions }),
      ...(this.#invalid.length === 0 ? {} : { invalid: this.#invalid }),
    };
  }
}
