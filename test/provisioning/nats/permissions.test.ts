import test from 'ava';
import type { ExecutionContext } from 'ava';
import { openArtefactStore } from '../../../bus/artefact-store.ts';
import type { Bus } from '../../../bus/bus.ts';
import { openBucket } from '../../../bus/key-value.ts';
import {
  ensureStream,
  LEDGER,
  publishDurable,
  RESULTS,
  SAMPLES,
  TELEMETRY,
} from '../../../bus/streams.ts';
import { Device } from '../../../schemas/device.ts';
import {
  ARTEFACTS_BUCKET,
  BARRIER_WILDCARD,
  barrierSubject,
  BLOBS_BUCKET,
  commandSubject,
  controlSubject,
  DEVICES_BUCKET,
  inboxPrefix,
  ledgerSubject,
  presenceSubject,
  progressSubject,
  relayConsumer,
  resultSubject,
  samplesSubject,
  telemetrySubject,
  timeSubject,
} from '../../../schemas/subjects.ts';
import { SIGNALS } from '../../../telemetry/payload.ts';
import { startTestBus } from '../../support/nats-server.ts';
import type { TestBus } from '../../support/nats-server.ts';

const BLOBS = `OBJ_${BLOBS_BUCKET}`;
const NAMES = `KV_${ARTEFACTS_BUCKET}`;

async function preparedServer(t: ExecutionContext): Promise<TestBus> {
  const server = await startTestBus(t);
  const coordinator = await server.connect({ role: 'coordinator', user: 'coordinator' });
  await ensureStream(coordinator, RESULTS);
  await ensureStream(coordinator, LEDGER);
  await ensureStream(coordinator, SAMPLES);
  await ensureStream(coordinator, TELEMETRY);
  await openBucket(coordinator, { bucket: DEVICES_BUCKET, schema: Device });
  await openArtefactStore(coordinator);
  return server;
}

/** The subjects that the server refused the user to publish to, of those given. */
async function refusedPublications(bus: Bus, subjects: readonly string[]): Promise<string[]> {
  const refused: string[] = [];
  const stop = bus.onStatus((status) => {
    if (status.type !== 'error') return;
    const subject = /Publish to "([^"]+)"/.exec(status.error.message)?.[1];
    if (subject !== undefined) refused.push(subject);
  });
  for (const subject of subjects) bus.connection.publish(subject, 'x');
  await bus.flush(10_000);
  // The refusals were read before the answer to the flush; their listeners run a little later.
  await new Promise((resolve) => setTimeout(resolve, 20));
  stop();
  return refused;
}

async function refusedSubscriptions(bus: Bus, subjects: readonly string[]): Promise<string[]> {
  const refused: string[] = [];
  for (const subject of subjects) {
    try {
      const listening = await bus.respondRaw(subject, (bytes) => bytes);
      await listening.close();
    } catch {
      refused.push(subject);
    }
  }
  return refused;
}

