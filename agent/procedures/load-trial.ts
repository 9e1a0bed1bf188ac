import { readFileSync } from 'node:fs';
import { LockstepError } from '../../schemas/errors.ts';
import type { Cell } from '../../schemas/result.ts';
import { FUNCTION_PORT } from '../sandboxes/function-root.ts';
import type { Findings } from './findings.ts';
import type { InstanceLife } from './instance-life.ts';
import { LoadCeiling } from './load-ceiling.ts';
import { CONNECTING_MS, LoadGenerator } from './load-generator.ts';
import type { ClosedLoad, LoadTarget, OpenLoad } from './load-generator.ts';
import { byteRate, failuresOf, requestRate } from './load-report.ts';
import type { LoadReport } from './load-report.ts';
import type { ArmedProcedure, ProcedureContext } from './procedure.ts';
import { armTogether } from './together.ts';

/** One load of a trial, with what tells it from the others. */
export interface PlannedLoad {
  readonly load: ClosedLoad | OpenLoad;
  readonly label: 'connections' | 'rate';
  readonly value: number;
}

/** The loads of a trial, one after the other. */
export interface LoadPlan {
  readonly path: string;
  readonly loads: readonly PlannedLoad[];
  /** True: nothing is tried after the first load in which a request failed. */
  readonly stopAtFailure: boolean;
}

/**
 * Arms sandboxes that are started and called once as in a burst, and then put under one load after
 * the other. Several sandboxes share the connections of a load. A load that fails is what the
 * trial has found out, and no failure of it, unless no request was answered at all.
 *
 * @throws LockstepError TOOL_MISSING if there is no load generator, and what the driver throws.
 */
export async function armLoads(
  context: ProcedureContext,
  cell: Cell,
  plan: LoadPlan,
): Promise<ArmedProcedure> {
  const generator = LoadGenerator.among(context.tools);
  const ceiling = await LoadCeiling.prepare(context, generator);
  let armed: ArmedProcedure;
  try {
    armed = await armTogether(context, cell.instances, 'own-ready', {
      use: (lives, findings) =>
        new LoadTrial({ context, generator, ceiling, plan, lives, findings }).run(),
    });
  } catch (error) {
    ceiling.release();
    throw error;
  }
  return {
    targets: armed.targets,
    start: (requestAtMonoNs) =>
      armed.start(requestAtMonoNs).finally(() => {
        ceiling.release();
      }),
    standDown: () =>
      armed.standDown().finally(() => {
        ceiling.release();
      }),
  };
}

interface LoadTrialParts {
  readonly context: ProcedureContext;
  readonly generator: LoadGenerator;
  readonly ceiling: LoadCeiling;
  readonly plan: LoadPlan;
  readonly lives: readonly InstanceLife[];
  readonly findings: Findings;
}

class LoadTrial {
  readonly #parts: LoadTrialParts;
  #answered = 0;
  #mostCpuShare = 0;
  #firstFailure = '';

  constructor(parts: LoadTrialParts) {
    this.#parts = parts;
  }

  /** Runs the loads in order. */
  async run(): Promise<void> {
    const { ceiling, plan, findings } = this.#parts;
    const bodyBytes = await this.#askOnce();
    this.#noteConditions(bodyBytes);
    await ceiling.open(bodyBytes ?? 0, findings);
    try {
      for (const planned of plan.loads) {
        const report = await this.#runOne(planned, bodyBytes);
        const reason = this.#reasonToStop(report);
        if (reason === undefined) continue;
        findings.condition('load-stopped', `after ${nameOf(planned)}: ${reason}`);
        break;
      }
    } finally {
      await ceiling.close();
    }
    const share = `at most ${this.#mostCpuShare.toFixed(2)} processors`;
    findings.condition('load-generator-cpu', share);
    if (this.#answered > 0) return;
    throw new LockstepError(
      'FUNCTION_CRASHED',
      `no request of any load was answered: ${this.#firstFailure}`,
      { hint: 'Look at the log of the sandbox.' },
    );
  }

  /** Asks each sandbox once; the size of the answers, or undefined if they differ. */
  async #askOnce(): Promise<number | undefined> {
    const { lives, plan } = this.#parts;
    const answers = await Promise.all(lives.map((life) => life.ask(plan.path)));
    const sizes = new Set(answers.map(({ responseBytes }) => responseBytes));
    return sizes.size === 1 ? answers[0]?.responseBytes : undefined;
  }

