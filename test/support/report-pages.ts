import { summarise } from '../../coordinator/analysis/summary.ts';
import { renderHtml } from '../../coordinator/report/html.ts';
import type { TrialTelemetry } from '../../coordinator/report/telemetry-section.ts';
import type { TrialResult } from '../../schemas/result.ts';
import { makeRun } from './run-fixture.ts';
import { makeReport } from './sample-blocks.ts';
import type { RunFixture } from './run-fixture.ts';

/** Text that a device may send, and that would be markup in HTML, SVG or Markdown. */
export const HOSTILE =
  '</pre></style><script>alert(1)</script><img src=x onerror=alert(1)>"\' | `a` **b** ' +
  '[c](https://example.org) & &lt; | # averyveryveryveryveryverylongwordwithoutanybreakinit';

/** Samples as the agents take them: dense, with a peak. */
export function makeTelemetry(cellId: string): TrialTelemetry[] {
  const shape = (peak: number) =>
    Array.from({ length: 500 }, (_, index) => ({
      sinceRequestMs: index * 2 - 100,
      value: index === 200 ? peak : peak * (0.3 + 0.1 * Math.sin(index / 20)),
    }));
  return (['median', 'worst'] as const).map((role, index) => ({
    role,
    trialId: `t000${index}`,
    deviceId: 'agent-1',
    cellId,
    phases: { request: 0, appMain: 120 + 200 * index, firstByte: 300 + 300 * index },
    series: [
      {
        source: 'cgroup-memory',
        metric: 'container.memory.usage',
        unit: 'By',
        instance: 'sandbox 0',
        points: shape(9 * 2 ** 20 * (1 + index)),
      },
      {
        source: 'temperature',
        metric: 'hw.temperature',
        attributes: { 'hw.id': 'thermal_zone0', 'hw.name': 'cpu' },
        unit: 'Cel',
        points: shape(60),
      },
      {
        source: 'host-cpu',
        metric: 'lockstep.host.runnable',
        unit: '{task}',
        points: shape(4),
      },
    ],
  }));
}

/** A run of which every text of a device is hostile, with failed and invalid results. */
export function makeHostileRun(): RunFixture {
  const fixture = makeRun({ repetitions: 4, failureRate: 0.3, invalidRate: 0.3 });
  const [first, ...others] = fixture.run.devices;
  const facts = { ...first!.presence.facts, hostname: HOSTILE, cpuModel: HOSTILE };
  const presence = { ...first!.presence, labels: { site: HOSTILE }, facts };
  return {
    plan: fixture.plan,
    run: {
      ...fixture.run,
      devices: [{ ...first!, presence }, ...others],
      experiment: { ...fixture.run.experiment, question: HOSTILE },
      failure: { code: 'INTERNAL', message: HOSTILE },
      state: 'failed',
    },
    results: fixture.results.map((result): TrialResult => ({
      ...result,
      sandboxDetails: { version: HOSTILE },
      invalid: result.invalid.map((mark) => ({ ...mark, message: HOSTILE })),
      ...(result.failure === undefined
        ? {}
        : { failure: { code: 'INTERNAL', message: HOSTILE, hint: HOSTILE } }),
      instances: result.instances.map((instance) =>
        instance.status === 'ok' ? instance : { ...instance, logTail: HOSTILE },
      ),
    })),
  };
}

/** A run as an import gives it: kinds of sandbox without a driver, and no start and no clock. */
export function makeImportedRun(): RunFixture {
  const fixture = makeRun({ agentsPerHost: [1], repetitions: 30, functions: ['go'] });
  const names: Readonly<Record<string, string>> = { process: 'nanos', microvm: 'linux' };
  const renamed = <T extends { sandbox: string }>(cell: T): T => ({
    ...cell,
    sandbox: names[cell.sandbox] ?? cell.sandbox,
  });
  const { plan, run, results } = fixture;
  return {
    run,
    plan: {
      ...plan,
      cells: plan.cells.map(renamed),
      trials: plan.trials.map((trial) => ({ ...trial, cell: renamed(trial.cell) })),
    },
    results: results.map((result): TrialResult => {
      const imported: TrialResult = {
        ...result,
        cell: renamed(result.cell),
        instances: result.instances.map((instance) => {
          const { request, firstByte } = instance.phases;
          return { ...instance, phases: { request, firstByte } };
        }),
      };
      delete imported.clock;
      delete imported.start;
      return imported;
    }),
  };
}

/** The same run, of which every result tells how it was sampled. */
function sampled({ run, plan, results }: RunFixture): RunFixture {
  const unavailable = 'the kernel has no counter of energy';
  const sources = [{ source: 'energy' as const, samples: 0, unavailable, remedy: 'none' }];
  const telemetry = makeReport({ sources, blocks: 0, thinnedBy: 2 });
  return { run, plan, results: results.map((result) => ({ ...result, telemetry })) };
}

/** The pages that every check of reports looks at. */
export function makePages(): Readonly<Record<string, string>> {
  const page = ({ run, plan, results }: RunFixture, telemetry: TrialTelemetry[] = []): string =>
    renderHtml(run, plan, summarise(run, plan, results), { telemetry });
  const hosts = Array.from({ length: 30 }, () => 1);
  return {
    normal: page(
      sampled(makeRun({ agentsPerHost: [1, 2, 1], repetitions: 6, failureRate: 0.05 })),
      makeTelemetry('runc/hello-go/1'),
    ),
    empty: page(makeRun({ trialsDone: 0, state: 'failed' })),
    hostile: page(makeHostileRun()),
    imported: page(makeImportedRun()),
    burst: page(makeRun({ instances: [1, 4, 16], functions: ['hello-go'], repetitions: 6 })),
    large: page(makeRun({ agentsPerHost: hosts, repetitions: 3, failureRate: 0.01 })),
  };
}
