// What each plot of a report shows, and that none grows without bound.
import test from 'ava';
import { parseHTML } from 'linkedom';
import { durationStatistics } from '../../../coordinator/analysis/duration-statistics.ts';
import type { RunSummary } from '../../../coordinator/analysis/run-summary.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { devicePanels } from '../../../coordinator/report/device-panels.ts';
import { driftPlots } from '../../../coordinator/report/drift-plot.ts';
import { failurePlot } from '../../../coordinator/report/failure-plot.ts';
import { renderHtml } from '../../../coordinator/report/html.ts';
import { intervalPlot } from '../../../coordinator/report/interval-plot.ts';
import type { Markup } from '../../../coordinator/report/markup.ts';
import { studyForm } from '../../../coordinator/report/study-form.ts';
import { methodSection } from '../../../coordinator/report/method-section.ts';
import { samplingMethod } from '../../../coordinator/report/sampling-method.ts';
import { telemetrySection } from '../../../coordinator/report/telemetry-section.ts';
import { logTicks, valueAxis } from '../../../coordinator/report/value-axis.ts';
import { makeTelemetry } from '../../support/report-pages.ts';
import { makeReport } from '../../support/sample-blocks.ts';
import { makeRun } from '../../support/run-fixture.ts';
import type { RunFixture, RunFixtureOptions } from '../../support/run-fixture.ts';

interface Shape {
  readonly textContent: string;
  getAttribute(name: string): string | null;
}

function shapes(markup: Markup | undefined, selector: string): Shape[] {
  const parse: (text: string) => { document: unknown } = parseHTML;
  const text = `<!doctype html><html><body>${markup?.markup ?? ''}</body></html>`;
  const page = parse(text).document as {
    querySelectorAll(selector: string): Iterable<Shape>;
  };
  return [...page.querySelectorAll(selector)];
}

function descriptions(markup: Markup | undefined): string[] {
  return shapes(markup, 'svg[role=img]').map((svg) => svg.getAttribute('aria-description') ?? '');
}

function madeOf(options: RunFixtureOptions = {}): RunFixture & { summary: RunSummary } {
  const made = makeRun(options);
  return { ...made, summary: summarise(made.run, made.plan, made.results) };
}

test('intervalPlot has median, interval and p95 of each cell, those of a function together', (t) => {
  const plot = intervalPlot(madeOf().summary);
  t.is(shapes(plot, 'g[data-mark=dot] path, g[data-mark=dot] circle').length, 8 + 4);
  t.is(shapes(plot, 'g[data-mark=tick] line').length, 8);
  const rows = descriptions(plot)[0]!.split('; ');
  t.deepEqual(
    rows.map((row) => /, (hello-\w+):/.exec(row)?.[1]),
    [...Array<string>(4).fill('hello-go'), ...Array<string>(4).fill('hello-node')],
  );
  t.regex(rows[0]!, /^process, hello-go: median [\d.]+ ms \([\d.]+ to [\d.]+\), p95 [\d.]+$/);
});

test('intervalPlot says which cells have no interval, and is absent without values', (t) => {
  const plot = intervalPlot(madeOf({ repetitions: 3 }).summary);
  t.true(plot!.markup.includes('8 of 8 cells have too few values for an interval.'));
  t.is(intervalPlot(madeOf({ trialsDone: 0 }).summary), undefined);
});

test('failurePlot is drawn if something failed or is invalid, and only then', (t) => {
  t.is(failurePlot(madeOf().summary), undefined);
  const { summary } = madeOf({ failureRate: 0.2, invalidRate: 0.2 });
  const text = descriptions(failurePlot(summary))[0]!;
  const [cell] = summary.cells;
  t.true(text.includes(`${cell!.failures} failed and ${cell!.invalid} invalid of 30`));
});

test('failurePlot of many cells shows those with most failures', (t) => {
  const { summary } = madeOf({ repetitions: 1, failureRate: 1 });
  const [cell] = summary.cells;
  const cells = Array.from({ length: 60 }, (_, index) => ({
    ...cell!,
    cell: { ...cell!.cell, function: `f${index}` },
    failures: index % 2,
    attempts: 2,
  }));
  const plot = failurePlot({ cells });
  t.is(descriptions(plot)[0]!.split('; ').length, 40);
  t.is(descriptions(plot)[0]!.match(/ 1 failed/g)?.length, 30);
  t.true(plot!.markup.includes('20 are not drawn'));
});

test('devicePanels has a panel per host, the fastest first, and none for one host', (t) => {
  t.is(devicePanels(madeOf().summary), undefined);
  const plot = devicePanels(madeOf({ agentsPerHost: [1, 2, 1] }).summary);
  const titles = shapes(plot, 'h3').map(({ textContent }) => textContent);
  t.is(titles.length, 3);
  t.regex(titles[0]!, /^host-1 \(agent-1\): × 0\.\d\d$/);
  t.regex(titles[1]!, /^host-2 \(agent-2, agent-3\): × /);
});

