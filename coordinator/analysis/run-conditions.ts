import type { InvalidCode, TrialResult } from '../../schemas/result.ts';
import { groupBy, startKey } from './measured-result.ts';
import type { MeasuredResult } from './measured-result.ts';
import type { SandboxSetUp } from './run-summary.ts';

/** Under what conditions a run was measured, trial by trial; notes are drawn from it. */
export class RunConditions {
  readonly #deviceIds: readonly string[];
  readonly #setUps = new Map<string, SetUp>();
  readonly #texts = new WeakMap<object, string>();
  /** The digests that each function ran as. */
  readonly digestsOf = new Map<string, Set<string>>();
  readonly schedulingClasses = new Set<string>();
  /** Starts without real-time scheduling that tell why. */
  readonly ordinaryStarts: Starts = { deviceIds: new Set(), latenessesNs: [] };
  readonly otherStarts: Starts = { deviceIds: new Set(), latenessesNs: [] };
  /** The first reason that was told. Absent if there is none. */
  ordinaryReason: string | undefined;
  /** Starts of two devices and more at one instant. */
  commonStarts = 0;
  /** Marks of the results that count as invalid. */
  readonly invalidCodes = new Set<InvalidCode>();
  /** Results of devices of the run that are absent from trials that others report. */
  absentResults = 0;

  /** @param deviceIds of the run's devices */
  constructor(deviceIds: readonly string[]) {
    this.#deviceIds = deviceIds;
  }

  /** Adds all results of one trial. */
  add(measured: readonly MeasuredResult[]): void {
    for (const { result, outcome } of measured) {
      if (outcome === 'invalid') for (const { code } of result.invalid) this.invalidCodes.add(code);
      this.#addSetUp(result);
      this.#addStart(result);
    }
    const started = measured.filter(({ result }) => result.start !== undefined);
    for (const together of groupBy(started, ({ result }) => startKey(result)).values()) {
      if (together.length > 1) this.commonStarts += 1;
    }
    const reporting = new Set(measured.map(({ result }) => result.deviceId));
    this.absentResults += this.#deviceIds.filter((deviceId) => !reporting.has(deviceId)).length;
  }

  /** What each kind of sandbox ran on, by sandbox and details. */
  get setUps(): SandboxSetUp[] {
    return [...this.#setUps]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { deviceIds, ...setUp }]) => ({ ...setUp, deviceIds: [...deviceIds].toSorted() }));
  }

  #addSetUp({ functionDigest, cell, sandboxDetails, deviceId }: TrialResult): void {
    if (functionDigest === undefined) return;
    const digests = this.digestsOf.get(cell.function) ?? new Set();
    this.digestsOf.set(cell.function, digests.add(functionDigest));
    const details = this.#textOf(sandboxDetails);
    const key = `${cell.sandbox}\n${details}`;
    const setUp = this.#setUps.get(key) ?? {
      sandbox: cell.sandbox,
      details,
      deviceIds: new Set(),
    };
    this.#setUps.set(key, setUp);
    setUp.deviceIds.add(deviceId);
  }

  /** Many results share their details, which are then turned into text once. */
  #textOf(details: TrialResult['sandboxDetails']): string {
    const known = this.#texts.get(details);
    if (known !== undefined) return known;
    const text = detailsText(details);
    this.#texts.set(details, text);
    return text;
  }

  #addStart({ start, deviceId }: TrialResult): void {
    if (start === undefined) return;
    this.schedulingClasses.add(start.schedulingClass);
    const { schedulingReason } = start;
    this.ordinaryReason ??= schedulingReason;
    const starts = schedulingReason === undefined ? this.otherStarts : this.ordinaryStarts;
    starts.deviceIds.add(deviceId);
    starts.latenessesNs.push(Number(start.latenessNs));
  }
}

/** Starts of one kind: whose they were, and how late. */
export interface Starts {
  readonly deviceIds: Set<string>;
  readonly latenessesNs: number[];
}

interface SetUp {
  readonly sandbox: string;
  readonly details: string;
  readonly deviceIds: Set<string>;
}

function detailsText(details: Readonly<Record<string, string>>): string {
  return Object.entries(details)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
