import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { frequencyKhz, measureTscKhz } from '../../../agent/sandboxes/guest-clock.ts';

test('frequencyKhz divides the ticks by the time, also across a full second', (t) => {
  const output = Buffer.alloc(48);
  [7n, 990_000_000n, 8n, 10_000_000n, 1_000n, 51_001_000n].forEach((value, index) =>
    output.writeBigInt64LE(value, index * 8),
  );
  t.is(frequencyKhz(output), 2_550_000);
});

test('measureTscKhz finds the same frequency twice, where there is a counter', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-clock-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  const first = await measureTscKhz(folder);
  if (process.arch !== 'x64') {
    t.is(first, undefined);
    return;
  }
  const second = await measureTscKhz(folder);
  t.true(first! > 100_000 && first! < 20_000_000, `${first} kHz`);
  t.true(Math.abs(first! / second! - 1) < 0.05, `${first} and ${second} kHz`);
});