const DEVICE_MAY_PUBLISH = [
  presenceSubject('d1'),
  resultSubject('d1'),
  samplesSubject('d1'),
  ...SIGNALS.map((signal) => telemetrySubject(signal, 'd1')),
  timeSubject('d1'),
  barrierSubject('d1'),
  `$JS.API.DIRECT.GET.${BLOBS}`,
  `$JS.API.DIRECT.GET.${BLOBS}.$O.${BLOBS_BUCKET}.M.eA==`,
  `$JS.API.DIRECT.GET.${NAMES}.$KV.${ARTEFACTS_BUCKET}.hello-go`,
  `$JS.API.STREAM.INFO.${BLOBS}`,
];
const DEVICE_MAY_NOT_PUBLISH = [
  presenceSubject('d2'),
  resultSubject('d2'),
  samplesSubject('d2'),
  ...SIGNALS.map((signal) => telemetrySubject(signal, 'd2')),
  telemetrySubject('metrics', 'coordinator_coordinator'),
  `${telemetrySubject('metrics', 'd1')}.x`,
  timeSubject('d2'),
  barrierSubject('d2'),
  barrierSubject('*'),
  commandSubject('d1', 'go'),
  commandSubject('d2', 'go'),
  controlSubject('submit'),
  progressSubject('r1'),
  ledgerSubject('r1'),
  `${inboxPrefix('d2')}.x`,
  `${inboxPrefix('coordinator_coordinator')}.x.y`,
  `$KV.${DEVICES_BUCKET}.d1`,
  `$KV.${ARTEFACTS_BUCKET}.hello-go`,
  `$O.${BLOBS_BUCKET}.C.x`,
  `$O.${BLOBS_BUCKET}.M.x`,
  '$JS.API.INFO',
  '$JS.API.STREAM.NAMES',
  '$JS.API.STREAM.CREATE.OWN',
  `$JS.API.STREAM.UPDATE.${RESULTS.name}`,
  `$JS.API.STREAM.PURGE.${RESULTS.name}`,
  `$JS.API.STREAM.PURGE.${BLOBS}`,
  `$JS.API.STREAM.DELETE.${RESULTS.name}`,
  `$JS.API.STREAM.MSG.GET.${RESULTS.name}`,
  `$JS.API.STREAM.MSG.DELETE.${BLOBS}`,
  `$JS.API.STREAM.INFO.${RESULTS.name}`,
  `$JS.API.DIRECT.GET.${RESULTS.name}`,
  `$JS.API.DIRECT.GET.${LEDGER.name}.${ledgerSubject('r1')}`,
  `$JS.API.DIRECT.GET.KV_${DEVICES_BUCKET}.$KV.${DEVICES_BUCKET}.d2`,
  `$JS.API.CONSUMER.CREATE.${RESULTS.name}`,
  `$JS.API.CONSUMER.CREATE.${BLOBS}`,
  `$JS.API.CONSUMER.CREATE.${BLOBS}.x`,
  `$JS.API.CONSUMER.DURABLE.CREATE.${RESULTS.name}.recorder`,
  `$JS.API.CONSUMER.MSG.NEXT.${RESULTS.name}.recorder`,
  `$JS.API.CONSUMER.DELETE.${RESULTS.name}.recorder`,
  `$JS.ACK.${RESULTS.name}.recorder.1.1.1.1.0`,
  `$JS.API.CONSUMER.CREATE.${TELEMETRY.name}`,
  `$JS.API.CONSUMER.MSG.NEXT.${TELEMETRY.name}.${relayConsumer('env')}`,
  `$JS.API.CONSUMER.DELETE.${TELEMETRY.name}.${relayConsumer('env')}`,
  `$JS.API.STREAM.PURGE.${TELEMETRY.name}`,
  `$JS.API.STREAM.MSG.GET.${SAMPLES.name}`,
  `$JS.ACK.${TELEMETRY.name}.${relayConsumer('env')}.1.1.1.1.0`,
  '$SYS.REQ.SERVER.PING',
];

