import test from 'ava';
import { renderMarkdown } from '../../../coordinator/report/markdown.ts';
import { studyHtml } from '../../../coordinator/report/study-page.ts';
import { studyText } from '../../../coordinator/report/study-text.ts';
import type { MeasuredExperiment } from '../../../coordinator/study/study-cell.ts';
import { studyReport } from '../../../coordinator/study/study-report.ts';
import type { StudyReport } from '../../../coordinator/study/study-report.ts';
import { unmeasuredExperiment } from '../../../coordinator/study/unmeasured-experiment.ts';
import { Experiment } from '../../../schemas/experiment.ts';
import { constructed } from './constructed-suite.ts';

const experiment = Experiment.parse({
  experiment: 'study-warm',
  question: 'How long does a call take?',
  procedure: { kind: 'warm' },
  factors: { sandbox: ['runc', 'microvm', 'nanos'], function: ['hello-go'] },
  repetitions: 2,
});

const coldStart = constructed('cold-start', { kind: 'cold-start' }, [
  { sandbox: 'microvm', about: { latency: 1000e6 }, setUp: 'accelerator tcg' },
  { sandbox: 'nanos', about: { latency: 280e6 } },
  { sandbox: 'process', about: { latency: 10e6 } },
  { sandbox: 'gvisor', unavailable: 'SANDBOX_UNAVAILABLE: no <b>runsc</b>' },
]);

function reportOf(experiments: readonly MeasuredExperiment[]): StudyReport {
  const names = experiments.map(({ name }) => name);
  const identity = { studyId: 'some-study', arm: 'quick', startedAtUtcMs: 1e12, names } as const;
  return studyReport(identity, experiments);
}

test('a row has our ratio beside the published one, to the same kind of machine', (t) => {
  const [section] = reportOf([coldStart]).sections;
  const row = section?.rows.find(({ cellId }) => cellId === 'nanos/hello-go/1');
  t.like(row, { status: 'filled', n: 11, reference: 'microvm', target: 'nanos', unit: 'ns' });
  t.true(Math.abs((row?.ratio?.ratio ?? 0) - 0.28) < 1e-9);
  t.deepEqual(row?.published?.interval, [0.269, 0.291]);
  const linux = section?.rows.find(({ cellId }) => cellId === 'microvm/hello-go/1');
  t.is(linux?.ratio, undefined);
  const bare = section?.rows.find(({ cellId }) => cellId === 'process/hello-go/1');
  t.is(bare?.published, undefined);
  t.true(Math.abs((bare?.ratio?.ratio ?? 0) - 0.01) < 1e-9);
});

test('no cell is missing: refused ones have the reason that is theirs, others were not run', (t) => {
  const refused = unmeasuredExperiment('warm', experiment, {
    code: 'NO_CELL',
    message:
      'no cell can be measured on every device:\n' +
      '  pi-1, sandbox runc: TOOL_MISSING: no runc\n  pi-1, sandbox nanos: TOOL_MISSING: no kernel',
  });
  t.deepEqual(
    refused.cells.map(({ status, reason }) => [status, reason]),
    [
      ['unavailable', 'NO_CELL: pi-1, sandbox runc: TOOL_MISSING: no runc'],
      ['unavailable', 'NO_CELL: no cell can be measured on every device:'],
      ['unavailable', 'NO_CELL: pi-1, sandbox nanos: TOOL_MISSING: no kernel'],
    ],
  );
  const wrong = unmeasuredExperiment('warm', experiment, { code: 'INTERNAL', message: 'a bug' });
  t.deepEqual([...new Set(wrong.cells.map(({ status }) => status))], ['failed']);
  const open = reportOf([coldStart, unmeasuredExperiment('warm', experiment)]);
  t.deepEqual(open.counts, { filled: 3, failed: 0, unavailable: 1, 'not-run': 3 });
});

test('page, text and Markdown say all cells, claims, stand-ins and the rule', (t) => {
  const report = reportOf([coldStart, unmeasuredExperiment('warm', experiment)]);
  const page = studyHtml(report);
  const texts = [page, studyText(report), renderMarkdown(page).text];
  for (const text of texts) {
    for (const { cellId } of report.sections.flatMap(({ rows }) => rows)) {
      t.true(text.includes(cellId), cellId);
    }
    for (const { id } of report.claims) t.true(text.includes(id), id);
    t.regex(text, /microvm for linux: QEMU and a small init/);
    t.regex(text, /not run yet/);
    t.regex(text, /12 claims: 0 reproduced, 0 not reproduced, 12 not measurable here/);
  }
  t.regex(page, /within a factor of 1\.5/);
  t.true(page.includes('no &lt;b&gt;runsc&lt;/b&gt;'));
  t.false(page.includes('<b>runsc'));
  t.false(/<script|https?:\/\//.test(page));
});

test('where less was done than in the study, the row says so', (t) => {
  const unlike = (name: string, procedure: Record<string, unknown>, quantity: string) => {
    const cell = { sandbox: 'microvm', about: { [quantity]: 32 } };
    return reportOf([constructed(name, procedure, [cell])]).sections[0]?.rows[0]?.unlike;
  };
  const fib = { kind: 'compute', work: 'fib' };
  t.is(
    unlike('cpu-fib', { ...fib, n: 1000 }, 'first call'),
    'fib of 1000, in the study of 1000000000',
  );
  t.is(unlike('cpu-fib', { ...fib, n: 1_000_000_000 }, 'first call'), undefined);
  t.is(unlike('cpu-fib', fib, 'first call'), undefined);
  const load = { kind: 'throughput', connections: [1, 32] };
  t.regex(unlike('network-simple', load, 'connection limit') ?? '', /^32 were the most tried/);
  t.is(unlike('network-simple', load, 'requests at 32'), undefined);
});
