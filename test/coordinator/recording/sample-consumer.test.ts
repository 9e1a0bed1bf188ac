import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import test from 'ava';
import { pino } from 'pino';
import { publishDurable } from '../../../bus/streams.ts';
import { SampleWait } from '../../../coordinator/dispatch/sample-wait.ts';
import { consumeSamples } from '../../../coordinator/recording/sample-consumer.ts';
import { Recorder } from '../../../coordinator/recording/recorder.ts';
import { SampleRecorder } from '../../../coordinator/recording/sample-recorder.ts';
import { writeParquet } from '../../../coordinator/store/write-parquet.ts';
import { samplesSubject, SAMPLES_STREAM } from '../../../schemas/subjects.ts';
import { sampleBlockKey } from '../../../schemas/telemetry.ts';
import type { SampleBlock } from '../../../schemas/telemetry.ts';
import { startTestBus } from '../../support/nats-server.ts';
import { makeRun } from '../../support/run-fixture.ts';
import { blockMessage, makeBlock, makeReport, partOf } from '../../support/sample-blocks.ts';
import { recordRun, temporaryData } from '../../support/temporary-run.ts';

const FIXTURE = makeRun({ sandboxes: ['process'], repetitions: 3, agentsPerHost: [1] });
const logger = pino({ level: 'silent' });

test('blocks that a device publishes are on disk once and gone from the stream', async (t) => {
  const bus = await startTestBus(t);
  const coordinator = await bus.connect({ role: 'coordinator', user: 'coordinator' });
  const [{ deviceId } = { deviceId: '' }] = FIXTURE.results;
  const device = await bus.connect({ role: 'device', user: deviceId });
  const data = await temporaryData(t);
  const folder = await recordRun(data, { ...FIXTURE, results: [] });
  const samples = new SampleRecorder(data, logger);
  const recorder = new Recorder(data, logger);
  const wait = new SampleWait({ recorder, samples }, FIXTURE.run.runId);
  const publish = (block: SampleBlock, id: string) =>
    publishDurable(device, samplesSubject(deviceId), blockMessage(block), { id });

  let listening = await consumeSamples(coordinator, samples, logger);
  await publish(makeBlock({ ...partOf(FIXTURE.results[0]!), runId: 'run-of-another' }), 'stray');
  for (const [index, result] of FIXTURE.results.entries()) {
    await recorder.record({ ...result, telemetry: makeReport({ blocks: 2 }) });
    for (const sequence of [0, 1]) {
      const block = makeBlock(partOf(result), { sequence });
      await publish(block, sampleBlockKey(block));
      // Beyond the window of the stream a block may be stored again.
      await publish(block, `${sampleBlockKey(block)} again`);
    }
    if (index !== 0) continue;
    // As if the coordinator was killed and started again.
    await listening.close();
    listening = await consumeSamples(coordinator, samples, logger);
  }
  t.teardown(() => listening.close());
  const told: string[] = [];
  const journal = { tell: (text: string) => told.push(text), event: () => Promise.resolve() };
  await wait.settle(journal, new AbortController().signal, 20_000);
  t.false(
    told.some((text) => text.includes('missing')),
    told.join(),
  );

  const manager = await jetstreamManager(coordinator.connection);
  const stored = async (): Promise<number> =>
    (await manager.streams.info(SAMPLES_STREAM)).state.messages;
  for (let tries = 0; tries < 200 && (await stored()) > 0; tries += 1) await delay(25);
  t.is(await stored(), 0);
  const { samples: counts } = await writeParquet(folder.folder);
  const blocks = 2 * FIXTURE.results.length;
  t.like(counts, { blocks, duplicates: 0, damaged: 0, rows: blocks * 4 * 20 });
  t.deepEqual(counts?.missing, { trials: 0, blocks: 0 });
});

test('SampleWait says which samples are missing, in words and as an event', async (t) => {
  const data = await temporaryData(t);
  await recordRun(data, { ...FIXTURE, results: [] });
  const samples = new SampleRecorder(data, logger);
  const recorder = new Recorder(data, logger);
  const wait = new SampleWait({ recorder, samples }, FIXTURE.run.runId);
  const [first, second] = FIXTURE.results;
  for (const result of [first!, second!]) {
    await recorder.record({ ...result, telemetry: makeReport({ blocks: 2 }) });
  }
  const block = makeBlock(partOf(first!));
  await samples.record({ subject: samplesSubject(block.deviceId), data: blockMessage(block) });
  const told: string[] = [];
  const events: unknown[] = [];
  const journal = {
    tell: (text: string) => told.push(text),
    event: (event: unknown) => Promise.resolve(void events.push(event)),
  };
  await wait.settle(journal, new AbortController().signal, 20);
  t.regex(told.at(-1)!, /^samples of 2 trials are missing/);
  t.deepEqual(events, [{ event: 'samples-missing', trials: 2, blocks: 3 }]);
});