test('devicePanels of many hosts draws the extremes and tells the rest', (t) => {
  const hosts = Array.from({ length: 40 }, () => 1);
  const { summary } = madeOf({ agentsPerHost: hosts, repetitions: 1, sandboxes: ['process'] });
  const plot = devicePanels(summary);
  const factors = shapes(plot, 'h3').map(({ textContent }) => Number(textContent.split('× ')[1]));
  t.is(factors.length, 24);
  t.deepEqual(
    factors,
    factors.toSorted((a, b) => a - b),
  );
  const rest = /the other 16 lie between ([\d.]+) and ([\d.]+) times/.exec(plot!.markup);
  t.true(Number(rest?.[1]) >= factors[11]! && Number(rest?.[2]) <= factors[12]!);
});

test('driftPlots shows values over the course with the edges of the blocks', (t) => {
  const { summary, plan } = madeOf({ repetitions: 20, functions: ['hello-go'] });
  const plots = driftPlots(summary, plan);
  t.is(shapes(plots, 'svg[role=img]').length, 4);
  const edges = shapes(plots, 'g[data-mark=rule] line').length;
  t.is(edges, 4 * (19 + 1), '19 edges and the line of the median in each');
  t.regex(descriptions(plots)[0]!, /^20 values; medians of neighbours in order, %: /);
});

test('driftPlots makes a slow beginning visible as a falling line', (t) => {
  const { summary, plan } = madeOf({ repetitions: 30, sandboxes: ['runc'] });
  const cells = summary.cells.map((cell) => ({
    ...cell,
    units: cell.units.map((unit) => ({
      ...unit,
      valueNs: cell.latency!.medianNs * (1.3 - (0.6 * unit.position!) / plan.trials.length),
    })),
  }));
  const [first] = descriptions(driftPlots({ ...summary, cells }, plan));
  const line = first!.split('%: ')[1]!.split(', ').map(Number);
  t.true(line.length >= 3);
  t.deepEqual(
    line,
    line.toSorted((a, b) => b - a),
  );
  t.true(line[0]! > 15 && line.at(-1)! < -15);
});

test('studyForm draws bars of means for one instance, and lines for more', (t) => {
  const bars = studyForm(madeOf().summary);
  t.is(shapes(bars, 'g[data-mark=bar] rect').length, 8);
  t.regex(bars!.markup, /<details>[^]*In the form of the study[^]*prefer the\s+figures above/);
  const lines = studyForm(madeOf({ instances: [1, 4, 8], functions: ['hello-go'] }).summary);
  t.is(shapes(lines, 'g[data-mark=line] path').length, 4);
  t.true(lines!.markup.includes('mean latency of the requests of one batch'));
  t.is(studyForm(madeOf({ kind: 'no-op', repetitions: 2 }).summary), undefined);
});

test('studyForm has the mean of all values of a cell', (t) => {
  const { summary } = madeOf({ sandboxes: ['runc'], functions: ['hello-go'] });
  const units = summary.cells[0]!.units;
  const mean = units.reduce((sum, { valueNs }) => sum + valueNs / 1e6, 0) / units.length;
  t.regex(descriptions(studyForm(summary))[0]!, new RegExp(`^runc: ${mean.toFixed(1)} ms \\(`));
});

test('telemetrySection says in one line that there are no samples', (t) => {
  const section = telemetrySection([]);
  t.is(shapes(section, 'p').length, 1);
  t.is(shapes(section, 'svg').length, 0);
});

test('telemetrySection draws the median and the worst trial in one panel per series', (t) => {
  const section = telemetrySection(makeTelemetry('runc/hello-go/1'));
  const panels = shapes(section, 'svg[role=img]');
  t.is(panels.length, 3);
  t.is(shapes(section, 'details svg[role=img]').length, 1);
  t.is(shapes(section, 'g[data-mark=line] path').length, 6);
  t.regex(
    descriptions(section)[0]!,
    /^median trial t0000: 500 samples, .* MiB; worst trial t0001: 500/,
  );
  const path = shapes(section, 'g[data-mark=line] path')[0]!.getAttribute('d')!;
  t.true(path.split(/[LM]/).length <= 303, 'dense samples are thinned');
  // The peak is the largest value of the series, and so the highest point of its line.
  t.regex(descriptions(section)[0]!, /to 9 MiB;/);
});

test('telemetrySection leaves a gap where there was no value', (t) => {
  const [median] = makeTelemetry('c');
  const [series] = median!.series;
  const broken = (length: number) =>
    Array.from({ length }, (_, index) => ({
      sinceRequestMs: index,
      value: index % 100 === 50 ? NaN : index,
    }));
  for (const length of [100, 1000]) {
    const section = telemetrySection([
      { ...median!, series: [{ ...series!, points: broken(length) }] },
    ]);
    const path = shapes(section, 'g[data-mark=line] path')[0]!.getAttribute('d')!;
    t.is(path.split('M').length - 1, 1 + length / 100);
  }
});

