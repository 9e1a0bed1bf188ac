import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sandbox } from '../../../agent/sandboxes/driver.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { PHASES } from '../../../schemas/result.ts';
import type { SandboxUsage } from '../../../schemas/result.ts';
import { misbehaving } from '../../functions/misbehave.ts';
import { inheritedOf } from './inherited.ts';
import type { Stage } from './stage.ts';
import { LIMITS, awaitFrom, awaitReady, call } from './stage.ts';

/** What every driver must do. Each runs inside the runner's namespaces. */
export const CHECKS: Record<string, (stage: Stage) => Promise<void>> = {
  'reaches its phases in order, answers, and ends when asked': async (stage) => {
    await stage.withActors(1, stage.setUp.hello, async ([actor]) => {
      const { phases, sandbox } = actor!;
      const spawn = sandbox.start();
      const ready = await awaitReady(actor!);
      assert.deepEqual(await call(actor!), { status: 200, body: 'Hello from go!\n' });
      phases.set('spawn', spawn).set('ready', ready);
      const absent = new Set<string>();
      if (stage.driver.name !== 'microvm') absent.add('guestEntry');
      // Only bash tells the time without a fork.
      if (!existsSync('/bin/bash')) absent.add('gateOpen');
      const untilReady = PHASES.slice(1, PHASES.indexOf('ready') + 1);
      const expected = untilReady.filter((phase) => !absent.has(phase));
      assert.deepEqual([...phases.keys()].sort(), [...expected].sort());
      const stamps = expected.map((phase) => phases.get(phase)!);
      // Output and connection are two ways; the runner may hear of them in either order.
      const early = stamps.slice(0, -1);
      assert.deepEqual(early, early.toSorted(compare));
      assert.ok(ready > spawn);
      await sandbox.stop(5_000);
      const ids = sandbox.processIds();
      assert.deepEqual(ids, [], 'it has processes after its end');
    });
  },
  'says what it used': async (stage) => {
    await stage.withActors(1, stage.setUp.hello, async ([actor]) => {
      actor!.sandbox.start();
      await awaitReady(actor!);
      await call(actor!);
      const usage = actor!.sandbox.readUsage();
      if (stage.context.cgroups.mode === 'none') {
        assert.ok(usage.unavailable);
        return;
      }
      assert.equal(usage.unavailable, undefined);
      const { memoryBytes = 0, memoryPeakBytes = 0, cpuNs = 0n } = usage;
      assert.ok(memoryBytes > 100_000, `memory ${memoryBytes}`);
      assert.ok(memoryPeakBytes >= memoryBytes);
      assert.ok(memoryPeakBytes <= (LIMITS.memoryMib + 256) * 1024 * 1024);
      assert.ok(cpuNs > 1_000_000n && cpuNs < 60_000_000_000n, `cpu ${cpuNs}`);
    });
  },
  'can be sampled from before its start until its processes have ended': async (stage) => {
    await stage.withActors(1, stage.setUp.hello, async ([actor]) => {
      const { sandbox } = actor!;
      const target = sandbox.target();
      const seen: { ids: number[]; usage: SandboxUsage }[] = [];
      sandbox.onBeforeRemoval(() => {
        seen.push({ ids: sandbox.processIds(), usage: sandbox.readUsage() });
        throw new Error('what a reading throws must not keep the sandbox');
      });
      sandbox.start();
      await awaitReady(actor!);
      await call(actor!);
      assert.deepEqual(sandbox.target(), target);
      assert.equal(target.cgroup.mode, stage.context.cgroups.mode);
      assertFindable(target, sandbox.processIds());
      assert.equal(target.vmm !== undefined, stage.driver.name === 'microvm');
      const [first] = await Promise.all([sandbox.remove(), sandbox.remove()]);
      assert.deepEqual(first.leftovers, []);
      assert.equal(seen.length, 1);
      const { ids, usage } = seen[0]!;
      assert.deepEqual(ids, []);
      if (target.cgroup.mode === 'none') return;
      assert.equal(usage.unavailable, undefined);
      assert.ok((usage.cpuNs ?? 0n) > 0n);
    });
  },
  'can be killed, and that is not reported as an end by itself': async (stage) => {
    await stage.withActors(1, stage.setUp.hello, async ([actor]) => {
      let exit: string | undefined;
      void actor!.exit.then((text) => (exit = text));
      actor!.sandbox.start();
      await awaitReady(actor!);
      assert.notDeepEqual(actor!.sandbox.processIds(), []);
      await actor!.sandbox.kill();
      assert.deepEqual(actor!.sandbox.processIds(), []);
      await assert.rejects(call(actor!, 500));
      assert.equal(exit, undefined);
    });
  },
  'reports a crash before ready, with the log': async (stage) => {
    const crash = misbehaving(stage.setUp.misbehaveFolder, 'crash-before-ready');
    await stage.withActors(1, crash, async ([actor]) => {
      actor!.sandbox.start();
      const text = await awaitFrom(actor!, 'end', actor!.exit);
      assert.ok(text.length > 0);
      assert.ok(actor!.phases.has('appMain'));
      assert.match(actor!.sandbox.logTail(), /it crashes before it is ready/);
    });
  },
  'reports a crash after ready, with the log': async (stage) => {
    const crash = misbehaving(stage.setUp.misbehaveFolder, 'crash-after-ready');
    await stage.withActors(1, crash, async ([actor]) => {
      actor!.sandbox.start();
      await awaitFrom(actor!, 'ready call', actor!.ready);
      await awaitFrom(actor!, 'end', actor!.exit);
      assert.match(actor!.sandbox.logTail(), /it crashes after it was ready/);
    });
  },
  'removes a function that ignores the request to end': async (stage) => {
    const stubborn = misbehaving(stage.setUp.misbehaveFolder, 'ignore-term');
    await stage.withActors(1, stubborn, async ([actor]) => {
      actor!.sandbox.start();
      await awaitReady(actor!);
      const before = performance.now();
      await actor!.sandbox.stop(200);
      assert.ok(performance.now() - before < 5_000, 'stop has a deadline');
      if (stage.driver.name !== 'microvm') {
        assert.notDeepEqual(actor!.sandbox.processIds(), [], 'it should not have ended');
      }
    });
  },
  'removes the children of a function with it': async (stage) => {
    const parent = misbehaving(stage.setUp.misbehaveFolder, 'fork-children');
    await stage.withActors(1, parent, async ([actor]) => {
      actor!.sandbox.start();
      await awaitReady(actor!);
      if (stage.driver.name === 'process' || stage.driver.name === 'runc') {
        assert.equal(actor!.sandbox.processIds().length, 4);
      }
    });
  },
  'keeps only the end of what a function prints': async (stage) => {
    const chatty = misbehaving(stage.setUp.misbehaveFolder, 'print-much');
    await stage.withActors(1, chatty, async ([actor]) => {
      actor!.sandbox.start();
      await awaitReady(actor!);
      const tail = actor!.sandbox.logTail();
      assert.ok(tail.length > 8_000 && tail.length <= 16_384, `${tail.length} characters`);
      assert.match(tail, /line 3999 of a function/);
    });
  },
  'runs three at once, each on its own': async (stage) => {
    await stage.withActors(3, stage.setUp.hello, async (actors) => {
      for (const { sandbox } of actors) sandbox.start();
      await Promise.all(actors.map((actor) => awaitReady(actor)));
      const answers = await Promise.all(actors.map((actor) => call(actor)));
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200],
      );
      const ids = actors.flatMap(({ sandbox }) => sandbox.processIds());
      assert.equal(new Set(ids).size, ids.length);
      await actors[1]!.sandbox.kill();
      assert.equal((await call(actors[0]!)).status, 200);
      assert.equal((await call(actors[2]!)).status, 200);
    });
  },
  'inherits nothing of the measuring process': async (stage) => {
    const own = inheritedOf(process.pid)[0]!;
    // As root the suite's own process is odd in all of these: SCHED_FIFO, or else SCHED_BATCH.
    if (own.nice !== 0) assert.ok(own.policy === 1 || own.policy === 3, `policy ${own.policy}`);
    await stage.withActors(1, stage.setUp.hello, async ([actor]) => {
      actor!.sandbox.start();
      await awaitReady(actor!);
      const ids = actor!.sandbox.processIds();
      assert.notDeepEqual(ids, []);
      for (const id of ids) {
        for (const inherited of inheritedOf(id)) {
          const { name, timerSlackNs, ...values } = inherited;
          // QEMU chooses a slack of 1 ns for itself; the suite's odd one is another.
          const slacks = stage.driver.name === 'microvm' ? [1, 50_000] : [50_000];
          assert.ok(slacks.includes(timerSlackNs), `${name}: slack ${timerSlackNs}`);
          assert.deepEqual(
            values,
            {
              policy: 0,
              priority: 0,
              nice: 0,
              cpus: inheritedOf(1)[0]!.cpus,
              oomScoreAdj: 0,
              openFilesMax: 4096,
            },
            `${name} (${id})`,
          );
        }
      }
    });
  },
  'refuses a function whose program is missing': async (stage) => {
    const { hello } = stage.setUp;
    const broken = { ...hello, manifest: { ...hello.manifest, entry: ['{root}/absent'] } };
    await assert.rejects(
      stage.withActors(1, broken, () => Promise.reject(new Error('it was created'))),
      (error) => error instanceof LockstepError && error.code === 'IMAGE_INVALID',
    );
  },
  'reports a program that cannot be executed, with the log': async (stage) => {
    const folder = join(stage.setUp.scratchFolder, 'bad');
    for (const name of ['proc', 'dev', 'sys', 'tmp', 'etc']) {
      await mkdir(join(folder, name), { recursive: true });
    }
    await writeFile(join(folder, 'function'), 'no program at all', { mode: 0o755 });
    const { hello } = stage.setUp;
    const bad = { ...hello, folder, digest: hello.digest.replace(/.{8}$/, 'badbadba') };
    await stage.withActors(1, bad, async ([actor]) => {
      actor!.sandbox.start();
      const text = await awaitFrom(actor!, 'end', actor!.exit);
      assert.ok(text.length > 0);
      assert.match(actor!.sandbox.logTail(), /exec|function|init/i);
    });
  },
  'removes what was never started, and can be asked twice': async (stage) => {
    await stage.withActors(1, stage.setUp.hello, async ([actor]) => {
      const [first, second] = await Promise.all([actor!.sandbox.remove(), actor!.sandbox.remove()]);
      assert.deepEqual(first.leftovers, []);
      assert.deepEqual(second.leftovers, []);
      assert.deepEqual((await actor!.sandbox.remove()).leftovers, []);
    });
  },
};

