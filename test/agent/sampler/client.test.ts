import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { pino } from 'pino';
import { SamplerClient } from '../../../agent/sampler/client.ts';
import { rejection } from '../../support/rejection.ts';
import { decodedBlocks } from './decoded-samples.ts';

const ENTRY = join(import.meta.dirname, 'scripted/main.ts');
const TRIAL = { runId: 'r', trialId: 't', attempt: 1, deviceId: 'd' };

function start(memoryMaxBytes = 64 * 1024 * 1024): Promise<SamplerClient> {
  return SamplerClient.start({ logger: pino({ level: 'silent' }), entry: ENTRY, memoryMaxBytes });
}

test('take and end give each sample once, and the report counts them', async (t) => {
  const sampler = await start();
  t.teardown(() => sampler.close());
  t.is(sampler.place.schedulingClass, 'SCHED_OTHER 0');
  const sandboxes = [{ index: 0, id: 's', cgroup: { mode: 'none' } }] as const;
  await sampler.open({ trial: TRIAL, rateHz: 200, sandboxes, exportAs: {} });
  await sampler.begin();
  await delay(150);
  const soFar = await sampler.takeSoFar(0n);
  await delay(150);
  const { report, ...rest } = await sampler.end([], 0n);
  t.true(soFar.metrics.length > 0 && rest.metrics.length > 0);
  const blocks = decodedBlocks([...soFar.blocks, ...rest.blocks]);
  t.is(report.blocks, blocks.length);
  t.deepEqual(
    blocks.map(({ sequence }) => sequence),
    [...blocks.keys()],
  );
  const groups = blocks.flatMap((block) => block.groups);
  const all = groups.flatMap(({ series }) => series.flatMap(({ values }) => values));
  t.is(all.filter((value) => value !== null).length, report.samples);
  const counted = groups
    .filter(({ source }) => source === 'host-cpu')
    .flatMap(({ series }) => series[0]?.values ?? []);
  t.deepEqual(
    counted,
    counted.map((_, index) => index + 1),
  );
  t.true(groups.every(({ stepsNs }) => stepsNs.every((step) => step > 0)));
  const passing = report.sources.find(({ source }) => source === 'cgroup-cpu');
  t.is(passing?.samples, 3);
});

test('a full memory thins the samples and keeps the whole trial', async (t) => {
  const sampler = await start(200_000);
  t.teardown(() => sampler.close());
  await sampler.open({ trial: TRIAL, rateHz: 500, sources: ['host-disk'], sandboxes: [] });
  const beganAtNs = process.hrtime.bigint();
  await sampler.begin();
  await delay(600);
  const endedAtNs = process.hrtime.bigint();
  const { report, blocks } = await sampler.end([], 0n);
  t.true(report.thinnedBy > 1);
  const groups = decodedBlocks(blocks).flatMap((block) => block.groups);
  const firstNs = groups[0]!.firstMonoNs;
  const last = groups.at(-1)!;
  const lastNs = last.firstMonoNs + BigInt(last.stepsNs.reduce((sum, step) => sum + step, 0));
  t.true(firstNs > beganAtNs && firstNs < endedAtNs && lastNs >= endedAtNs);
});

test('begin before open is refused; a killed sampler is not alive', async (t) => {
  const sampler = await start();
  t.regex((await rejection(sampler.begin())).message, /no trial is open/);
  await sampler.open({ trial: TRIAL, rateHz: 1, sandboxes: [] });
  await sampler.begin();
  await sampler.abandon();
  const killed = rejection(sampler.begin().then(() => once(process, 'never')));
  process.kill(sampler.processId!, 'SIGKILL');
  await killed;
  await sampler.close();
  t.false(sampler.isAlive);
  t.regex((await rejection(sampler.abandon())).message, /the sampler is gone/);
});
