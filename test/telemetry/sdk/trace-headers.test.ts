import test from 'ava';
import fc from 'fast-check';
import { INVALID_SPAN_CONTEXT } from '@opentelemetry/api';
import { readTraceParent, traceHeaders } from '../../../telemetry/sdk/trace-headers.ts';

const SPAN = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };

test('traceHeaders: W3C Trace Context, by names in lower case', (t) => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const span = { ...SPAN, traceFlags: 1 };
  t.deepEqual(traceHeaders(span, 'child'), { traceparent });
  t.deepEqual(traceHeaders(span, 'link'), { traceparent, 'lockstep-trace': 'link' });
  t.deepEqual(traceHeaders(INVALID_SPAN_CONTEXT, 'link'), {});
});

test('readTraceParent reads what traceHeaders wrote', (t) => {
  for (const relation of ['child', 'link'] as const) {
    const read = readTraceParent(traceHeaders({ ...SPAN, traceFlags: 1 }, relation));
    t.is(read!.relation, relation);
    t.is(read!.spanContext.traceId, SPAN.traceId);
    t.is(read!.spanContext.spanId, SPAN.spanId);
    t.true(read!.spanContext.isRemote);
  }
});

test('readTraceParent: what is not valid is no parent', (t) => {
  for (const traceparent of [
    '',
    'x',
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
    'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  ]) {
    t.is(readTraceParent({ traceparent }), undefined, traceparent);
  }
  t.is(readTraceParent({}), undefined);
  t.notThrows(() => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), fc.string(), (headers, traceparent) => {
        readTraceParent({ ...headers, traceparent });
      }),
    );
  });
});
