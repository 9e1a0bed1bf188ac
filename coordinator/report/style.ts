/**
 * The style of a report: light and dark by the reader's choice, light on paper. The series
 * colours keep a contrast of 3:1 to their background and differ in lightness too, so that they
 * tell apart without red or green; lines are dashed differently besides.
 */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --surface: #f6f7f9; --text: #1b1f24; --muted: #57606a; --line: #d0d7de;
  --link: #0550ae; --bad: #b42318; --warn-edge: #9a6700; --warn-fill: #fff8e1;
  --s1: #0067a5; --s2: #b85000; --s3: #00735c; --s4: #9a3d84; --s5: #5b5f66; --s6: #7a6200;
  --p1: #6e7781; --p2: #9a3d84; --p3: #d183bd; --p4: #0067a5; --p5: #00876c; --p6: #c96a12;
  --p7: #8f7a00; --p8: #2b3036; --p9: #1f3a63;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14181d; --surface: #1d232a; --text: #e6e9ed; --muted: #a3adb8; --line: #3a434d;
    --link: #79b8ff; --bad: #ff8f85; --warn-edge: #d4a72c; --warn-fill: #2b2613;
    --s1: #5ab4f0; --s2: #f0a15c; --s3: #43cba6; --s4: #e596d0; --s5: #b4bac2; --s6: #d8c04a;
    --p1: #8f99a4; --p2: #c583b4; --p3: #f0c3e3; --p4: #5ab4f0; --p5: #43cba6; --p6: #f0a15c;
    --p7: #d8c04a; --p8: #dde2e8; --p9: #6f83c4;
  }
}
@media print {
  :root {
    color-scheme: light;
    --page: #ffffff; --surface: #ffffff; --text: #000000; --muted: #444444; --line: #bbbbbb;
    --link: #000000; --bad: #8b0000; --warn-edge: #9a6700; --warn-fill: #ffffff;
    --s1: #0067a5; --s2: #b85000; --s3: #00735c; --s4: #9a3d84; --s5: #5b5f66; --s6: #7a6200;
    --p1: #6e7781; --p2: #9a3d84; --p3: #d183bd; --p4: #0067a5; --p5: #00876c; --p6: #c96a12;
    --p7: #8f7a00; --p8: #2b3036; --p9: #1f3a63;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif;
}
main, header, footer { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
footer { padding-bottom: 3rem; color: var(--muted); font-size: 0.875rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.25rem 0 1rem; text-wrap: balance; }
h2 {
  font-size: 1.2rem; margin: 2.75rem 0 0.75rem; padding-top: 0.75rem;
  border-top: 1px solid var(--line);
}
h3 { font-size: 1rem; margin: 1.5rem 0 0.5rem; }
p, ul, dl { margin: 0.5rem 0; max-width: 46rem; }
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
.multiples figure { flex: 0 1 500px; }
figure { margin: 1rem 0; max-width: 100%; break-inside: avoid; }
figure svg { display: block; max-width: 100%; height: auto; color: var(--text);
  --plot-background: var(--page); font-family: inherit; }
figure h3 { margin-top: 0; }
figure.wide { overflow-x: auto; }
figure.wide > svg { min-width: 40rem; }
.legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; list-style: none; padding: 0;
  margin: 0.5rem 0; font-size: 0.9rem; max-width: none; }
.legend li { display: flex; align-items: center; gap: 0.45rem; }
.legend svg { flex: none; }
@media print {
  body { font-size: 10.5pt; }
  main, header, footer { max-width: none; padding: 0; }
  pre { max-height: none; }
  .scroll { overflow: visible; }
  table { font-size: 8.5pt; }
  th, td { padding: 0.15rem 0.4rem; }
  h2, h3 { break-after: avoid; }
  tr { break-inside: avoid; }
}
`;
