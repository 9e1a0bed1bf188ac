// Run by set-up.test.ts with variables that ask for exporters: tells by one line what the sink got
// and which sockets the process has after some turns of those exporters.
import { setTimeout as delay } from 'node:timers/promises';
import { observeHealth } from '../../../telemetry/sdk/health-instruments.ts';
import { startTelemetry } from '../../../telemetry/sdk/set-up.ts';
import { CollectingSink } from './collecting-sink.ts';

const sink = new CollectingSink();
const telemetry = await startTelemetry({
  service: 'lockstep-coordinator',
  resource: { 'device.id': 'd1' },
  sink,
  environment: process.env,
});
observeHealth(telemetry.meter, { 'lockstep.outbox.pending': () => [{ value: 3 }] });
telemetry.tracer.startSpan('one').end();
telemetry.logs?.emit({ body: 'one' });
await delay(500);
const sockets = process.getActiveResourcesInfo().filter((name) => /TCP|UDP|TLS/.test(name));
await telemetry.shutdown();
const payloads = sink.payloads.map(({ signal }) => signal).toSorted();
const resource = sink.spans()[0]?.resource;
process.stdout.write(`${JSON.stringify({ payloads, sockets, resource })}\n`);
