/**
 * A device that has sampled: SERVER CREDENTIALS FOLDER USER POINTS. It encodes the points into a
 * spool and tells so; then, at the first line on its standard input, it sends them to NATS.
 */
import { once } from 'node:events';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { connectBus } from '../../../bus/connection.ts';
import { readCredentialFile } from '../../../bus/credential-file.ts';
import { encodeSamples } from '../../../telemetry/otlp/encode-samples.ts';
import type { SampleResource } from '../../../telemetry/otlp/encode-samples.ts';
import { Drainer } from '../../../telemetry/spool/drainer.ts';
import { NatsDestination } from '../../../telemetry/spool/nats-destination.ts';
import { openSpool } from '../../../telemetry/spool/spool.ts';

const SERIES = 20;
const POINTS_PER_PAYLOAD = 20_000;
const DEADLINE_MS = 600_000;

const [servers = '', credentials = '', folder = '', user = '', points = ''] = process.argv.slice(2);

/** Counters at 1 kHz, each tick a little more than the one before. */
function sampled(count: number): SampleResource {
  const startUtcNs = BigInt(Date.now() - count) * 1_000_000n;
  const utcNs = BigInt64Array.from({ length: count }, (_, index) => {
    return startUtcNs + BigInt(index) * 1_000_000n;
  });
  const series = Array.from({ length: SERIES }, (_, cpu) => {
    let usedSeconds = 0;
    const values = Float64Array.from({ length: count }, () => {
      usedSeconds += Math.round(Math.random() * 1000) / 1e6;
      return usedSeconds;
    });
    const attributes = { 'cpu.mode': 'user', 'cpu.logical_number': String(cpu) };
    return { metric: 'system.cpu.time' as const, attributes, startUtcNs, utcNs, values };
  });
  return { attributes: { 'service.name': 'lockstep-agent', 'host.name': user }, series };
}

const spool = await openSpool({ folder });
const resource = sampled(Math.floor(Number(points) / SERIES));
const beganAtMs = performance.now();
const compress = promisify(gzip);
for (const encoded of encodeSamples([resource], { pointsMax: POINTS_PER_PAYLOAD })) {
  const bytes = await compress(encoded.bytes, { level: constants.Z_BEST_SPEED });
  await spool.add({ signal: 'metrics', bytes, items: encoded.points });
}
const { pendingItems, pendingFiles, pendingBytes } = spool.statistics;
const spoolMs = performance.now() - beganAtMs;
const bus = await connectBus({
  servers,
  credentials: await readCredentialFile(credentials),
  name: user,
  user,
});
console.log(JSON.stringify({ pendingItems, pendingFiles, pendingBytes, spoolMs }));
await once(process.stdin, 'data');
const drainer = new Drainer(spool, new NatsDestination(bus));
drainer.start();
await drainer.flush(DEADLINE_MS);
await drainer.close();
await bus.close();
process.stdin.destroy();
