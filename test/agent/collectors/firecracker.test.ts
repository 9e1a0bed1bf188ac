// Composed after Firecracker's docs/metrics.md and the comments in its logger; no Firecracker has
// run for these tests.
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { SYSTEM_ROOTS } from '../../../agent/collectors/collector.ts';
import type { SandboxTarget } from '../../../agent/collectors/collector.ts';
import { firecracker } from '../../../agent/collectors/firecracker.ts';
import { FirecrackerSums } from '../../../agent/collectors/firecracker-metrics.ts';
import { withFileTree } from './file-tree.ts';
import { line, slow } from './opened.ts';

const COMPOSED = join(
  import.meta.dirname,
  '../../fixtures/collectors/firecracker-composed/metrics.ndjson',
);
const [FIRST = '', SECOND = ''] = (await readFile(COMPOSED, 'utf8')).split('\n');

function targetOf(folder: string): SandboxTarget {
  const metricsFile = join(folder, 'metrics');
  return {
    index: 0,
    id: 's0',
    cgroup: { mode: 'v2', processes: folder },
    vmm: { vcpus: 1, vcpuThreadPrefix: 'fc_vcpu ', metricsFile },
  };
}

test('FirecrackerSums adds up what lines add, and keeps what they state', (t) => {
  const sums = new FirecrackerSums();
  sums.add(FIRST);
  sums.add(SECOND);
  const lines = sums.readings().map(line);
  const has = (...expected: string[]) => {
    for (const one of expected) t.true(lines.includes(one), one);
  };
  has(
    'lockstep.firecracker.count vcpu exit_io_in 42',
    'lockstep.firecracker.count vcpu exit_io_in_agg.sum_us 95',
    'lockstep.firecracker.count vcpu failures 0',
    'lockstep.firecracker.count block read_bytes 53248',
    'lockstep.firecracker.count block_rootfs read_count 13',
    // These are told whole each time.
    'lockstep.firecracker.count seccomp num_faults 1',
    'lockstep.firecracker.count signals sigbus 0',
    // And this is not.
    'lockstep.firecracker.count signals sigpipe 3',
    'lockstep.firecracker.latency vcpu exit_io_in_agg.min_us 0.000001',
    'lockstep.firecracker.latency block read_agg.max_us 0.00012',
    'lockstep.firecracker.latency latencies_us pause_vm 0.0009',
    'lockstep.firecracker.latency latencies_us resume_vm 0.00145',
    'lockstep.firecracker.latency api_server process_startup_time_us 0.008231',
  );
});

test('FirecrackerSums has no zeros for what is not there or never happened', (t) => {
  const sums = new FirecrackerSums();
  sums.add(FIRST);
  const components = () =>
    new Set(sums.readings().map(({ attributes }) => attributes?.['lockstep.component']));
  for (const absent of ['balloon', 'net', 'vsock', 'properties']) {
    t.false(components().has(absent), absent);
  }
  const lines = sums.readings().map(line).join('\n');
  t.notRegex(lines, /exit_mmio_write_agg\.(?:min|max)_us|full_create_snapshot|pause_vm/);
  // What has counted something is there.
  sums.add(SECOND);
  t.true(components().has('balloon'));
  sums.add('{"utc_timestamp_ms":1,"net":{"tx_bytes_count":0},"net_eth0":{"tx_bytes_count":0}}');
  t.true(components().has('net') && components().has('net_eth0'));
});

test('FirecrackerSums refuses what is no line of metrics', (t) => {
  const sums = new FirecrackerSums();
  for (const text of [
    'x',
    '7',
    '{"vcpu":{"exit_io_in":1}}',
    '{"utc_timestamp_ms":1,"vcpu":{"exit_io_in":-1}}',
    '{"utc_timestamp_ms":1,"vcpu":{"exit_io_in":"1"}}',
  ]) {
    t.throws(() => {
      sums.add(text);
    });
  }
  t.deepEqual(sums.readings(), []);
});

test('firecracker reads on where it stopped, and the last line after the end', async (t) => {
  await withFileTree({ 'cgroup.procs': '' }, async (_, folder) => {
    const processes = join(folder, 'cgroup.procs');
    const metrics = join(folder, 'metrics');
    const source = slow(firecracker.open(targetOf(folder), SYSTEM_ROOTS));
    const exits = async () => {
      const readings = await source.read();
      if (typeof readings === 'string') return readings;
      return readings.find(({ attributes }) => attributes?.['lockstep.stat'] === 'exit_io_in')
        ?.value;
    };
    t.is(await exits(), 'absent');
    await writeFile(processes, `${process.pid}\n`);
    t.is(await exits(), 'absent');
    await writeFile(metrics, FIRST.slice(0, 100));
    t.is(await exits(), 'absent');
    await appendFile(metrics, `${FIRST.slice(100)}\n`);
    t.is(await exits(), 40);
    t.is(await exits(), 'absent');
    await writeFile(processes, '');
    await appendFile(metrics, `${SECOND}\n`);
    t.is(await exits(), 42);
    t.is(await exits(), 'ended');
    await source.close();
  });
});

test('firecracker refuses a pipe without waiting for its writer', async (t) => {
  await withFileTree({ 'cgroup.procs': `${process.pid}\n` }, async (_, folder) => {
    execFileSync('mkfifo', [join(folder, 'metrics')]);
    const source = slow(firecracker.open(targetOf(folder), SYSTEM_ROOTS));
    await t.throwsAsync(source.read(), { message: /no regular file/ });
    await source.close();
  });
});

test('firecracker says that another VMM writes no such file', (t) => {
  const { index, id, cgroup } = targetOf('/nowhere');
  t.true('unavailable' in firecracker.open({ index, id, cgroup }, SYSTEM_ROOTS));
});