test('a device publishes to its own subjects only', async (t) => {
  const server = await preparedServer(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  t.deepEqual(await refusedPublications(device, DEVICE_MAY_PUBLISH), []);
  t.deepEqual(await refusedPublications(device, DEVICE_MAY_NOT_PUBLISH), DEVICE_MAY_NOT_PUBLISH);
  t.true(device.isConnected);
  const other = await server.connect({ role: 'device', user: 'd2' });
  const ofD1 = DEVICE_MAY_PUBLISH.filter((subject) => subject.startsWith('lockstep.'));
  t.true(ofD1.includes(barrierSubject('d1')));
  t.deepEqual(await refusedPublications(other, ofD1), ofD1);
});

test('a device listens to its own commands and replies only', async (t) => {
  const server = await preparedServer(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const allowed = [commandSubject('d1', 'go'), commandSubject('d1', '*'), `${inboxPrefix('d1')}.>`];
  t.deepEqual(await refusedSubscriptions(device, allowed), []);
  const refused = [
    '>',
    'lockstep.>',
    '*.>',
    commandSubject('d2', 'go'),
    commandSubject('*', 'go'),
    presenceSubject('d2'),
    resultSubject('d1'),
    samplesSubject('d1'),
    telemetrySubject('metrics', 'd1'),
    telemetrySubject('*', '*'),
    timeSubject('*'),
    barrierSubject('d1'),
    barrierSubject('*'),
    controlSubject('*'),
    progressSubject('*'),
    '_INBOX.>',
    '_INBOX.*.>',
    `${inboxPrefix('d2')}.>`,
    `${inboxPrefix('coordinator_coordinator')}.>`,
    `$KV.${ARTEFACTS_BUCKET}.>`,
    `$O.${BLOBS_BUCKET}.>`,
    '$JS.>',
    '$SYS.>',
  ];
  t.deepEqual(await refusedSubscriptions(device, refused), refused);
});

test('a device answers each request once', async (t) => {
  const server = await preparedServer(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const coordinator = await server.connect({ role: 'coordinator', user: 'coordinator' });
  let inbox = '';
  device.connection.subscribe(commandSubject('d1', 'go'), {
    callback: (_error, received) => {
      inbox = received.reply ?? '';
      received.respond('first');
      return undefined;
    },
  });
  await device.flush(5000);
  await coordinator.requestRaw(commandSubject('d1', 'go'), Buffer.from('x'), 5000);
  t.deepEqual(await refusedPublications(device, [inbox]), [inbox]);
});

test('a device asks at its own barrier, and the coordinator answers it alone', async (t) => {
  const server = await preparedServer(t);
  const coordinator = await server.connect({ role: 'coordinator', user: 'coordinator' });
  const listening = await coordinator.respondRaw(BARRIER_WILDCARD, (_bytes, subject) =>
    Buffer.from(subject),
  );
  const answers: string[] = [];
  for (const user of ['d1', 'd2']) {
    const device = await server.connect({ role: 'device', user });
    const bytes = await device.requestRaw(barrierSubject(user), Buffer.from('x'), 5000);
    answers.push(Buffer.from(bytes).toString());
  }
  await listening.close();
  t.deepEqual(answers, [barrierSubject('d1'), barrierSubject('d2')]);
  for (const role of ['researcher', 'timekeeper'] as const) {
    const other = await server.connect({ role, user: role });
    t.deepEqual(await refusedPublications(other, [barrierSubject('d1')]), [barrierSubject('d1')]);
  }
});

test('a device stores its result, and nobody else does under its name', async (t) => {
  const server = await preparedServer(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const stored = await publishDurable(device, resultSubject('d1'), Buffer.from('x'), { id: 'a' });
  t.is(stored.sequence, 1);
  await t.throwsAsync(publishDurable(device, resultSubject('d2'), Buffer.from('x'), { id: 'b' }), {
    message: /refused/,
  });
});

test('a device stores its samples and telemetry, and nobody else does under its name', async (t) => {
  const server = await preparedServer(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  for (const [of, store] of [
    ['samples', samplesSubject],
    ['telemetry', (user: string) => telemetrySubject('metrics', user)],
  ] as const) {
    const own = publishDurable(device, store('d1'), Buffer.from('x'), { id: `own ${of}` });
    t.is((await own).sequence, 1);
    const foreign = publishDurable(device, store('d2'), Buffer.from('x'), { id: `other ${of}` });
    await t.throwsAsync(foreign, { message: /refused/ });
  }
});

test('a researcher controls and watches, and reaches no device and no stream', async (t) => {
  const server = await preparedServer(t);
  const researcher = await server.connect({ role: 'researcher', user: 'd1' });
  t.is(researcher.user, 'researcher_d1');
  t.deepEqual(await refusedPublications(researcher, [controlSubject('submit')]), []);
  const refused = [commandSubject('d1', 'go'), resultSubject('d1'), '$JS.API.STREAM.NAMES'];
  t.deepEqual(await refusedPublications(researcher, refused), refused);
  t.deepEqual(await refusedSubscriptions(researcher, [progressSubject('*')]), []);
  // The name of a device gives its inbox to nobody of another role.
  const inboxes = [`${inboxPrefix('d1')}.>`, presenceSubject('*')];
  t.deepEqual(await refusedSubscriptions(researcher, inboxes), inboxes);
});

test('a timekeeper answers clock probes and may start nothing', async (t) => {
  const server = await preparedServer(t);
  const timekeeper = await server.connect({ role: 'timekeeper', user: 'timekeeper' });
  t.deepEqual(await refusedSubscriptions(timekeeper, [timeSubject('*')]), []);
  const refused = [timeSubject('d1'), presenceSubject('d1'), commandSubject('d1', 'go'), 'x'];
  t.deepEqual(await refusedPublications(timekeeper, refused), refused);
  const notTime = [presenceSubject('*'), '>'];
  t.deepEqual(await refusedSubscriptions(timekeeper, notTime), notTime);
});
