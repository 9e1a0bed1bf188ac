import test from 'ava';
import { Findings } from '../../../agent/procedures/findings.ts';
import { MEASUREMENTS_MAX } from '../../../schemas/measurement.ts';
import { TrialResult } from '../../../schemas/result.ts';

test('Findings stay within the bounds of a result and count what went over them', (t) => {
  const findings = new Findings();
  for (let call = 0; call < MEASUREMENTS_MAX + 5; call += 1)
    findings.measure('call.duration', call);
  for (let place = 0; place < 100; place += 1) findings.condition(`c${place}`, 'x'.repeat(1000));
  for (let place = 0; place < 100; place += 1) findings.mark('page-cache', 'x'.repeat(2000));
  const { measurements, conditions, invalid } = findings.toOutcome();
  const { shape } = TrialResult;
  t.is(shape.measurements.parse(measurements ?? []).length, MEASUREMENTS_MAX);
  t.truthy(shape.conditions.parse(conditions));
  t.truthy(shape.invalid.parse(invalid));
  t.regex(conditions?.['measurements-dropped'] ?? '', /^5;/);
});

test('Findings without a finding are absent', (t) => {
  t.deepEqual(new Findings().toOutcome(), {});
});