  #noteConditions(bodyBytes: number | undefined): void {
    const { context, plan, lives, findings } = this.#parts;
    const size = bodyBytes === undefined ? 'any size' : `${bodyBytes} bytes`;
    findings.condition(
      'load',
      `GET ${plan.path}, HTTP/1.1 with keep-alive, without pipelining; a good answer has status ` +
        `200 and ${size}; from the runner's network to a ${context.driver.slotKind} slot`,
    );
    findings.condition(
      'load-processors',
      `processors ${onlineProcessors()} are shared by load generator, null server and ` +
        `${lives.length} sandboxes, each limited by quota to ${context.limits.cpus}`,
    );
  }

  async #runOne(planned: PlannedLoad, expectBytes: number | undefined): Promise<LoadReport> {
    const { context, generator, ceiling, lives, plan, findings } = this.#parts;
    const { load } = planned;
    const timeoutMs = context.readyTimeoutMs;
    const labels = { [planned.label]: String(planned.value) };
    const unloaded = await ceiling.measure(load, timeoutMs, { labels, findings });
    const target: LoadTarget = {
      addresses: lives.map((life) => `${life.record().address}:${FUNCTION_PORT}`),
      path: plan.path,
      timeoutMs,
      deadlineMs: load.durationMs + timeoutMs + CONNECTING_MS,
      ...(expectBytes === undefined ? {} : { expectBytes }),
    };
    const report = await generator.run(load, target, context.signal);
    this.#answered += report.requests.answered;
    const { userNs, systemNs } = report.cpu;
    const share = (userNs + systemNs) / Math.max(report.elapsedNs, 1);
    this.#mostCpuShare = Math.max(this.#mostCpuShare, share);
    this.#measure(report, labels, load.mode === 'open');
    this.#describe(planned, report, unloaded);
    return report;
  }

  #measure(report: LoadReport, labels: Record<string, string>, isOpen: boolean): void {
    const { findings } = this.#parts;
    findings.measure('load.requests', report.requests.answered, { labels });
    findings.measure('load.failures', failuresOf(report), { labels });
    if (isOpen) findings.measure('load.not_sent', report.requests.notSent, { labels });
    findings.measure('load.request_rate', requestRate(report), { labels });
    findings.measure('load.byte_rate', byteRate(report), { labels });
    for (const { quantile, ns } of report.latency?.quantiles ?? []) {
      const place = { labels: { ...labels, quantile: String(quantile) } };
      findings.measure('load.latency', ns, place);
    }
  }

  #describe(planned: PlannedLoad, report: LoadReport, unloaded: LoadReport | undefined): void {
    const { findings } = this.#parts;
    const name = `${planned.label}-${planned.value}`;
    if (failuresOf(report) > 0) {
      const text = describeFailures(report);
      if (this.#firstFailure === '') this.#firstFailure = text;
      findings.condition(`load-failures-${name}`, text);
    }
    const { load } = planned;
    const { attempted } = report.requests;
    if (load.mode === 'closed' && load.requests !== undefined && attempted < load.requests) {
      const text = `${attempted} of ${load.requests} requests in ${load.durationMs} ms`;
      findings.condition(`load-cut-${name}`, text);
    }
    if (report.lateness !== null) {
      const floor = describeQuantiles('latency of the null server', unloaded?.latency);
      const lateness = describeQuantiles('sent too late by', report.lateness);
      findings.condition(`load-lateness-${name}`, [lateness, floor].filter(Boolean).join('; '));
    }
  }

  #reasonToStop(report: LoadReport): string | undefined {
    const { plan, lives } = this.#parts;
    if (lives.every((life) => life.hasEnded)) return 'the sandbox has ended';
    return plan.stopAtFailure && failuresOf(report) > 0 ? 'requests failed' : undefined;
  }
}

function nameOf({ label, value }: PlannedLoad): string {
  return label === 'rate' ? `${value} requests per second` : `${value} connections`;
}

function describeFailures(report: LoadReport): string {
  const { failures, requests } = report;
  const classes = Object.entries(failures.byClass)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count]) => `${count} ${name}`);
  if (requests.unfinished > 0) classes.push(`${requests.unfinished} unfinished`);
  const { first } = failures;
  const begin = first === null ? '' : `first after ${toMs(first.atNs)} ms: ${first.text}; `;
  return `${begin}${classes.join(', ')} of ${requests.attempted} requests`;
}

function describeQuantiles(what: string, durations: LoadReport['latency'] | undefined): string {
  if (durations === undefined || durations === null) return '';
  const texts = durations.quantiles.map(({ quantile, ns }) => `${quantile}: ${toMs(ns)}`);
  return `${what}, ms by quantile: ${texts.join(', ')}`;
}

function toMs(ns: number): string {
  return String(Number((ns / 1e6).toPrecision(3)));
}

function onlineProcessors(): string {
  try {
    return readFileSync('/sys/devices/system/cpu/online', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
