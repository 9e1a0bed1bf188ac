import test from 'ava';
import fc from 'fast-check';
import { renderMarkdown } from '../../../coordinator/report/markdown.ts';
import {
  markdownCode,
  markdownCodeSpan,
  markdownLine,
  markdownText,
} from '../../../coordinator/report/markdown-text.ts';
import { HOSTILE, makeHostileRun, makePages, makeTelemetry } from '../../support/report-pages.ts';
import { renderHtml } from '../../../coordinator/report/html.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { makeRun } from '../../support/run-fixture.ts';
import type { RunFixture } from '../../support/run-fixture.ts';

function pageOf({ run, plan, results }: RunFixture): string {
  return renderHtml(run, plan, summarise(run, plan, results), {
    telemetry: makeTelemetry('runc/hello-go/1'),
  });
}

test('renderMarkdown has every heading of the page, in its order and depth', (t) => {
  const page = pageOf(makeRun({ agentsPerHost: [1, 1], failureRate: 0.1 }));
  const headings = [...page.matchAll(/<h([12])[^>]*>([^]*?)<\/h\1>/g)].map(
    ([, level, text]) => `${'#'.repeat(Number(level))} ${text!.replaceAll(/\s+/g, ' ').trim()}`,
  );
  const { text } = renderMarkdown(page);
  const lines = text.split('\n').filter((line) => /^##? /.test(line));
  t.deepEqual(lines, headings);
});

test('renderMarkdown has the tables of the page, field by field', (t) => {
  const { text } = renderMarkdown(pageOf(makeRun()));
  const rows = text.split('\n').filter((line) => line.startsWith('| process, hello-go |'));
  t.true(rows.length >= 2);
  t.regex(rows[0]!, /^\| process, hello-go \| 30 \| 0 \| 0 \| 10 \| [\d.]+ \| \\\[[\d., ]+\\\] \|/);
  const tables = text.split('\n\n').filter((block) => block.startsWith('| '));
  for (const table of tables) {
    const widths = table.split('\n').map((line) => line.replaceAll('\\|', '').split('|').length);
    t.is(new Set(widths).size, 1, table.slice(0, 60));
  }
});

test('renderMarkdown names each figure once, by section and title', (t) => {
  for (const [name, page] of Object.entries(makePages())) {
    const { text, figures } = renderMarkdown(page);
    const names = figures.map((figure) => figure.name);
    t.is(new Set(names).size, names.length, name);
    t.true(names.every((file) => /^[a-z0-9][a-z0-9-]*\.svg$/.test(file)));
    t.deepEqual(
      [...text.matchAll(/\]\(figures\/([^)]+)\)/g)].map(([, file]) => file),
      names,
    );
  }
});

test('renderMarkdown makes figures that stand alone, in plain colours on a ground', (t) => {
  const { figures } = renderMarkdown(pageOf(makeRun({ agentsPerHost: [1, 1] })));
  for (const { svg } of figures) {
    t.regex(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="\d+" height="\d+" /);
    t.regex(svg, /<title id="title">[^<]+<\/title>\n<desc id="description">[^<]+<\/desc>/);
    t.regex(svg, /<rect width="\d+" height="\d+" fill="#ffffff"\/>/);
    t.notRegex(svg, /var\(|<style|where\(|undefined|NaN/);
  }
  for (const file of [
    'distributions-hello-go.svg',
    'cells-medians-of-the-time-to-first-byte.svg',
  ]) {
    const { svg } = figures.find(({ name }) => name === file)!;
    for (const sandbox of ['process', 'runc', 'gvisor', 'microvm']) {
      t.true(svg.includes(`>${sandbox}</text>`), `${sandbox} in the legend of ${file}`);
    }
  }
});

test('renderMarkdown shows what devices say as text, never as markup', (t) => {
  const { text } = renderMarkdown(pageOf(makeHostileRun()));
  const outsideCode = text
    .replaceAll(/^(```+)\n[^]*?\n\1$/gm, '')
    .replaceAll(/(?<!\\)`[^`]+(?<!\\)`/g, '');
  const markup = /.{0,20}(?:<\w|<\/|[^\\]\]\(https|[^\\*]\*\*b\*\*|[^\\]:\/\/).{0,20}/g;
  t.deepEqual(outsideCode.match(markup), null);
  t.true(text.includes(HOSTILE), 'as it is in a block of code');
});

test('markdownText escapes what would be markup, and nothing else', (t) => {
  t.is(markdownText('plain text, 5 < 6 & 7 > 3; a-b (c)!'), 'plain text, 5 < 6 & 7 > 3; a-b (c)!');
  t.is(markdownText('*a* _b_ `c` [d](e)'), '\\*a\\* \\_b\\_ \\`c\\` \\[d\\](e)');
  t.is(markdownText('<b>&lt;| <'), '&lt;b>&amp;lt;\\| &lt;');
  t.is(
    markdownText('https://example.org www.example.org a@b.c'),
    ['https\\://example.org', 'www\\.example.org', 'a\\@b.c'].join(' '),
  );
  t.is(markdownText('a\n# b\n\n- c'), 'a # b - c');
});

test('markdownLine lets text at the start of a line begin no block', (t) => {
  for (const [line, safe] of [
    ['# a', '\\# a'],
    ['- a', '\\- a'],
    ['> a', '\\> a'],
    ['=== ', '\\==='],
    ['12. a', '12\\. a'],
    ['3) a', '3\\) a'],
    ['3 a', '3 a'],
  ] as const) {
    t.is(markdownLine(line), safe);
  }
});

test('markdownCode and markdownCodeSpan have fences longer than any in the text', (t) => {
  t.is(markdownCode('a\n```\nb\n'), '````\na\n```\nb\n````');
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('`', 'a', '|', '\n') }), (text) => {
      const [fence = ''] = /^`+/.exec(markdownCode(text)) ?? [];
      const [ticks = ''] = /^`+/.exec(markdownCodeSpan(`a${text}`)) ?? [];
      const within = (mark: string): boolean =>
        [...text.matchAll(/`+/g)].some(([found]) => found.length >= mark.length);
      return !within(fence) && !within(ticks);
    }),
  );
});
