import type { RunSummary } from '../analysis/run-summary.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Run } from '../../schemas/run.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { END_POINT_TEXTS, PROCEDURE_TEXTS } from './metric-texts.ts';
import { printable } from './printable.ts';
import { provenanceEntries } from './provenance-entries.ts';
import { samplingMethod } from './sampling-method.ts';

/** How the figures came about: procedure, end points, order, limits, budgets and statistics. */
export function methodSection(run: Run, plan: Plan, summary: RunSummary): Markup {
  const { experiment } = run;
  const { procedure, limits, budget } = experiment;
  const entries: [string, string][] = provenanceEntries(run, plan) ?? [
    ['Procedure', `${procedure.kind}: ${PROCEDURE_TEXTS[procedure.kind]}`],
    ['End points', `${END_POINT_TEXTS[procedure.kind]}. Stamped on the host, CLOCK_MONOTONIC, ns.`],
    ...(procedure.kind === 'no-op' ? [] : [readyEntry(procedure.readyTimeoutMs)]),
    ['Order', `${orderText(plan.order)}; seed ${plan.seed}`],
    ['Repetitions', `${experiment.repetitions} per cell, ${plan.trials.length} trials`],
    ['Devices', devicesText(summary)],
    ['Gang', gangText(experiment.gang)],
    ...(summary.start.waves > 1 ? [wavesEntry(summary.start.waves)] : []),
    [
      'Limits',
      `${limits.memoryMib} MiB and ${limits.cpus} ` +
        `${limits.cpus === 1 ? 'processor' : 'processors'} for each sandbox`,
    ],
    [
      'Invalid if',
      `started, or went on from a barrier, more than ${budget.latenessMs} ms late; clock bound ` +
        `above ${budget.clockBoundMs} ms; no clock probes after the trial; a clock stepped or ` +
        'fleet time changed during it; the measuring process stood still; or a sandbox left ' +
        'something behind',
    ],
    ['Fleet time', run.fleetTime ?? 'not set: no trial was dispatched'],
    ['Devices asked for', selectionText(run)],
  ];
  return html`<section aria-labelledby="method">
    <h2 id="method">Method</h2>
    <dl>
      ${entries.map(
        ([term, text]) =>
          html`<dt>${term}</dt>
            <dd>${printable(text)}</dd>`,
      )}
    </dl>
    ${samplingMethod(summary)} ${statistics()}
  </section>`;
}

function statistics(): Markup {
  return html`<h3>Statistics</h3>
    <ul>
      <li>
        The unit is one trial on one host: agents that share a machine and boot give one value
        together, the median over them, so that they do not narrow an interval.
      </li>
      <li>
        Median and p95: quantiles of type 7 (Hyndman and Fan, The American Statistician 50(4),
        1996). A p95 of fewer than 20 values lies close to the largest.
      </li>
      <li>
        95 % interval of the median: between two order statistics, free of any distribution, with
        exact coverage from the binomial (David and Nagaraja, Order Statistics, 2003, 7.1). It needs
        6 values; with fewer, none is given. It supposes that trials are independent.
      </li>
      <li>
        Two cells are called separable if their intervals do not overlap, which is stricter than a
        test at 5 %.
      </li>
      <li>
        Comparisons: ratio of two medians. On one host, a percentile bootstrap interval over its
        trials; on several, the geometric mean of the hosts' own ratios with Student's interval over
        their logarithms, because only hosts are independent of each other. A12, how often a value
        is the larger (Vargha and Delaney, J. Educ. Behav. Stat. 25(2), 2000); p of the rank sum
        test (Mann and Whitney, 1947), corrected over all comparisons of the run by Holm (Scand. J.
        Statist. 6, 1979).
      </li>
      <li>
        Failure rate: failures among attempts, with the score interval of Wilson (JASA 22, 1927)
        over trials on hosts.
      </li>
      <li>
        A failed result is an attempt without a latency. An invalid one is kept, shown and counted,
        and left out of the latency. Absent is absent, never 0. No value is dropped for its size.
      </li>
    </ul>`;
}

function readyEntry(readyTimeoutMs: number): [string, string] {
  return ['Not ready after', `${readyTimeoutMs} ms: the sandbox counts as failed`];
}

function wavesEntry(waves: number): [string, string] {
  return [
    'Waves',
    `${waves}: the devices are divided into as many parts, which do each trial one after the ` +
      'other; each part is simultaneous in itself',
  ];
}

function orderText(order: Plan['order']): string {
  return order === 'fixed'
    ? 'fixed: the same in every repetition'
    : 'randomised complete blocks: each repetition holds every cell once, in random order';
}

function gangText(gang: Run['experiment']['gang']): string {
  return gang === 'all'
    ? 'a trial starts only if every device is armed'
    : 'a trial starts with those devices that are armed';
}

function devicesText({ hosts }: RunSummary): string {
  const devices = hosts.reduce((sum, { deviceIds }) => sum + deviceIds.length, 0);
  const independent = hosts.length === 1 ? '1 host' : `${hosts.length} hosts`;
  return devices === hosts.length
    ? `${devices}, each on a host of its own`
    : `${devices} agents on ${independent}: agents on one host are not independent devices`;
}

function selectionText({ experiment }: Run): string {
  const labels = Object.entries(experiment.devices.labels).map(
    ([name, value]) => `${name}=${value}`,
  );
  const which = labels.length === 0 ? 'any' : `those with ${labels.join(', ')}`;
  return `${which}; at least ${experiment.devices.minimum}`;
}