test('telemetrySection shows counters as rates, and first what tells most', (t) => {
  const [median] = makeTelemetry('c');
  const counter = (metric: string, processor: string, perMs: number) => ({
    source: 'host-cpu',
    metric,
    unit: 's',
    attributes: { 'cpu.logical_number': processor },
    points: Array.from({ length: 50 }, (_, ms) => ({ sinceRequestMs: ms, value: 7 + ms * perMs })),
  });
  const busy = ['0', '1', '2', '3'].map((processor) =>
    counter('lockstep.host.cpu.busy.time', processor, 1e-4 * Number(processor)),
  );
  const series = [counter('system.disk.io_time', 'x', 1e-3), ...busy];
  const section = telemetrySection([{ ...median!, series }]);
  // Of processors the two busiest; an idle one and what is looked at less can be opened.
  t.is(shapes(section, 'svg[role=img]').length, 5);
  t.is(shapes(section, 'details svg[role=img]').length, 3);
  t.regex(shapes(section, 'h3')[0]!.textContent, /busy\.time logical_number=2$/);
  t.regex(descriptions(section)[0]!, /49 samples, 20 to 20 % of the time$/);
});

test('telemetrySection shows names of series as text, and bounds how many it draws', (t) => {
  const [median] = makeTelemetry('c');
  const [series] = median!.series;
  const many = Array.from({ length: 60 }, (_, index) => ({ ...series!, metric: `<b>${index}` }));
  const section = telemetrySection([{ ...median!, series: many }]);
  t.is(shapes(section, 'svg[role=img]').length, 24);
  t.is(shapes(section, 'b').length, 0);
  t.true(section.markup.includes('36 more series are in samples.parquet.'));
});

test('samplingMethod tells rate, lateness, cost, and what was not sampled and why', (t) => {
  const { run, plan, results } = makeRun({ sandboxes: ['runc'], repetitions: 2 });
  const unavailable = 'no <b>counter</b>';
  const sources = [{ source: 'energy' as const, samples: 0, unavailable, remedy: 'Buy one' }];
  const telemetry = makeReport({ sources });
  const summary = summarise(
    run,
    plan,
    results.map((result) => ({ ...result, telemetry })),
  );
  const method = methodSection(run, plan, summary);
  t.is(shapes(method, 'b').length, 0);
  const text = shapes(method, 'section')[0]!.textContent.replaceAll(/\s+/g, ' ');
  t.regex(text, /100 Hz asked for; achieved 99\.9 % of it in the median result/);
  t.regex(text, /median 0\.060 ms, 99th percentile 0\.20 ms .*; the latest 0\.90 ms/);
  t.regex(text, /2\.0 % of one processor in the median result/);
  t.regex(text, /energy \(\d devices\): no <b>counter<\/b>\. Buy one\./);
  t.is(samplingMethod(summarise(run, plan, results)), undefined);
});

test('valueAxis is logarithmic for a wide range, and never for a lateness', (t) => {
  t.true(valueAxis(madeOf().summary)?.isLogarithmic);
  t.false(
    valueAxis(madeOf({ sandboxes: ['runc'], functions: ['hello-go'] }).summary)?.isLogarithmic,
  );
  t.false(valueAxis(madeOf({ kind: 'no-op', repetitions: 2 }).summary)?.isLogarithmic);
  t.is(valueAxis(madeOf({ trialsDone: 0 }).summary), undefined);
});

test('logTicks are round, in the range, and few enough', (t) => {
  t.deepEqual(logTicks([8, 120]), [10, 20, 50, 100]);
  t.deepEqual(logTicks([8, 120], 3), [10, 100]);
  t.deepEqual(logTicks([0.5, 2e9], 4), [1, 1000, 1e6, 1e9]);
});

test('renderHtml of very many values is a page of bounded size', (t) => {
  const { run, plan, summary } = madeOf({ repetitions: 2, functions: ['hello-go'] });
  const cells = summary.cells.map((cell) => {
    const units = Array.from({ length: 50_000 }, (_, index) => ({
      trialId: `t${index}`,
      attempt: 1,
      host: `host-${1 + (index % 100)}`,
      position: index,
      devices: 1,
      valueNs: cell.latency!.medianNs * Math.exp(0.3 * Math.sin(index * 7.77)),
    }));
    const latency = durationStatistics(units.map(({ valueNs }) => valueNs))!;
    return { ...cell, units, latency };
  });
  const hosts = Array.from({ length: 100 }, (_, index) => ({
    host: `host-${index + 1}`,
    deviceIds: [`agent-${index + 1}`],
  }));
  const page = renderHtml(run, plan, { ...summary, cells, hosts });
  t.true(page.length < 1.5e6, `${page.length} characters`);
  t.notRegex(page, /NaN|undefined/);
  t.true(page.includes('is drawn through 500 of its steps'));
  t.true(page.includes('Of neighbours only the extremes are drawn'));
});
