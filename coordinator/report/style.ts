type Colours = Readonly<Record<string, string>>;

/**
 * Colours on a light ground: the page, series (`s`), and phases (`p`). Series and phases keep a
 * contrast of 3:1 to the ground, and differ under every kind of colour vision; lines are dashed
 * differently besides, points have symbols, and phases letters.
 */
export const LIGHT_COLOURS: Colours = {
  page: '#ffffff',
  surface: '#f6f7f9',
  text: '#1b1f24',
  muted: '#57606a',
  line: '#d0d7de',
  link: '#0550ae',
  bad: '#b42318',
  'warn-edge': '#9a6700',
  'warn-fill': '#fff8e1',
  s1: '#1171b2',
  s2: '#c85e11',
  s3: '#0e5632',
  s4: '#7e2877',
  s5: '#5e6469',
  s6: '#5f4900',
  p1: '#6a737b',
  p2: '#903b83',
  p3: '#c06fac',
  p4: '#046fb3',
  p5: '#2b9671',
  p6: '#d07119',
  p7: '#7a6100',
  p8: '#2b2c31',
  p9: '#183157',
};

/** The same on a dark ground. */
export const DARK_COLOURS: Colours = {
  page: '#14181d',
  surface: '#1d232a',
  text: '#e6e9ed',
  muted: '#a3adb8',
  line: '#3a434d',
  link: '#79b8ff',
  bad: '#ff8f85',
  'warn-edge': '#d4a72c',
  'warn-fill': '#2b2613',
  s1: '#0093dc',
  s2: '#eb9b5d',
  s3: '#4dcfa8',
  s4: '#e69bd5',
  s5: '#7d8a92',
  s6: '#e5cf4b',
  p1: '#969396',
  p2: '#c88abf',
  p3: '#e1bfeb',
  p4: '#58b5f1',
  p5: '#54dfb7',
  p6: '#ef9e5c',
  p7: '#dbc546',
  p8: '#e0e7ed',
  p9: '#6b80c2',
};

/** What differs on paper from the light page. */
const PAPER_COLOURS: Colours = {
  surface: '#ffffff',
  text: '#000000',
  muted: '#444444',
  line: '#bbbbbb',
  link: '#000000',
  bad: '#8b0000',
  'warn-fill': '#ffffff',
};

function declarations(colours: Colours): string {
  return Object.entries(colours)
    .map(([name, colour]) => `--${name}: ${colour};`)
    .join(' ');
}

