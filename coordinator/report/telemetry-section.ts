import * as Plot from '@observablehq/plot';
import { groupBy } from '../analysis/measured-result.ts';
import type { Phase } from '../../schemas/result.ts';
import { PANELS_MAX } from './cell-names.ts';
import { figureGroup } from './figure.ts';
import { lineLegend, seriesLook } from './legend.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { plotSvg } from './plot-svg.ts';
import { printable } from './printable.ts';
import { thinned } from './thinning.ts';

/** What was sampled around one trial on one device, for the page. */
export interface TrialTelemetry {
  /** Why it is shown: the trial nearest the median of its cell, or the slowest. */
  readonly role: 'median' | 'worst';
  readonly trialId: string;
  readonly deviceId: string;
  readonly cellId: string;
  /** When each phase was reached, ms after the request. A phase not seen is absent. */
  readonly phases: Readonly<Partial<Record<Phase, number>>>;
  readonly series: readonly TelemetrySeries[];
}

/** One series of samples of one source. */
export interface TelemetrySeries {
  /** What it was read from, e.g. `cgroup`. */
  readonly source: string;
  readonly metric: string;
  readonly unit: string;
  /** Which of several, e.g. a processor. Absent if there is one. */
  readonly instance?: string;
  readonly points: readonly { readonly sinceRequestMs: number; readonly value: number }[];
}

/** More points of a line than this can't be told apart in a panel. */
const POINTS_MAX = 300;

/** Phases that are marked; more would hide the lines. */
const MARKED_PHASES: readonly Phase[] = ['request', 'appMain', 'firstByte', 'teardownBegin'];

const LOOKS = { median: seriesLook(0), worst: seriesLook(1) } as const;

/** Time series around the median and the worst trial of each cell, on one axis per metric. */
export function telemetrySection(telemetry: readonly TrialTelemetry[]): Markup {
  const cells = [...groupBy(telemetry, ({ cellId }) => cellId).entries()];
  const panels = cells.flatMap(([cellId, trials]) => panelsOf(cellId, trials));
  const shown = panels.slice(0, PANELS_MAX);
  return html`<section aria-labelledby="telemetry">
    <h2 id="telemetry">Around the median and the worst trial</h2>
    ${
      shown.length === 0
        ? html`<p>No samples were recorded with this run.</p>`
        : html`<ul class="quiet">
              ${telemetry.map(
                ({ role, trialId, deviceId, cellId }) =>
                  html`<li>${cellId}, ${role}: ${trialId} on ${deviceId}</li>`,
              )}
            </ul>
            ${figureGroup(shown, {
              legend: lineLegend([
                { name: 'median trial', look: LOOKS.median },
                { name: 'worst trial', look: LOOKS.worst },
              ]),
              caption: captionOf(panels.length - shown.length),
              isSmall: true,
            })}`
    }
  </section>`;
}

function captionOf(left: number): string {
  return (
    'Samples over the time since the request, ms. Upright lines, solid for the median trial and ' +
    `dashed for the worst: ${MARKED_PHASES.join(', ')}, in this order. Of dense samples the ` +
    'extremes are drawn.' +
    (left > 0 ? ` ${left} more series are in samples.parquet.` : '')
  );
}

function panelsOf(cellId: string, trials: readonly TrialTelemetry[]) {
  const lines = trials.flatMap((trial) => trial.series.map((series) => ({ trial, series })));
  const groups = groupBy(lines, ({ series }) =>
    [series.source, series.metric, series.instance ?? '', series.unit].join('\n'),
  );
  return [...groups.values()].flatMap((own) => {
    const [first] = own;
    if (first === undefined || own.every(({ series }) => series.points.length === 0)) return [];
    const { source, metric, instance, unit } = first.series;
    const which = instance === undefined ? '' : ` ${instance}`;
    const title = printable(`${cellId}: ${source} ${metric}${which}`);
    return [{ title, svg: drawPanel(title, printable(unit), own) }];
  });
}

interface Line {
  readonly trial: TrialTelemetry;
  readonly series: TelemetrySeries;
}

function drawPanel(title: string, unit: string, lines: readonly Line[]): Markup {
  const marks = lines.flatMap(({ trial, series }) => {
    const { colour, dash } = LOOKS[trial.role];
    const dashes = dash === undefined ? {} : { strokeDasharray: dash };
    const phases = MARKED_PHASES.flatMap((phase) => trial.phases[phase] ?? []);
    return [
      Plot.ruleX(phases, { stroke: colour, strokeOpacity: 0.45, ...dashes }),
      Plot.line(
        thinned(series.points, POINTS_MAX, ({ value }) => value),
        {
          x: 'sinceRequestMs',
          y: 'value',
          stroke: colour,
          strokeWidth: 1.8,
          ...dashes,
        },
      ),
    ];
  });
  return plotSvg({
    width: 340,
    height: 200,
    marginLeft: 56,
    marginRight: 12,
    marginBottom: 40,
    marginTop: 24,
    x: { label: 'ms since the request', labelAnchor: 'center', labelArrow: 'none', ticks: 5 },
    y: { label: unit, labelArrow: 'none', ticks: 4, grid: true, tickFormat: short, nice: true },
    marks,
    ariaLabel: `${title}, ${unit}, over the time since the request`,
    ariaDescription: lines.map(({ trial, series }) => describe(trial, series)).join('; '),
  });
}

const SHORT_NUMBER = new Intl.NumberFormat('en', {
  notation: 'compact',
  maximumSignificantDigits: 3,
});

/** A number for an axis: 1.5K, 20M, 0.25. */
function short(value: number): string {
  return SHORT_NUMBER.format(value);
}

function describe({ role, trialId }: TrialTelemetry, { points }: TelemetrySeries): string {
  let least = Infinity;
  let most = -Infinity;
  for (const { value } of points) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const range = points.length === 0 ? 'no samples' : `${least} to ${most}`;
  return `${role} trial ${trialId}: ${points.length} samples, ${range}`;
}
