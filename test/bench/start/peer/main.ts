import { text } from 'node:stream/consumers';
import { connectBus } from '../../../../bus/connection.ts';
import { readCredentialFile } from '../../../../bus/credential-file.ts';
import {
  Fire,
  FIRE_SUBJECT,
  Fired,
  FIRED_SUBJECT,
  Sample,
  SAMPLE_SUBJECT,
} from '../peer-messages.ts';

// A device as others do it: SERVER CREDS NAME PAIR. It starts when a message comes, or, if the
// message names an instant of the wall clock, at that instant by a timer; the difference of the
// wall clocks is then known from one round trip. Its own wall clock is off by WALL_OFFSET_MS, as
// those of two machines are, whose milliseconds do not even begin together.
const [server = '', creds = '', name = '', pair = '', wallOffsetMs = '0'] = process.argv.slice(2);
const bus = await connectBus({
  servers: server,
  credentials: await readCredentialFile(creds),
  name,
  user: 'coordinator',
});

/** This device's wall clock, to the millisecond. */
function wallClockMs(): number {
  return Math.floor(performance.timeOrigin + performance.now() + Number(wallOffsetMs));
}

/** Coordinator's wall clock minus own, ms, by one request. */
async function sampleWallClock(): Promise<number> {
  const sentAtMs = wallClockMs();
  const { nowUtcMs } = await bus.request(SAMPLE_SUBJECT, Sample, {}, { timeoutMs: 5000 });
  return nowUtcMs - (sentAtMs + wallClockMs()) / 2;
}

const own = new Map<number, number>();
await bus.subscribe(`${FIRE_SUBJECT}.${pair}`, Fire, async ({ trial, step, startAtUtcMs }) => {
  if (step === 'sample') {
    own.set(trial, await sampleWallClock());
    return;
  }
  if (startAtUtcMs !== undefined) {
    const differenceMs = own.get(trial) ?? 0;
    const leftMs = startAtUtcMs - differenceMs - wallClockMs();
    await new Promise((resolve) => setTimeout(resolve, leftMs));
  }
  const atMonoNs = process.hrtime.bigint();
  bus.publish(FIRED_SUBJECT, Fired, { trial, name, atMonoNs });
});
// Says that it is there.
bus.publish(FIRED_SUBJECT, Fired, { trial: 0, name, atMonoNs: process.hrtime.bigint() });
// The parent ends it by closing its standard input.
await text(process.stdin);
process.exit();
