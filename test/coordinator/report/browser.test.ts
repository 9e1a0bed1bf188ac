// Reports in a real browser: what they are to people who can't see them, use a phone or print.
// LOCKSTEP_PAGES=FOLDER keeps the pages and a picture of each view there, to look at.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { renderMarkdown } from '../../../coordinator/report/markdown.ts';
import { Browser, findBrowser } from '../../support/browser.ts';
import { makePages } from '../../support/report-pages.ts';

const AXE = new URL('../../../node_modules/axe-core/axe.min.js', import.meta.url);
const PAGES = makePages();

/** All rules in one view; in the others those that depend on colours or width. */
const VIEWS = [
  { width: 1280, scheme: 'light', rules: undefined },
  { width: 1280, scheme: 'dark', rules: ['color-contrast', 'link-in-text-block'] },
  { width: 360, scheme: 'light', rules: ['target-size', 'scrollable-region-focusable'] },
] as const;

/** Plots are images with a name: the shapes within are checked on one page of all kinds. */
const PAGES_WITH_PLOTS_CHECKED = ['burst'];

const kept = process.env['LOCKSTEP_PAGES'];
const program = findBrowser();
let browser: Browser | undefined;
let axe = '';
let folder = '';

test.before(async () => {
  if (kept !== undefined) await mkdir(kept, { recursive: true });
  folder = kept ?? (await mkdtemp(join(tmpdir(), 'lockstep-pages-')));
  axe = await readFile(AXE, 'utf8');
  for (const [name, page] of Object.entries(PAGES)) await writeFile(fileOf(name), page);
  if (program !== undefined) browser = await Browser.start(program);
});

test.after.always(async () => {
  await browser?.end();
  if (kept === undefined) await rm(folder, { recursive: true, force: true });
});

function fileOf(name: string): string {
  return join(folder, `${name}.html`);
}

function urlOf(name: string): string {
  return pathToFileURL(fileOf(name)).href;
}

/** The browser; undefined where there is none, which the test then says. */
function browserFor(t: ExecutionContext): Browser | undefined {
  if (browser !== undefined) return browser;
  t.log('skipped: no Chromium; to add it, as root: apt-get install chromium');
  t.pass();
  return undefined;
}

interface Violation {
  readonly id: string;
  readonly targets: readonly string[];
}

/** What axe finds wrong with the page that is open; by default by all rules that it has on. */
async function violationsOf(
  shown: Browser,
  rules: readonly string[] | undefined,
  hasPlots: boolean,
): Promise<Violation[]> {
  if (!hasPlots) {
    const plots = 'document.querySelectorAll("svg[role=img]")';
    await shown.evaluate(`${plots}.forEach((plot) => plot.replaceChildren())`);
  }
  await shown.evaluate(`${axe};0`);
  const options = JSON.stringify({
    resultTypes: ['violations'],
    ...(rules === undefined ? {} : { runOnly: { type: 'rule', values: rules } }),
  });
  return shown.evaluate<Violation[]>(`axe.run(document, ${options}).then(({ violations }) =>
    violations.map(({ id, nodes }) => ({ id, targets: nodes.slice(0, 3).map((n) => n.html) })))`);
}

for (const name of Object.keys(PAGES)) {
  test.serial(`the ${name} report has no violation of accessibility in any view`, async (t) => {
    const shown = browserFor(t);
    if (shown === undefined) return;
    for (const { rules, ...view } of VIEWS) {
      await shown.open(urlOf(name), view);
      const isDark = await shown.evaluate('matchMedia("(prefers-color-scheme: dark)").matches');
      t.is(isDark, view.scheme === 'dark');
      if (kept !== undefined) {
        const file = `${name}-${view.width}-${view.scheme}.png`;
        await writeFile(join(kept, file), await shown.screenshot());
      }
      const hasPlots = rules === undefined && PAGES_WITH_PLOTS_CHECKED.includes(name);
      const found = await violationsOf(shown, rules, hasPlots);
      t.deepEqual(found, [], `${view.width} ${view.scheme}`);
    }
  });

  test.serial(`the ${name} report fits a phone and a screen without scrolling aside`, async (t) => {
    const shown = browserFor(t);
    if (shown === undefined) return;
    for (const width of [360, 1280]) {
      await shown.open(urlOf(name), { width, scheme: 'light' });
      const widest = await shown.evaluate<number>('document.documentElement.scrollWidth');
      t.true(widest <= width, `${widest} columns of ${width}`);
      const unreachable = await shown.evaluate<number>(`[...document.querySelectorAll('*')].filter(
        (one) => one.scrollWidth > one.clientWidth + 1 && one.tabIndex < 0 &&
          ['auto', 'scroll'].includes(getComputedStyle(one).overflowX)).length`);
      t.is(unreachable, 0, 'what scrolls can be reached by keyboard');
    }
  });
}

test.serial('a report on paper opens what is folded, and cuts no plot', async (t) => {
  const shown = browserFor(t);
  if (shown === undefined) return;
  await shown.open(urlOf('normal'), { width: 720, scheme: 'light', media: 'print' });
  const cut = await shown.evaluate<number>(`[...document.querySelectorAll('.plot, .scroll')].filter(
    (one) => one.scrollWidth > document.documentElement.clientWidth + 1).length`);
  t.is(cut, 0);
  const isShown = 'document.querySelector("details svg[role=img]").checkVisibility()';
  t.true(await shown.evaluate<boolean>(isShown));
  const pdf = await shown.pdf();
  t.is(pdf.subarray(0, 5).toString(), '%PDF-');
  const path = join(folder, 'normal.pdf');
  await writeFile(path, pdf);
  const text = await textOf(path);
  if (text === undefined) {
    t.log('the text of the PDF is not checked: no pdftotext');
    return;
  }
  const pages = text.split('\f').length - 1;
  t.true(pages >= 4 && pages <= 20, `${pages} pages`);
  for (const words of ['Answers', 'prefer the figures above', 'Raw data', 'as long as']) {
    t.true(text.toLowerCase().replaceAll(/\s+/g, ' ').includes(words.toLowerCase()), words);
  }
});

test.serial('every figure of a Markdown report is a drawing that stands by itself', async (t) => {
  const shown = browserFor(t);
  if (shown === undefined) return;
  const { figures } = renderMarkdown(PAGES['hostile']!);
  t.true(figures.length > 10);
  const wrong = await shown.evaluate<string[]>(`(async () => {
    const wrong = [];
    for (const { name, svg } of ${JSON.stringify(figures)}) {
      const parsed = new DOMParser().parseFromString(svg, 'image/svg+xml');
      if (parsed.querySelector('parsererror') !== null) wrong.push(name + ' is no XML');
      if (parsed.querySelector('script, img') !== null) wrong.push(name + ' has a script');
      const image = new Image();
      image.src = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
      await image.decode().catch(() => wrong.push(name + ' can not be drawn'));
    }
    return wrong;
  })()`);
  t.deepEqual(wrong, []);
});

async function textOf(pdf: string): Promise<string | undefined> {
  try {
    return (await promisify(execFile)('pdftotext', ['-layout', pdf, '-'])).stdout;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
