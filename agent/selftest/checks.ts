import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Sandbox } from '../sandboxes/driver.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { PHASES } from '../../schemas/result.ts';
import type { SandboxUsage } from '../../schemas/result.ts';
import { traitsOf } from '../../schemas/sandbox.ts';
import type { SandboxName } from '../../schemas/sandbox.ts';
import { misbehaving } from './misbehaving.ts';
import { CONTAINER_CHECKS, LIMIT_CHECKS, processesBelow } from './equal-conditions.ts';
import { inheritedOf } from './inherited.ts';
import type { Check } from './stage.ts';
import { LIMITS, awaitFrom, awaitReady, call } from './stage.ts';

/** The checks that a kind of sandbox must pass, by title. */
export function checksFor(sandbox: SandboxName): Record<string, Check> {
  const { isolation, isRestored, runs } = traitsOf(sandbox);
  const runsPrograms = runs === 'program' || runs === 'static-program';
  return {
    ...CHECKS,
    ...(runsPrograms ? PROGRAM_CHECKS : {}),
    ...(runsPrograms && isRestored !== true ? CRASH_CHECKS : {}),
    ...(isolation === 'machine' ? {} : LIMIT_CHECKS),
    ...(isolation === 'container' ? CONTAINER_CHECKS : {}),
  };
}

