import test from 'ava';
import { describeEndpoint, readRelayEndpoints } from '../../../coordinator/cli/relay-endpoints.ts';

test('describeEndpoint says what goes where, and nothing that may be secret', async (t) => {
  const [settings, ...others] = await readRelayEndpoints({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example:4318/token-in-path',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=secret',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces.example:4317',
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc',
  });
  t.deepEqual(others, []);
  t.is(
    describeEndpoint(settings!),
    'env: traces to http://traces.example:4317 by grpc; ' +
      'metrics, logs to https://collector.example:4318 by http/protobuf',
  );
});

test('readRelayEndpoints finds none where no variable names one', async (t) => {
  t.deepEqual(await readRelayEndpoints({ OTEL_EXPORTER_OTLP_TIMEOUT: '1000' }), []);
});
