import test from 'ava';
import { memorySection } from '../../../coordinator/report/memory-section.ts';
import { memoryLines, memoryRows } from '../../../coordinator/report/memory-table.ts';

const MIB = 2 ** 20;
const slope = (sandbox: string, mib: number) => ({
  sandbox,
  function: 'hello-go',
  n: 10,
  instances: [10, 100] as const,
  leastSquaresBytes: mib * MIB,
  theilSenBytes: (mib + 1) * MIB,
  theilSenInterval: { lower: mib * MIB, upper: (mib + 2) * MIB, coverage: 0.95 },
});

test('slopes are shown in MiB to three digits, smallest first', (t) => {
  t.deepEqual(memoryRows([slope('nanos', 161.62), slope('docker', 4.553)]), [
    ['docker', 'hello-go', '10', '10 to 100', '4.55', '5.55', '[4.55, 6.55]'],
    ['nanos', 'hello-go', '10', '10 to 100', '161.6', '162.6', '[161.6, 163.6]'],
  ]);
});

test('what is absent is a dash, and no slopes make no table', (t) => {
  const { sandbox, function: name, n, instances, leastSquaresBytes } = slope('osv', 32);
  const bare = { sandbox, function: name, n, instances, leastSquaresBytes };
  t.deepEqual(memoryRows([bare])[0]?.slice(-3), ['32.0', '-', '-']);
  t.deepEqual(memoryLines([]), []);
});

test('the page has a section of memory where there is any, and none elsewhere', (t) => {
  t.is(memorySection({}), undefined);
  t.regex(
    memorySection({ memory: [slope('osv', 32)] })?.markup ?? '',
    /Memory per sandbox.*32\.0/s,
  );
});