/** What every driver must do. Each runs inside the runner's namespaces. */
const CHECKS: Record<string, Check> = {
  'reaches its phases in order, answers, and ends when asked': async (stage) => {
    await stage.withActor(stage.setUp.hello, async (actor) => {
      const { phases, sandbox } = actor;
      const spawn = sandbox.start();
      const ready = await awaitReady(actor);
      const { status, body } = await call(actor);
      assert.equal(status, 200);
      assert.match(body, /^Hello from \w+!\n?$/);
      phases.set('spawn', spawn).set('ready', ready);
      const absent = new Set<string>();
      const { hidesOutput, isRestored, stampsGuestEntry } = stage.traits;
      if (stampsGuestEntry !== true) absent.add('guestEntry');
      if (hidesOutput === true || isRestored === true) absent.add('appMain');
      // Only bash tells the time without a fork.
      if (!existsSync('/bin/bash')) absent.add('gateOpen');
      const untilReady = PHASES.slice(1, PHASES.indexOf('ready') + 1);
      const expected = untilReady.filter((phase) => !absent.has(phase));
      // That may be after the ready call.
      await heard(() => phases.size >= expected.length);
      assert.deepEqual([...phases.keys()].sort(), [...expected].sort());
      const stamps = expected.map((phase) => phases.get(phase) ?? 0n);
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
    await stage.withActor(stage.setUp.hello, async (actor) => {
      actor.sandbox.start();
      await awaitReady(actor);
      await call(actor);
      const usage = actor.sandbox.readUsage();
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
    await stage.withActor(stage.setUp.hello, async (actor) => {
      const { sandbox } = actor;
      const target = sandbox.target();
      const seen: { ids: number[]; usage: SandboxUsage }[] = [];
      sandbox.onBeforeRemoval(() => {
        seen.push({ ids: sandbox.processIds(), usage: sandbox.readUsage() });
        throw new Error('what a reading throws must not keep the sandbox');
      });
      sandbox.start();
      await awaitReady(actor);
      await call(actor);
      assert.deepEqual(sandbox.target(), target);
      assert.equal(target.cgroup.mode, stage.context.cgroups.mode);
      assertFindable(target, sandbox.processIds());
      if (stage.traits.hasVmmThreads === true) assert.ok(target.vmm);
      const [first] = await Promise.all([sandbox.remove(), sandbox.remove()]);
      assert.deepEqual(first.leftovers, []);
      assert.equal(seen.length, 1);
      const [last] = seen;
      assert.deepEqual(last?.ids, []);
      if (target.cgroup.mode === 'none') return;
      assert.equal(last.usage.unavailable, undefined);
      assert.ok((last.usage.cpuNs ?? 0n) > 0n);
    });
  },
  'can be killed, and that is not reported as an end by itself': async (stage) => {
    await stage.withActor(stage.setUp.hello, async (actor) => {
      let exit: string | undefined;
      void actor.exit.then((text) => (exit = text));
      actor.sandbox.start();
      await awaitReady(actor);
      assert.notDeepEqual(actor.sandbox.processIds(), []);
      await actor.sandbox.kill();
      assert.deepEqual(actor.sandbox.processIds(), []);
      await assert.rejects(call(actor, 500));
      assert.equal(exit, undefined);
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
      const [ended, ...others] = actors;
      await ended?.sandbox.kill();
      for (const other of others) assert.equal((await call(other)).status, 200);
    });
  },
  'inherits nothing of the measuring process': async (stage) => {
    const [own] = inheritedOf(process.pid);
    // As root the suite's own process is odd in all of these: SCHED_FIFO, or else SCHED_BATCH.
    assert.ok(own);
    if (own.nice !== 0) assert.ok(own.policy === 1 || own.policy === 3, `policy ${own.policy}`);
    await stage.withActor(stage.setUp.hello, async (actor) => {
      actor.sandbox.start();
      await awaitReady(actor);
      const ids = actor.sandbox.processIds();
      assert.notDeepEqual(ids, []);
      for (const id of ids) {
        for (const inherited of inheritedOf(id)) {
          const { name, nice, timerSlackNs, ...values } = inherited;
          // gVisor's systrap makes its stubs nicer than its kernel by 1; the suite's odd one is 5.
          const niceValues = stage.traits.isolation === 'kernel' ? [0, 1] : [0];
          assert.ok(niceValues.includes(nice), `${name}: nice ${nice}`);
          // QEMU chooses a slack of 1 ns for itself; the suite's odd one is another.
          const slacks = stage.traits.isolation === 'machine' ? [1, 50_000] : [50_000];
          assert.ok(slacks.includes(timerSlackNs), `${name}: slack ${timerSlackNs}`);
          assert.deepEqual(
            values,
            {
              policy: 0,
              priority: 0,
              cpus: inheritedOf(1)[0]?.cpus,
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
      stage.withActor(broken, () => Promise.reject(new Error('it was created'))),
      (error) => error instanceof LockstepError && error.code === 'IMAGE_INVALID',
    );
  },
  'removes what was never started, and can be asked twice': async (stage) => {
    await stage.withActor(stage.setUp.hello, async (actor) => {
      const [first, second] = await Promise.all([actor.sandbox.remove(), actor.sandbox.remove()]);
      assert.deepEqual(first.leftovers, []);
      assert.deepEqual(second.leftovers, []);
      assert.deepEqual((await actor.sandbox.remove()).leftovers, []);
    });
  },
};

/** What misbehaving programs must not do to the device. */
const PROGRAM_CHECKS: Record<string, Check> = {
  'removes a function that ignores the request to end': async (stage) => {
    const stubborn = misbehaving(stage.setUp.misbehaveFolder, 'ignore-term');
    await stage.withActor(stubborn, async (actor) => {
      actor.sandbox.start();
      await awaitReady(actor);
      const before = performance.now();
      await actor.sandbox.stop(200);
      assert.ok(performance.now() - before < 5_000, 'stop has a deadline');
      if (stage.traits.endsWithoutFunction === true) return;
      assert.notDeepEqual(actor.sandbox.processIds(), [], 'it should not have ended');
    });
  },
  'removes the children of a function with it': async (stage) => {
    // Some kernels have no processes beside the first.
    if (stage.traits.hasOneProcess === true) return;
    const parent = misbehaving(stage.setUp.misbehaveFolder, 'fork-children');
    await stage.withActor(parent, async (actor) => {
      actor.sandbox.start();
      await awaitReady(actor);
      // Other kinds have the children in a kernel of their own.
      if (stage.traits.isolation === 'none' || stage.traits.isolation === 'container') {
        assert.ok(actor.sandbox.processIds().length >= 4);
      }
    });
  },
  'keeps only the end of what a function prints': async (stage) => {
    const chatty = misbehaving(stage.setUp.misbehaveFolder, 'print-much');
    await stage.withActor(chatty, async (actor) => {
      actor.sandbox.start();
      await awaitReady(actor);
      if (stage.traits.hidesOutput === true) return;
      const end = /line 3999 of a function/;
      await heard(() => end.test(actor.sandbox.logTail()));
      const tail = actor.sandbox.logTail();
      assert.match(tail, end);
      assert.ok(tail.length > 8_000 && tail.length <= 16_384, `${tail.length} characters`);
    });
  },
  'reports a program that cannot be executed, with the log': async (stage) => {
    const folder = join(stage.setUp.scratchFolder, 'bad');
    for (const name of ['proc', 'dev', 'sys', 'tmp', 'etc']) {
      await mkdir(join(folder, name), { recursive: true });
    }
    await writeFile(join(folder, 'function'), 'no program at all', { mode: 0o755 });
    const { hello } = stage.setUp;
    const bad = { ...hello, folder, digest: hello.digest.replace(/.{8}$/, 'badbadba') };
    const started = stage.withActor(bad, async (actor) => {
      actor.sandbox.start();
      const text = await awaitFrom(actor, 'end', actor.exit);
      assert.ok(text.length > 0);
      assert.match(actor.sandbox.logTail(), /exec|function|init/i);
    });
    await started.catch((error: unknown) => {
      // Who makes an image of it may see it earlier, and who saves a machine has to start it first.
      const codes = [
        'IMAGE_INVALID',
        ...(stage.traits.isRestored === true ? ['SANDBOX_FAILED'] : []),
      ];
      if (!(error instanceof LockstepError && codes.includes(error.code))) throw error;
    });
  },
};

/** Programs that end by themselves; a saved machine is saved after its function was ready. */
const CRASH_CHECKS: Record<string, Check> = {
  'reports a crash before ready, with the log': async (stage) => {
    const crash = misbehaving(stage.setUp.misbehaveFolder, 'crash-before-ready');
    await stage.withActor(crash, async (actor) => {
      actor.sandbox.start();
      const text = await awaitFrom(actor, 'end', actor.exit);
      assert.ok(text.length > 0);
      if (stage.traits.hidesOutput === true) return;
      assert.ok(actor.phases.has('appMain'));
      assert.match(actor.sandbox.logTail(), /it crashes before it is ready/);
    });
  },
  'reports a crash after ready, with the log': async (stage) => {
    const crash = misbehaving(stage.setUp.misbehaveFolder, 'crash-after-ready');
    await stage.withActor(crash, async (actor) => {
      actor.sandbox.start();
      await awaitFrom(actor, 'ready call', actor.ready);
      await awaitFrom(actor, 'end', actor.exit);
      if (stage.traits.hidesOutput === true) return;
      assert.match(actor.sandbox.logTail(), /it crashes after it was ready/);
    });
  },
};

/** Checks that processes, traffic and vCPU threads are where the target says. */
function assertFindable(target: ReturnType<Sandbox['target']>, ids: readonly number[]): void {
  const { cgroup, networkInterface = '', vmm } = target;
  if (cgroup.processes !== undefined) {
    const found = processesBelow(cgroup.processes);
    assert.notDeepEqual(found, []);
    assert.ok(found.every((id) => ids.includes(id)));
  }
  const bytes = ids.map((id) => receivedBytes(id, networkInterface));
  assert.ok(Math.max(...bytes) > 0, `nothing came by ${networkInterface}`);
  if (vmm === undefined) return;
  assert.equal(vmm.vcpus, LIMITS.cpus);
  const isTold = vmm.kvmUnavailable === undefined;
  const counters = vmm.qmpSocket ?? vmm.metricsFile;
  assert.equal(isTold, counters !== undefined && existsSync(counters));
  const first = `${vmm.vcpuThreadPrefix}0`;
  const names = ids.flatMap(threadNames);
  assert.ok(
    names.some((name) => name === first || name.startsWith(`${first}/`)),
    `no thread ${first} among ${names.join(', ')}`,
  );
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

/** Longest that what a daemon passes on may be on its way, ms. */
const HEARD_WITHIN_MS = 10_000;

// That may be after the ready call.
async function heard(isHeard: () => boolean): Promise<void> {
  const giveUpAtMs = performance.now() + HEARD_WITHIN_MS;
  while (!isHeard() && performance.now() < giveUpAtMs) await delay(5);
}
