import test from 'ava';
import { parseHTML } from 'linkedom';
import { renderHtml } from '../../../coordinator/report/html.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { INVALID_CODES } from '../../../schemas/result.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import { makeRun } from '../../support/run-fixture.ts';
import type { RunFixture, RunFixtureOptions } from '../../support/run-fixture.ts';

interface PageElement {
  readonly textContent: string;
  getAttribute(name: string): string | null;
}

interface Page {
  querySelectorAll(selector: string): Iterable<PageElement>;
}

function pageOf({ run, plan, results }: RunFixture): { html: string; page: Page } {
  const html = renderHtml(run, plan, summarise(run, plan, results));
  const parse: (text: string) => { document: unknown } = parseHTML;
  return { html, page: parse(html).document as Page };
}

const pages = new Map<string, ReturnType<typeof pageOf>>();

/** The page of a run of this shape; made once, as nothing changes it. */
function pageOfShape(options: RunFixtureOptions = {}): ReturnType<typeof pageOf> {
  const key = JSON.stringify(options);
  const page = pages.get(key) ?? pageOf(makeRun(options));
  pages.set(key, page);
  return page;
}

function all(page: Page, selector: string): PageElement[] {
  return [...page.querySelectorAll(selector)];
}

const SHAPES: Readonly<Record<string, RunFixtureOptions>> = {
  'a sound run': {},
  'a run with failures': { failureRate: 0.2, invalidRate: 0.2 },
  'no results': { trialsDone: 0, state: 'failed' },
  'nothing but failures': { failureRate: 1, repetitions: 2 },
  'an interrupted run': { state: 'interrupted', trialsDone: 11 },
  'one repetition on one device': { repetitions: 1, agentsPerHost: [1] },
  'a burst on three hosts': { instances: [1, 6], repetitions: 3, agentsPerHost: [1, 2, 1] },
  'a warm call': { kind: 'warm-call', repetitions: 3 },
  'a no-op': { kind: 'no-op', repetitions: 3 },
  'waves, some devices without real-time scheduling': {
    agentsPerHost: [2, 2],
    waves: 2,
    ordinary: 1,
    repetitions: 2,
  },
  'more devices than colours': { agentsPerHost: [4, 4], repetitions: 2, skipped: 'gvisor' },
};

