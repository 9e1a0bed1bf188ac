import test from 'ava';
import { parseHTML } from 'linkedom';
import { renderHtml } from '../../../coordinator/report/html.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
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
  const html = renderHtml(run, plan, results, summarise(run, plan, results));
  const parse: (text: string) => { document: unknown } = parseHTML;
  return { html, page: parse(html).document as Page };
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
  'more devices than colours': { agentsPerHost: [4, 4], repetitions: 2, skipped: 'gvisor' },
};

for (const [name, options] of Object.entries(SHAPES)) {
  test(`renderHtml of ${name} is whole and loads nothing`, (t) => {
    const { html, page } = pageOf(makeRun(options));
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
    const { page } = pageOf(makeRun(options));
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
  const { page } = pageOf(makeRun());
  const plots = all(page, 'svg[aria-label^="Distribution"]');
  t.is(plots.length, 2);
  const lines = all(page, 'svg[aria-label^="Distribution"] g[aria-label="line"] path');
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
  t.true(crashes.every((text) => text.includes('appMain') && text.includes('goroutine 1')));
  t.is(boxes.filter((text) => /^\s*invalid/.test(text)).length, invalid.length);
});

test('renderHtml shows each skipped cell with reason and remedy', (t) => {
  const { page } = pageOf(makeRun({ skipped: 'gvisor' }));
  const skipped = all(page, '.exception').map(({ textContent }) => textContent);
  t.is(skipped.length, 2);
  t.true(skipped.every((text) => text.includes('TOOL_MISSING') && text.includes('apt-get')));
});

test('renderHtml says plainly when agents share one host', (t) => {
  const plain = /run on one host \(host-1\)\..*not independent devices/s;
  t.regex(pageOf(makeRun({ agentsPerHost: [3] })).html, plain);
  t.notRegex(pageOf(makeRun({ agentsPerHost: [1, 1] })).html, plain);
});

test('renderHtml gives the same page for the same run', (t) => {
  t.is(pageOf(makeRun({ seed: 5 })).html, pageOf(makeRun({ seed: 5 })).html);
});