/** Checks that processes, traffic and vCPU threads are where the target says. */
function assertFindable(target: ReturnType<Sandbox['target']>, ids: readonly number[]): void {
  const { cgroup, networkInterface = '', vmm } = target;
  if (cgroup.processes !== undefined) {
    const text = readFileSync(join(cgroup.processes, 'cgroup.procs'), 'utf8');
    const found = text.split('\n').filter(Boolean).map(Number);
    assert.notDeepEqual(found, []);
    assert.ok(found.every((id) => ids.includes(id)));
  }
  const bytes = ids.map((id) => receivedBytes(id, networkInterface));
  assert.ok(Math.max(...bytes) > 0, `nothing came by ${networkInterface}`);
  if (vmm === undefined) return;
  assert.equal(vmm.vcpus, LIMITS.cpus);
  const isTold = vmm.kvmUnavailable === undefined;
  assert.equal(isTold, vmm.qmpSocket !== undefined && existsSync(vmm.qmpSocket));
  const name = `${vmm.vcpuThreadPrefix}0/${isTold ? 'KVM' : 'TCG'}`;
  assert.ok(ids.flatMap(threadNames).includes(name), `no thread ${name}`);
}

/** Bytes that came by an interface in the network namespace of a process; 0 if it has none. */
function receivedBytes(processId: number, name: string): number {
  const table = readFileSync(`/proc/${processId}/net/dev`, 'utf8');
  const row = table.split('\n').find((line) => line.trim().startsWith(`${name}:`));
  return Number(row?.split(':')[1]?.trim().split(/\s+/)[0] ?? 0);
}

function threadNames(processId: number): string[] {
  const folder = `/proc/${processId}/task`;
  return readdirSync(folder).map((id) => readFileSync(`${folder}/${id}/comm`, 'utf8').trim());
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}
