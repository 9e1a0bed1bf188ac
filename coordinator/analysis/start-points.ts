import type { StartPoint } from './run-summary.ts';

/** More points than this can neither be told apart in a plot nor be held for a large run. */
export const START_POINTS_MAX = 20_000;

/**
 * The starts that plots show. All of a run of usual size; of a larger one, for each device the one
 * farthest off the ordered instant in every stretch of neighbouring trials, so that thinning never
 * hides the worst.
 */
export class StartPoints {
  readonly #trialsTogether: number;
  #trialsOpen = 0;
  readonly #worstByDevice = new Map<string, StartPoint>();
  readonly #closed: StartPoint[] = [];

  constructor(trialsPlanned: number, devices: number) {
    const stretches = Math.max(1, Math.floor(START_POINTS_MAX / Math.max(1, devices)));
    this.#trialsTogether = Math.max(1, Math.ceil(trialsPlanned / stretches));
  }

  /** Adds the starts of one trial. Trials come in their order. */
  add(points: readonly StartPoint[]): void {
    if (points.length === 0) return;
    if (this.#trialsTogether === 1) {
      this.#closed.push(...points);
      return;
    }
    for (const point of points) {
      const worst = this.#worstByDevice.get(point.deviceId);
      if (worst === undefined || distanceNs(point) > distanceNs(worst)) {
        this.#worstByDevice.set(point.deviceId, point);
      }
    }
    this.#trialsOpen += 1;
    if (this.#trialsOpen === this.#trialsTogether) this.#close();
  }

  /** The points to show, in the order of their trials. */
  chosen(): StartPoint[] {
    this.#close();
    return this.#closed;
  }

  #close(): void {
    const order = (point: StartPoint): number => point.position ?? Number.MAX_SAFE_INTEGER;
    this.#closed.push(
      ...[...this.#worstByDevice.values()].toSorted((left, right) => order(left) - order(right)),
    );
    this.#worstByDevice.clear();
    this.#trialsOpen = 0;
  }
}

function distanceNs({ fleetLatenessNs, latenessNs }: StartPoint): number {
  return Math.abs(fleetLatenessNs ?? latenessNs);
}
