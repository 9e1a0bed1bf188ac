import test from 'ava';
import { Procedure, ProcedureKind } from '../../schemas/procedure.ts';
import { deadlineMs, durationOf } from '../../schemas/procedure-duration.ts';

function of(kind: ProcedureKind, parameters: Record<string, unknown> = {}): Procedure {
  return Procedure.parse({ kind, ...parameters });
}

test('every procedure has time for a sandbox that is late, and for one that answers late', (t) => {
  for (const kind of ProcedureKind.options) {
    const { fixedMs, timeouts, marginMs } = durationOf(of(kind), 1);
    t.true(timeouts >= 2, kind);
    t.true(fixedMs >= 0 && marginMs >= 0, kind);
    t.is(deadlineMs(of(kind), 1), fixedMs + timeouts * 30_000 + marginMs);
  }
});

test('each call may be late after its pause', (t) => {
  const procedure = of('warm', { calls: 7, pauseMs: 100, readyTimeoutMs: 1000 });
  t.is(deadlineMs(procedure, 1), 700 + (2 + 7) * 1000);
});

test('idle-memory has no more steps than sandboxes', (t) => {
  const procedure = of('idle-memory', { steps: 64, settleMs: 1000 });
  t.is(durationOf(procedure, 2).fixedMs, 2000);
  t.is(durationOf(procedure, 2).timeouts, 4);
  t.is(durationOf(procedure, 100).timeouts, 128);
});

test('what creates sandboxes while it goes has time for each batch of them', (t) => {
  const steps = of('idle-memory', { steps: 1 });
  t.true(durationOf(steps, 5).marginMs > durationOf(steps, 4).marginMs);
  t.true(durationOf(of('density'), 9).timeouts > 2 * 9);
  const [one, ten] = [1, 10].map((cycles) => deadlineMs(of('churn', { cycles }), 8));
  t.is(ten, 10 * (one ?? 0));
});

test('each load has its ceiling before it', (t) => {
  const loads = of('throughput', { connections: [1, 2, 4], durationMs: 5000 });
  t.is(durationOf(loads, 1).fixedMs, 3 * 6000);
  t.is(durationOf(of('open-loop', { durationMs: 100 }), 1).fixedMs, 200);
});