/** The style of a report: light and dark by the reader's choice, light on paper. */
export const STYLE = `
:root { color-scheme: light dark; ${declarations(LIGHT_COLOURS)} }
@media (prefers-color-scheme: dark) {
  :root { ${declarations(DARK_COLOURS)} }
}
@media print {
  :root { color-scheme: light; ${declarations({ ...LIGHT_COLOURS, ...PAPER_COLOURS })} }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text); overflow-wrap: break-word;
  font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif;
}
main, header, footer { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
footer { padding-bottom: 3rem; color: var(--muted); font-size: 0.875rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.25rem 0 1rem; text-wrap: balance;
  overflow-wrap: anywhere; }
h2 {
  font-size: 1.2rem; margin: 2.75rem 0 0.75rem; padding-top: 0.75rem;
  border-top: 1px solid var(--line);
}
h3 { font-size: 1rem; margin: 1.5rem 0 0.5rem; }
p, ul, dl { margin: 0.5rem 0; max-width: 46rem; text-wrap: pretty; }
a { color: var(--link); }
.eyebrow, figcaption, .quiet { color: var(--muted); font-size: 0.9rem; }
.answer p { max-width: none; margin: 0.25rem 0; }
.answer {
  font-size: 1.1rem; margin: 1rem 0; padding: 0.5rem 1rem; max-width: none;
  border-left: 4px solid var(--s1); background: var(--surface);
}
.scroll { overflow-x: auto; max-width: 100%; margin: 0.75rem 0 1.5rem; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); padding-bottom: 0.35rem; }
/* A table wider than the window scrolls; its caption stays. */
caption span { display: block; position: sticky; left: 0;
  max-width: min(46rem, calc(100vw - 2.5rem)); }
th, td { padding: 0.3rem 0.7rem; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; }
thead th { border-bottom: 2px solid var(--line); vertical-align: bottom; }
tbody th { font-weight: 600; white-space: nowrap; }
th.number, td.number { text-align: right; }
td.number { white-space: nowrap; }
th.number { max-width: 7.5rem; }
td.bad { color: var(--bad); font-weight: 600; }
td.short { white-space: nowrap; }
code { font: 0.85em ui-monospace, 'DejaVu Sans Mono', monospace; overflow-wrap: anywhere; }
pre {
  font: 0.8rem/1.4 ui-monospace, 'DejaVu Sans Mono', monospace; margin: 0.35rem 0;
  padding: 0.5rem 0.75rem; background: var(--surface); border: 1px solid var(--line);
  max-height: 16rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere;
}
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: 0.25rem 1.25rem;
  max-width: none; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
.notes { list-style: none; padding: 0; max-width: none; }
.notes li { margin: 0.4rem 0; padding: 0.4rem 0.8rem; border-left: 4px solid var(--line);
  background: var(--surface); }
.notes li.warning { border-color: var(--warn-edge); background: var(--warn-fill); }
.exception { border: 1px solid var(--line); border-radius: 4px; padding: 0.6rem 0.9rem;
  margin: 0.6rem 0; break-inside: avoid; }
.exception h3 { margin: 0; }
.exception p { margin: 0.2rem 0; max-width: none; overflow-wrap: anywhere; }
.tag { color: var(--bad); }
.multiples { display: flex; flex-wrap: wrap; gap: 0 2rem; }
.multiples figure { flex: 0 1 500px; min-width: 0; }
.multiples.small { gap: 0 0.85rem; }
.multiples.small figure { flex-basis: 338px; margin: 0.5rem 0; }
.plot { overflow-x: auto; max-width: 100%; }
.sentences { max-width: none; }
.sentences li { margin: 0.25rem 0; }
details { margin: 1rem 0; }
summary { cursor: pointer; font-weight: 600; padding: 0.35rem 0; }
figure { margin: 1rem 0; max-width: 100%; break-inside: avoid; }
figure svg { display: block; max-width: 100%; height: auto; color: var(--text);
  --plot-background: var(--page); font-family: inherit; }
figure h3 { margin-top: 0; }
figure.wide .plot svg { min-width: 40rem; }
figure h3 { overflow-wrap: anywhere; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; list-style: none; padding: 0;
  margin: 0.5rem 0; font-size: 0.9rem; max-width: none; }
.legend li { display: flex; align-items: center; gap: 0.45rem; }
.legend svg { flex: none; }
@media print {
  body { font-size: 10.5pt; }
  main, header, footer { max-width: none; padding: 0; }
  pre { max-height: none; }
  .scroll { overflow: visible; }
  .eyebrow, figcaption, .quiet, .legend { font-size: 8.5pt; }
  table { font-size: 7.5pt; }
  caption span { max-width: none; }
  td.number, tbody th { white-space: normal; }
  th, td { padding: 0.12rem 0.3rem; }
  .plot { overflow: visible; }
  figure.wide .plot svg { min-width: 0; }
  /* Rows of a flexible box are torn from the legend above them. */
  .multiples { display: block; }
  .multiples figure { display: inline-block; width: 48%; vertical-align: top; }
  .multiples.small figure { width: 32%; }
  .legend { break-inside: avoid; }
  h2, h3, caption, .legend, summary { break-after: avoid; }
  h2 { margin-top: 1.5rem; }
  tr, .notes li, .exception { break-inside: avoid; }
  thead { display: table-header-group; }
  p, li { orphans: 3; widows: 3; }
  /* Paper can't be opened by a click. */
  details::details-content { content-visibility: visible; height: auto; }
  summary { list-style: none; }
}
@page { margin: 14mm 12mm; }
`;