for (const [name, options] of Object.entries(SHAPES)) {
  test(`renderHtml of ${name} is whole and loads nothing`, (t) => {
    const { html, page } = pageOfShape(options);
    t.true(html.startsWith('<!doctype html>'));
    t.notRegex(html, /undefined|NaN|Infinity|\[object/);
    t.is(all(page, 'script, link, img, iframe, object, embed, form').length, 0);
    t.notRegex(html, /url\(|@import|src=/);
    const links = all(page, 'a').map((link) => link.getAttribute('href'));
    t.deepEqual(links, ['results.ndjson', 'plan.json', 'run.json']);
    const [policy] = all(page, 'meta[http-equiv]');
    t.regex(policy?.getAttribute('content') ?? '', /^default-src 'none'/);
    for (const id of ['cells', 'distributions', 'phases', 'start', 'method', 'environment']) {
      t.is(all(page, `h2#${id}`).length, 1, id);
    }
  });

  test(`renderHtml of ${name} names every plot for those who can't see it`, (t) => {
    const { page } = pageOfShape(options);
    for (const svg of all(page, 'svg')) {
      if (svg.getAttribute('aria-hidden') === 'true') continue;
      t.is(svg.getAttribute('role'), 'img');
      t.truthy(svg.getAttribute('aria-label'));
      t.truthy(svg.getAttribute('aria-description'));
    }
    const ids = all(page, '[id]').map((element) => element.getAttribute('id'));
    t.is(new Set(ids).size, ids.length);
  });
}

test('renderHtml draws a line per sandbox in a plot per function', (t) => {
  const { page } = pageOfShape();
  const plots = all(page, 'svg[aria-label^="Distribution"]');
  t.is(plots.length, 2);
  const lines = all(page, 'svg[aria-label^="Distribution"] g[data-mark="line"] path');
  t.is(lines.length, 8);
  t.true(lines.every((line) => (line.getAttribute('d') ?? '').length > 20));
});

test('renderHtml shows what devices say as text, never as markup', (t) => {
  const hostile = '</pre></style><script>alert(1)</script><img src=x onerror=alert(1)>"\'';
  const { run, plan, results } = makeRun({ repetitions: 1, failureRate: 1, invalidRate: 1 });
  const [first, ...others] = run.devices;
  const facts = { ...first!.presence.facts, hostname: hostile, cpuModel: hostile };
  const presence = { ...first!.presence, labels: { site: hostile }, facts };
  const changed = results.map((result): TrialResult => ({
    ...result,
    failure: { code: 'INTERNAL', message: hostile, hint: hostile },
    invalid: [{ code: 'leftover', message: hostile }],
    sandboxDetails: { version: hostile },
    instances: result.instances.map((instance) => ({ ...instance, logTail: hostile })),
  }));
  const { html, page } = pageOf({
    run: {
      ...run,
      devices: [{ ...first!, presence }, ...others],
      experiment: { ...run.experiment, question: hostile },
      failure: { code: 'INTERNAL', message: hostile },
      state: 'failed',
    },
    plan,
    results: changed,
  });
  t.is(all(page, 'script, img').length, 0);
  t.false(html.includes('<script'));
  t.false(html.includes('<img'));
  t.true(all(page, 'pre').every(({ textContent }) => textContent === hostile));
});

test('renderHtml shows every failed and invalid result with its reason, phase and log', (t) => {
  const fixture = makeRun({ failureRate: 0.3, invalidRate: 0.2, repetitions: 3 });
  const { page } = pageOf(fixture);
  const failed = fixture.results.filter(({ status }) => status === 'failed');
  const invalid = fixture.results.filter(
    ({ status, invalid: marks }) => status === 'ok' && marks.length > 0,
  );
  const boxes = all(page, '.exception').map(({ textContent }) => textContent);
  t.is(boxes.length, failed.length + invalid.length);
  const crashes = boxes.filter((text) => text.includes('FUNCTION_CRASHED'));
  t.is(crashes.length, failed.length);
  t.true(crashes.every((text) => text.includes('appMain')));
  t.true(crashes.every((text) => /goroutine 1|Its log stands in results\.ndjson/.test(text)));
  t.true(crashes.some((text) => text.includes('goroutine 1')));
  t.is(boxes.filter((text) => /^\s*invalid/.test(text)).length, invalid.length);
});

test('renderHtml shows each skipped cell with reason and remedy', (t) => {
  const { page } = pageOfShape({ skipped: 'gvisor' });
  const skipped = all(page, '.exception').map(({ textContent }) => textContent);
  t.is(skipped.length, 2);
  t.true(skipped.every((text) => text.includes('TOOL_MISSING') && text.includes('apt-get')));
});

test('renderHtml says plainly when agents share one host', (t) => {
  const plain = /run on one host \(host-1\)\..*not independent devices/s;
  t.regex(pageOfShape({ agentsPerHost: [3] }).html, plain);
  t.notRegex(pageOfShape({ agentsPerHost: [1, 1] }).html, plain);
});

test('renderHtml links the files that are there, and none that it does not know', (t) => {
  const { run, plan, results } = makeRun({ repetitions: 1 });
  const files = ['samples.parquet', 'run.json', 'secret.txt', 'run-fixture.tar.zst', '"><b>.tar'];
  const page = renderHtml(run, plan, summarise(run, plan, results), { files });
  const links = [...page.matchAll(/href="([^"]*)"/g)].map(([, name]) => name);
  t.deepEqual(links, ['samples.parquet', 'run.json', 'run-fixture.tar.zst']);
});

test('renderHtml gives the same page for the same run', (t) => {
  t.is(pageOfShape({ seed: 5 }).html, pageOfShape({ seed: 5 }).html);
});

test('renderHtml says of a warm call and of a no-op what their time is', (t) => {
  const warm = pageOfShape({ kind: 'warm-call', repetitions: 2 }).html;
  t.true(warm.includes('Warm call: first call of the trial to the last byte'));
  t.regex(warm, /from the first call to the last byte of the last response/);
  const noOp = pageOfShape({ kind: 'no-op', repetitions: 2 }).html;
  t.true(noOp.includes('No-op, which starts no sandbox: lateness of the start'));
  t.true(noOp.includes('A no-op starts no sandbox, so it has no phases.'));
  t.false(noOp.includes('Not ready after'));
});

test('renderHtml draws the distribution of a no-op with starts that came early', (t) => {
  const fixture = makeRun({ kind: 'no-op', sandboxes: ['process'], functions: ['hello-go'] });
  const results = fixture.results.map((result): TrialResult => {
    const start = { ...result.start!, latenessNs: result.start!.latenessNs - 40_000n };
    return { ...result, start };
  });
  const { html, page } = pageOf({ ...fixture, results });
  t.notRegex(html, /NaN|logarithmic/);
  const [plot] = all(page, 'svg[aria-label="Distribution of the lateness of the start, hello-go"]');
  t.regex(plot?.getAttribute('aria-description') ?? '', /process: -0\.\d+ to /);
});

test('renderHtml draws of a warm call the call only, and has its start in the table', (t) => {
  const { page } = pageOfShape({ kind: 'warm-call', repetitions: 2 });
  const [bars] = all(page, 'svg[aria-label^="Median time of each phase"]');
  t.regex(bars?.getAttribute('aria-description') ?? '', /call to first byte/);
  t.notRegex(bars?.getAttribute('aria-description') ?? '', /spawn|ready to call/);
  const heads = all(page, '[aria-label="Medians of the phases"] thead th');
  t.true(heads.some(({ textContent }) => textContent === 'ready to call'));
});

test('renderHtml says that a run had waves, and only then', (t) => {
  t.regex(
    pageOfShape({ agentsPerHost: [4], waves: 2, repetitions: 2 }).html,
    /<strong>2 waves<\/strong>, each simultaneous in\s+itself; the spread is within a wave/,
  );
  t.notRegex(pageOfShape({ repetitions: 2 }).html, /\bwaves?\b/);
});

test('renderHtml shows how devices went on from a barrier, and only if there is one', (t) => {
  const { page } = pageOfShape({ kind: 'warm-call', repetitions: 2 });
  const text = all(page, 'section[aria-labelledby="start"] p')
    .map(({ textContent }) => textContent)
    .find((one) => /^\s*Barrier\s+ready:/.test(one));
  t.regex(text ?? '', /spread of going on: median .*± [\d.]+ ms.* clock bound.*lateness: /s);
  t.notRegex(pageOfShape({ repetitions: 2 }).html, /Barrier/);
});

test('renderHtml has class, bounds, age, drift and brackets of each device', (t) => {
  const fixture = makeRun({ agentsPerHost: [1, 1], ordinary: 1, repetitions: 2 });
  const { page } = pageOf(fixture);
  const table = '[aria-label^="Scheduling and clocks"] tbody';
  const cells = all(page, `${table} th, ${table} td`).map(({ textContent }) => textContent);
  t.is(cells.length, 16);
  t.regex(
    cells.slice(0, 8).join(' | '),
    /^agent-1 \| SCHED_FIFO 10 \| 0\.1\d+ \| 0\.\d+ \| 40\.0 \| 1\.50 \| 100 % of 16 \| 0\.110$/,
  );
  t.is(cells[9], 'SCHED_OTHER 0; no real-time scheduling: not permitted');
});

test('renderHtml explains each mark that occurs, and no other', (t) => {
  const { page } = pageOfShape({ invalidRate: 0.5, repetitions: 2 });
  const terms = all(page, 'dl[aria-label="What the marks mean"] > *').map(({ textContent }) =>
    textContent.trim(),
  );
  t.deepEqual(terms, ['late-start', INVALID_CODES['late-start']]);
});
