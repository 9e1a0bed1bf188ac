import { gunzipSync } from 'node:zlib';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import { RunSampling } from '../../agent/run-sampling.ts';
import { SamplerClient } from '../../agent/sampler/client.ts';
import { decodeMessage } from '../../schemas/protocol.ts';
import { SampleBlock } from '../../schemas/telemetry.ts';
import type { TelemetryPlan } from '../../schemas/telemetry.ts';

const logger = pino({ level: 'silent' });
const UTC_MINUS_MONO_NS = 1_000_000_000_000n;

class Device {
  readonly samplers: SamplerClient[] = [];
  readonly kept: { sequence: number; block: SampleBlock }[] = [];
  readonly sampling: RunSampling;

  constructor(t: ExecutionContext, plan: TelemetryPlan) {
    this.sampling = new RunSampling(plan, {
      startSampler: async () => {
        const sampler = await SamplerClient.start({ logger });
        this.samplers.push(sampler);
        return sampler;
      },
      keepBlocks: (_trial, firstSequence, blocks) => {
        for (const [index, bytes] of blocks.entries()) {
          const value: unknown = JSON.parse(gunzipSync(bytes).toString());
          const block = decodeMessage(SampleBlock, value, 'the sampler');
          this.kept.push({ sequence: firstSequence + index, block });
        }
        return Promise.resolve();
      },
      exportMetrics: () => Promise.resolve(),
      logger,
    });
    t.teardown(() => this.sampling.close());
  }

  async trial(trialId: string, between: () => Promise<unknown>) {
    const trial = { runId: 'run', trialId, attempt: 1, deviceId: 'device-1' };
    await this.sampling.open({ trial, sandboxes: [] });
    this.sampling.begin(() => UTC_MINUS_MONO_NS);
    await between();
    return this.sampling.end([], UTC_MINUS_MONO_NS);
  }
}

test('a trial has a report, and as many blocks as that says', async (t) => {
  const device = new Device(t, { rateHz: 100, live: false });
  await device.sampling.warmUp();
  const record = await device.trial('t1', () => delay(150));
  if (record === undefined || 'failure' in record) return t.fail(JSON.stringify(record));
  t.true(record.rounds >= 2);
  t.is(record.blocks, device.kept.length);
  t.true(record.sources.some(({ source, samples }) => source === 'host-cpu' && samples > 0));
  t.true(device.kept.every(({ sequence, block }) => sequence === block.sequence));
  t.true(device.kept.every(({ block }) => block.trialId === 't1'));
});

test('a sampler that is killed costs the samples of that trial and not the next', async (t) => {
  const device = new Device(t, { rateHz: 50, live: false });
  const lost = await device.trial('t1', async () => {
    await delay(30);
    process.kill(device.samplers[0]!.processId!, 'SIGKILL');
    await delay(30);
  });
  t.regex(lost !== undefined && 'failure' in lost ? lost.failure : '', /sampler|SIGKILL/);
  const next = await device.trial('t2', () => delay(50));
  t.true(next !== undefined && !('failure' in next));
  t.is(device.samplers.length, 2);
});

test('an experiment that asks for none starts no sampler', async (t) => {
  const device = new Device(t, { rateHz: 0, live: false });
  await device.sampling.warmUp();
  t.is(await device.trial('t1', () => delay(1)), undefined);
  t.is(device.samplers.length, 0);
});

test('live samples are handed on while the trial runs, each once', async (t) => {
  const device = new Device(t, { rateHz: 100, live: true, sources: ['host-cpu'] });
  let during = 0;
  const record = await device.trial('t1', async () => {
    await delay(1600);
    during = device.kept.length;
  });
  t.true(during >= 1);
  t.true(record !== undefined && !('failure' in record) && record.blocks === device.kept.length);
  const stamps = device.kept.flatMap(({ block }) =>
    block.groups.flatMap(({ firstMonoNs, stepsNs }) => {
      let at = firstMonoNs;
      return [at, ...stepsNs.map((step) => (at += BigInt(step)))];
    }),
  );
  t.is(new Set(stamps).size, stamps.length);
  t.deepEqual(
    device.kept.map(({ sequence }) => sequence),
    [...device.kept.keys()],
  );
});

test('a trial that is given up leaves the sampler ready for the next', async (t) => {
  const device = new Device(t, { rateHz: 100, live: false });
  const trial = { runId: 'run', trialId: 't1', attempt: 1, deviceId: 'device-1' };
  await device.sampling.open({ trial, sandboxes: [] });
  device.sampling.begin(() => 0n);
  await device.sampling.abandon();
  t.is(device.kept.length, 0);
  const record = await device.trial('t2', () => delay(20));
  t.true(record !== undefined && !('failure' in record));
  t.is(device.samplers.length, 1);
});
