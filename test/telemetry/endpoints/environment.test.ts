import test from 'ava';
import { LockstepError } from '../../../schemas/errors.ts';
import { endpointsFromEnvironment } from '../../../telemetry/endpoints/environment.ts';
import { EndpointSettings } from '../../../telemetry/endpoints/endpoint-settings.ts';

const P = 'OTEL_EXPORTER_OTLP_';

test('without an address, or with the SDK turned off, there is no endpoint', (t) => {
  t.deepEqual(endpointsFromEnvironment({}), []);
  t.deepEqual(endpointsFromEnvironment({ [`${P}ENDPOINT`]: '', [`${P}TIMEOUT`]: 'x' }), []);
  const off = { [`${P}ENDPOINT`]: 'http://a', OTEL_SDK_DISABLED: 'TRUE' };
  t.deepEqual(endpointsFromEnvironment(off), []);
});

test('variables of one signal go before those of all', (t) => {
  const [settings] = endpointsFromEnvironment({
    [`${P}ENDPOINT`]: 'https://a.example/x?k=1',
    [`${P}HEADERS`]: 'Authorization=Bearer%20t%3D%2C, b=c=d',
    [`${P}TRACES_ENDPOINT`]: 'http://b.example:4318/own',
    [`${P}TRACES_TIMEOUT`]: '500',
    [`${P}LOGS_PROTOCOL`]: 'grpc',
    [`${P}LOGS_ENDPOINT`]: 'c.example:4317',
    [`${P}LOGS_INSECURE`]: 'true',
    OTEL_METRICS_EXPORTER: 'otlp',
  });
  t.deepEqual(EndpointSettings.parse(settings), settings!);
  const { traces, metrics, logs } = settings!.routes;
  t.like(traces, { url: 'http://b.example:4318/own', timeoutMs: 500, protocol: 'http/protobuf' });
  t.like(metrics, { url: 'https://a.example/x/v1/metrics?k=1', timeoutMs: 10_000 });
  t.deepEqual(metrics?.headers, { authorization: 'Bearer t=,', b: 'c=d' });
  t.like(logs, { url: 'http://c.example:4317', protocol: 'grpc', compression: 'none' });
  const only = endpointsFromEnvironment({
    ...{ [`${P}ENDPOINT`]: 'http://a', OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' },
  });
  t.deepEqual(Object.keys(only[0]!.routes), ['metrics']);
});

test('every mistake is told with its variable, once, and without secrets', (t) => {
  const error = t.throws(
    () =>
      endpointsFromEnvironment({
        [`${P}ENDPOINT`]: 'ftp://user:hunter2@a',
        [`${P}HEADERS`]: 'authorization=hunter2,nonsense',
        [`${P}TIMEOUT`]: '10s',
        [`${P}PROTOCOL`]: 'http',
        [`${P}COMPRESSION`]: 'zstd',
        [`${P}INSECURE`]: 'yes',
        [`${P}CLIENT_KEY`]: '/key.pem',
      }),
    { instanceOf: LockstepError },
  );
  t.is(error.code, 'ENDPOINTS_INVALID');
  for (const name of ['ENDPOINT', 'HEADERS', 'TIMEOUT', 'PROTOCOL', 'COMPRESSION', 'INSECURE']) {
    t.is(error.message.split(P + name).length, 2, name);
  }
  t.true(error.message.includes(`${P}CLIENT_KEY`));
  t.false(`${error.message}${error.hint ?? ''}`.includes('hunter2'));
  t.true((error.hint ?? '').includes('http/protobuf, http/json, grpc'));
});
